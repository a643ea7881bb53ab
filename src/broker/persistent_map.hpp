// An immutable map from text to values: a hash array mapped trie (Bagwell; leaves and children apart, as in CHAMP).
// set() and erase() return a new map that shares all nodes but those on one path with the old one, so a change costs
// O(log32 n) and older maps stay as they were. Readers need no lock: nodes never change, only their reference counts
// do.
//
//   node: two bitmaps of 32 places, then the leaves and after them the children that are there, packed in one block
//
// Debian has no such container (immer), hence our own. Below the last level (64 bits of hash) a node is a plain list,
// for texts whose hashes are equal.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "broker/text_hash.hpp"

namespace switchboard::broker {

template <class Value, class Hash = text_hash>
class persistent_map {
public:
  persistent_map() = default;
  persistent_map(const persistent_map& other) noexcept : root_(held(other.root_)), size_(other.size_) {}
  persistent_map(persistent_map&& other) noexcept
      : root_(std::exchange(other.root_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  persistent_map& operator=(persistent_map other) noexcept {
    std::swap(root_, other.root_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~persistent_map() { drop(root_); }

  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }

  /// nullptr if there is none. Lives as long as this map, or any other that shares it.
  const Value* find(std::string_view key) const noexcept { return root_ ? find(key, Hash{}(key)) : nullptr; }
  /// The same with Hash{}(key) at hand.
  const Value* find(std::string_view key, std::uint64_t hash) const noexcept {
    const auto* at = root_;
    for (unsigned shift = 0; at; shift += bits) {
      if (shift >= hash_bits)
        return find_in_list(*at, key);
      const auto place = bit(hash, shift);
      if (at->leaf_map & place) {
        const auto* leaf = at->leaf(index(at->leaf_map, place));
        return leaf->hash == hash && leaf->key == key ? &leaf->value : nullptr;
      }
      at = at->child_map & place ? at->child(index(at->child_map, place)) : nullptr;
    }
    return nullptr;
  }

  /// A map in which `key` has that value, new or instead of another.
  [[nodiscard]] persistent_map set(std::string_view key, Value value) const {
    leaf_pointer leaf{new leaf_node{Hash{}(key), std::string{key}, std::move(value)}};
    bool replaced = false;
    const auto* root = root_ ? with(*root_, 0, std::move(leaf), replaced) : single(0, std::move(leaf));
    return persistent_map{root, size_ + !replaced};
  }

  /// A map without `key`.
  [[nodiscard]] persistent_map erase(std::string_view key) const {
    const auto hash = Hash{}(key);
    if (!root_ || !find(key, hash))
      return *this;
    return persistent_map{size_ == 1 ? nullptr : without(*root_, 0, hash, key), size_ - 1};
  }

  /// see(const std::string& key, const Value&) for each, in no order to rely on.
  template <class See>
  void for_each(See&& see) const {
    if (root_)
      visit(*root_, see);
  }

private:
  static constexpr unsigned bits = 5;
  static constexpr unsigned hash_bits = 64;
  static constexpr std::uint32_t list_mark = ~std::uint32_t{0};

  struct leaf_node {
    leaf_node(std::uint64_t h, std::string k, Value v) : hash(h), key(std::move(k)), value(std::move(v)) {}
    const std::uint64_t hash;
    const std::string key;
    const Value value;
    mutable std::atomic<std::uint32_t> references{1};
  };

  /// Followed in memory by its slots: first `leaves` pointers to leaf_node, then pointers to child nodes.
  struct alignas(void*) node {
    mutable std::atomic<std::uint32_t> references{1};
    std::uint32_t leaf_map = 0;
    std::uint32_t child_map = 0;
    std::uint32_t leaves = 0;
    std::uint32_t children = 0;

    const void** slots() noexcept { return reinterpret_cast<const void**>(this + 1); }
    const void* const* slots() const noexcept { return reinterpret_cast<const void* const*>(this + 1); }
    const leaf_node* leaf(std::size_t at) const noexcept { return static_cast<const leaf_node*>(slots()[at]); }
    const node* child(std::size_t at) const noexcept { return static_cast<const node*>(slots()[leaves + at]); }
  };

  static const leaf_node* held(const leaf_node* what) noexcept {
    what->references.fetch_add(1, std::memory_order_relaxed);
    return what;
  }
  static const node* held(const node* what) noexcept {
    if (what)
      what->references.fetch_add(1, std::memory_order_relaxed);
    return what;
  }
  static void drop(const leaf_node* what) noexcept {
    if (what->references.fetch_sub(1, std::memory_order_acq_rel) == 1)
      delete what;
  }
  static void drop(const node* what) noexcept {
    if (!what || what->references.fetch_sub(1, std::memory_order_acq_rel) != 1)
      return;
    for (std::size_t i = 0; i < what->leaves; ++i)
      drop(what->leaf(i));
    for (std::size_t i = 0; i < what->children; ++i)
      drop(what->child(i));
    what->~node();
    ::operator delete(const_cast<node*>(what));
  }

  struct drop_leaf {
    void operator()(const leaf_node* what) const noexcept { drop(what); }
  };
  struct drop_node {
    void operator()(const node* what) const noexcept { drop(what); }
  };
  using leaf_pointer = std::unique_ptr<const leaf_node, drop_leaf>;
  using node_pointer = std::unique_ptr<const node, drop_node>;

  persistent_map(const node* root, std::size_t size) noexcept : root_(root), size_(size) {}

  static std::uint32_t bit(std::uint64_t hash, unsigned shift) noexcept {
    return std::uint32_t{1} << ((hash >> shift) & 31);
  }
  static std::size_t index(std::uint32_t map, std::uint32_t place) noexcept {
    return static_cast<std::size_t>(std::popcount(map & (place - 1)));
  }

  static const Value* find_in_list(const node& at, std::string_view key) noexcept {
    for (std::size_t i = 0; i < at.leaves; ++i)
      if (at.leaf(i)->key == key)
        return &at.leaf(i)->value;
    return nullptr;
  }

  /// Slots are not set yet; nothing may throw before they are.
  static node* make_node(std::uint32_t leaf_map, std::uint32_t child_map, std::uint32_t leaves,
                         std::uint32_t children) {
    void* room = ::operator new(sizeof(node) + (leaves + children) * sizeof(void*));
    auto* made = new (room) node;
    made->leaf_map = leaf_map;
    made->child_map = child_map;
    made->leaves = leaves;
    made->children = children;
    return made;
  }

  /// Copies the slots of `from`, with one leaf left out, one leaf put in, one child left out and one put in, as asked
  /// for. Indices are places before (`drop_…`) and after (`add_…`) the change; npos: none. Takes the references given.
  static constexpr std::size_t npos = ~std::size_t{0};
  struct change {
    std::size_t drop_leaf = npos, add_leaf = npos, drop_child = npos, add_child = npos;
    const leaf_node* leaf = nullptr;
    const node* child = nullptr;
  };
  static const node* copy(const node& from, std::uint32_t leaf_map, std::uint32_t child_map, const change& what) {
    const auto leaves = from.leaves + (what.add_leaf != npos) - (what.drop_leaf != npos);
    const auto children = from.children + (what.add_child != npos) - (what.drop_child != npos);
    auto* made = make_node(leaf_map, child_map, leaves, children);
    auto** to = made->slots();
    std::size_t read = 0;
    for (std::size_t i = 0; i < leaves; ++i) {
      if (i == what.add_leaf) {
        *to++ = what.leaf;
        continue;
      }
      read += read == what.drop_leaf;
      *to++ = held(from.leaf(read++));
    }
    read = 0;
    for (std::size_t i = 0; i < children; ++i) {
      if (i == what.add_child) {
        *to++ = what.child;
        continue;
      }
      read += read == what.drop_child;
      *to++ = held(from.child(read++));
    }
    return made;
  }

  static const node* single(unsigned shift, leaf_pointer leaf) {
    auto* made = make_node(shift < hash_bits ? bit(leaf->hash, shift) : list_mark, 0, 1, 0);
    made->slots()[0] = leaf.release();
    return made;
  }

  /// A node at that level that holds both.
  static const node* pair(unsigned shift, leaf_pointer first, leaf_pointer second) {
    if (shift >= hash_bits) {
      auto* list = make_node(list_mark, 0, 2, 0);
      list->slots()[0] = first.release();
      list->slots()[1] = second.release();
      return list;
    }
    const auto one = bit(first->hash, shift);
    const auto other = bit(second->hash, shift);
    if (one == other) {
      node_pointer below{pair(shift + bits, std::move(first), std::move(second))};
      auto* made = make_node(0, one, 0, 1);
      made->slots()[0] = below.release();
      return made;
    }
    auto* made = make_node(one | other, 0, 2, 0);
    made->slots()[one < other ? 0 : 1] = first.release();
    made->slots()[one < other ? 1 : 0] = second.release();
    return made;
  }

  static const node* with(const node& at, unsigned shift, leaf_pointer leaf, bool& replaced) {
    if (shift >= hash_bits)
      return with_in_list(at, std::move(leaf), replaced);
    const auto place = bit(leaf->hash, shift);
    if (at.child_map & place) {
      const auto i = index(at.child_map, place);
      node_pointer below{with(*at.child(i), shift + bits, std::move(leaf), replaced)};
      const auto* made = copy(at, at.leaf_map, at.child_map, {.drop_child = i, .add_child = i, .child = below.get()});
      static_cast<void>(below.release());
      return made;
    }
    const auto i = index(at.leaf_map, place);
    if (!(at.leaf_map & place)) {
      const auto* made = copy(at, at.leaf_map | place, at.child_map, {.add_leaf = i, .leaf = leaf.get()});
      static_cast<void>(leaf.release());
      return made;
    }
    const auto* there = at.leaf(i);
    if (there->hash == leaf->hash && there->key == leaf->key) {
      replaced = true;
      const auto* made = copy(at, at.leaf_map, at.child_map, {.drop_leaf = i, .add_leaf = i, .leaf = leaf.get()});
      static_cast<void>(leaf.release());
      return made;
    }
    node_pointer below{pair(shift + bits, leaf_pointer{held(there)}, std::move(leaf))};
    const auto* made = copy(at, at.leaf_map & ~place, at.child_map | place,
                            {.drop_leaf = i, .add_child = index(at.child_map, place), .child = below.get()});
    static_cast<void>(below.release());
    return made;
  }

  static const node* with_in_list(const node& at, leaf_pointer leaf, bool& replaced) {
    std::size_t i = 0;
    while (i < at.leaves && at.leaf(i)->key != leaf->key)
      ++i;
    replaced = i < at.leaves;
    const auto* made = copy(at, list_mark, 0, {.drop_leaf = replaced ? i : npos, .add_leaf = i, .leaf = leaf.get()});
    static_cast<void>(leaf.release());
    return made;
  }

  /// Precondition: the key is below `at`, and not the only leaf there. A child that is left with one leaf is pulled up,
  /// so that a map's shape depends on its keys only.
  static const node* without(const node& at, unsigned shift, std::uint64_t hash, std::string_view key) {
    if (shift >= hash_bits) {
      std::size_t i = 0;
      while (at.leaf(i)->key != key)
        ++i;
      return copy(at, list_mark, 0, {.drop_leaf = i});
    }
    const auto place = bit(hash, shift);
    if (at.leaf_map & place)
      return copy(at, at.leaf_map & ~place, at.child_map, {.drop_leaf = index(at.leaf_map, place)});
    const auto i = index(at.child_map, place);
    node_pointer below{without(*at.child(i), shift + bits, hash, key)};
    if (below->children == 0 && below->leaves == 1) {
      leaf_pointer last{held(below->leaf(0))};
      const auto* made = copy(at, at.leaf_map | place, at.child_map & ~place,
                              {.add_leaf = index(at.leaf_map, place), .drop_child = i, .leaf = last.get()});
      static_cast<void>(last.release());
      return made;
    }
    const auto* made = copy(at, at.leaf_map, at.child_map, {.drop_child = i, .add_child = i, .child = below.get()});
    static_cast<void>(below.release());
    return made;
  }

  template <class See>
  static void visit(const node& at, See& see) {
    for (std::size_t i = 0; i < at.leaves; ++i)
      see(at.leaf(i)->key, at.leaf(i)->value);
    for (std::size_t i = 0; i < at.children; ++i)
      visit(*at.child(i), see);
  }

  const node* root_ = nullptr;
  std::size_t size_ = 0;
};

} // namespace switchboard::broker
