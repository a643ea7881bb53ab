#include "broker/pointer_set.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace switchboard::broker {

namespace {

constexpr std::size_t slots_min = 16;

/// The upper bits of a product with the golden ratio depend on all bits of the address.
std::size_t home(const void* what, std::size_t slots) noexcept {
  const auto bits = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(what)) * 0x9E3779B97F4A7C15u;
  return static_cast<std::size_t>(bits >> 32) & (slots - 1);
}

} // namespace

void pointer_set::clear() {
  if (size_ == 0)
    return;
  if (slots_.size() > slots_min && 8 * size_ < slots_.size())
    slots_.resize(slots_.size() / 2);
  std::fill(slots_.begin(), slots_.end(), nullptr);
  size_ = 0;
}

bool pointer_set::insert(const void* what) {
  if (2 * size_ >= slots_.size()) {
    const auto old = std::exchange(slots_, std::vector<const void*>(std::max(slots_min, 2 * slots_.size())));
    for (const auto* each : old)
      if (each)
        place(each);
  }
  auto at = home(what, slots_.size());
  for (; slots_[at]; at = (at + 1) & (slots_.size() - 1))
    if (slots_[at] == what)
      return false;
  slots_[at] = what;
  ++size_;
  return true;
}

void pointer_set::place(const void* what) noexcept {
  auto at = home(what, slots_.size());
  while (slots_[at])
    at = (at + 1) & (slots_.size() - 1);
  slots_[at] = what;
}

} // namespace switchboard::broker
