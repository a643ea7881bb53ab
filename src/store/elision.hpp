// What a group of batches need not write: a message that was put and taken before it ever reached the disk, a state
// that a later one of the same group replaces. Pure.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "store/store.hpp"

namespace switchboard::store {

/// Which operations of a group are skipped. Counted through all batches in submission order.
struct elision {
  std::vector<bool> skipped;
  std::size_t puts = 0; ///< skipped ones that would have written a record
};

/// All batches of `group` become durable together, so only what is left at its end counts.
elision elide(std::span<const batch* const> group);

} // namespace switchboard::store
