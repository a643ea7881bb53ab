// What operations that reach the disk together need not write: a message that was put and taken before it ever got
// there, a state that a later one replaces. Asked for each group before it is logged, and for each lump of groups
// before it goes to LMDB. Pure.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "store/store.hpp"

namespace switchboard::store {

/// Which operations are skipped. Counted through all parts in their order.
struct elision {
  std::vector<bool> skipped;
  std::size_t puts = 0; ///< skipped ones that would have written a record
};

/// All `parts` reach the disk together, so only what is left at their end counts.
elision elide(std::span<const std::span<const batch::operation>> parts);

} // namespace switchboard::store
