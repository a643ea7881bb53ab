// A later version of an actor's plugin that crashes: the same decisions, but one of two hundred ends in an exception at
// the last moment, when all is decided and the state is to be saved. For faults under load (tests/faults/acd_chaos.py).
#pragma once

#include <atomic>
#include <stdexcept>

#include "sdk/plugin.hpp"

namespace switchboard::test {

template <auto Type>
const auto& crashing() {
  static const auto made = [] {
    auto next = Type();
    next.save = [](const auto& state) {
      static std::atomic<unsigned> saved{0};
      if (++saved % 200 == 0)
        throw std::runtime_error("crashes on purpose");
      return Type().save(state);
    };
    return next;
  }();
  return made;
}

} // namespace switchboard::test
