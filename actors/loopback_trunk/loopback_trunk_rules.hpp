// The far ends that the loopback trunk plays: who is behind which number. Pure; the table is in README.md.
#pragma once

#include <optional>
#include <string>

#include "base/time.hpp"
#include "sdk/address.hpp"

namespace switchboard::telephony {

enum class far_end_answer {
  answers,     ///< rings, then answers
  busy,        ///< refuses at once
  rings,       ///< rings for ever
  unreachable, ///< there is no way to it
  rejects,     ///< rings, then refuses
};

struct far_end {
  far_end_answer answer = far_end_answer::answers;
  std::optional<milliseconds> stays{}; ///< how long it talks before it hangs up; empty: for ever
  std::string keys{};                  ///< what it presses, one key a second

  friend bool operator==(const far_end&, const far_end&) = default;
};

/// By the last four digits of a telephone number or of a SIP user; any other address answers and stays.
far_end far_end_of(const sdk::address& at);

} // namespace switchboard::telephony
