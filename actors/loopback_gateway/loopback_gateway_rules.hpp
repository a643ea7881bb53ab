// The phones behind the loopback gateway: who plays what, by number. Pure; the table is in README.md.
#pragma once

#include <string_view>

namespace switchboard::telephony {

enum class phone_answer {
  delivers,  ///< taken, then reported as delivered
  refuses,   ///< refused for good
  no_report, ///< taken, never reported
  no_answer, ///< neither taken nor refused
  fails,     ///< taken, then reported as failed
  replies,   ///< delivered, and an answer comes back
};

struct phone {
  phone_answer answer = phone_answer::delivers;
  int refusals = 0; ///< so many attempts are refused for now before

  friend bool operator==(const phone&, const phone&) = default;
};

phone phone_of(std::string_view number) noexcept;

} // namespace switchboard::telephony
