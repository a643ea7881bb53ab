// Pointers seen during one walk. Kept from walk to walk, so that it allocates nothing in the steady state.
#pragma once

#include <cstddef>
#include <vector>

namespace switchboard::broker {

class pointer_set {
public:
  /// Also gives back half of the room after a walk that needed little of it, since the cost of this is the room's size.
  void clear();
  /// False if it was in already. Not for null.
  bool insert(const void* what);
  std::size_t size() const noexcept { return size_; }

private:
  void place(const void* what) noexcept;

  std::vector<const void*> slots_; ///< open addressing; the size is a power of two, or 0
  std::size_t size_ = 0;
};

} // namespace switchboard::broker
