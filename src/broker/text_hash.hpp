// A fast hash of short text, seeded per process so that nobody can choose names that collide.
#pragma once

#include <cstdint>
#include <string_view>

namespace switchboard::broker {

/// Differs from process to process: not for anything that is stored or sent.
struct text_hash {
  std::uint64_t operator()(std::string_view text) const noexcept;
};

} // namespace switchboard::broker
