// Topic patterns as a trie of words: '*' stands for one word, '#' for any number of them. Immutable: with() and
// without() copy the nodes on one path and share the rest.
//
//   calls.*.ended  ┐   root ─ calls ─ * ─ ended
//   calls.#        ┘                └ #
//
// Matching walks all positions of the trie at once, word by word, like a text search does: a pattern with many '#'
// costs what any other costs, time grows with the words of the key times the nodes they reach, never exponentially.
// Neighbouring wildcards are put in one order before ("#.#" is "#", "#.*" is "*.#"), since they mean the same.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "broker/destinations.hpp"
#include "broker/persistent_map.hpp"
#include "broker/pointer_set.hpp"

namespace switchboard::broker {

class topic_trie {
public:
  struct node;
  using node_ptr = std::shared_ptr<const node>;
  struct node {
    persistent_map<node_ptr> words;
    node_ptr star;
    node_ptr hash;     ///< has neither `star` nor `hash` itself
    destinations here; ///< of patterns that end here
  };

  /// Room for one match; valid during match() only.
  struct scratch {
    std::vector<const node*> active; ///< reached by the words so far
    std::vector<const node*> next;
    std::vector<const node*> open; ///< '#' nodes reached: they stay reached whatever follows
    pointer_set opened;
  };

  topic_trie() = default;

  topic_trie with(std::string_view pattern, const std::string& end, const endpoint_ptr& queue) const;
  topic_trie without(std::string_view pattern, const std::string& end) const;
  bool empty() const noexcept { return !root_; }

  /// Calls `found` with the destinations of every pattern that matches, each pattern once.
  template <class Found>
  void match(std::string_view key, scratch& room, Found&& found) const {
    if (!root_)
      return;
    walk(key, room);
    for (const auto* set : {&room.active, &room.open})
      for (const auto* at : *set)
        if (!at->here.empty())
          found(at->here);
  }

private:
  explicit topic_trie(node_ptr root) : root_(std::move(root)) {}
  void walk(std::string_view key, scratch& room) const;

  node_ptr root_;
};

} // namespace switchboard::broker
