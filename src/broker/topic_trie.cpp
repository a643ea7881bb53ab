// The map of this file: words of a pattern, the copies that with() and without() make, the walk.
#include "broker/topic_trie.hpp"

#include <utility>
#include <vector>

namespace switchboard::broker {

namespace {

using node = topic_trie::node;
using node_ptr = topic_trie::node_ptr;

constexpr std::string_view star = "*";
constexpr std::string_view hash = "#";

/// see(word) for each word of the key; an empty key has none, "a." has two.
template <class See>
void each_word(std::string_view key, See&& see) {
  if (key.empty())
    return;
  for (auto dot = key.find('.'); dot != key.npos; dot = key.find('.')) {
    see(key.substr(0, dot));
    key.remove_prefix(dot + 1);
  }
  see(key);
}

/// Words of a pattern; each run of wildcards with a '#' in it has its '*' first and one '#' at its end.
std::vector<std::string_view> words_of(std::string_view pattern) {
  std::vector<std::string_view> words;
  bool open = false; // a '#' belongs to the run of wildcards at the end of `words`
  each_word(pattern, [&](std::string_view word) {
    if (word == hash) {
      open = true;
      return;
    }
    if (open && word != star) {
      words.push_back(hash);
      open = false;
    }
    words.push_back(word);
  });
  if (open)
    words.push_back(hash);
  return words;
}

using words_left = const std::string_view*;

node_ptr child(const node& at, std::string_view word) {
  if (word == star)
    return at.star;
  if (word == hash)
    return at.hash;
  const auto* found = at.words.find(word);
  return found ? *found : nullptr;
}

/// `next` null takes the child away.
void set_child(node& at, std::string_view word, node_ptr next) {
  if (word == star)
    at.star = std::move(next);
  else if (word == hash)
    at.hash = std::move(next);
  else
    at.words = next ? at.words.set(word, std::move(next)) : at.words.erase(word);
}

bool is_empty(const node& at) { return at.words.empty() && !at.star && !at.hash && at.here.empty(); }

/// A copy of the path at..end with `change` done to the last node's destinations; null if nothing is left of it.
/// Recursion is bounded by the words of a key: 256.
template <class Change>
node_ptr changed(const node* at, words_left word, words_left end, const Change& change) {
  auto copy = std::make_shared<node>(at ? *at : node{});
  if (word == end) {
    copy->here = change(copy->here);
  } else {
    const auto below = child(*copy, *word);
    set_child(*copy, *word, changed(below.get(), word + 1, end, change));
  }
  return is_empty(*copy) ? nullptr : copy;
}

template <class Change>
node_ptr changed(const node_ptr& root, std::string_view pattern, const Change& change) {
  const auto words = words_of(pattern);
  return changed(root.get(), words.data(), words.data() + words.size(), change);
}

void activate(const node* at, std::vector<const node*>& active, topic_trie::scratch& room) {
  active.push_back(at);
  if (at->hash && room.opened.insert(at->hash.get()))
    room.open.push_back(at->hash.get());
}

} // namespace

topic_trie topic_trie::with(std::string_view pattern, const std::string& end, const endpoint_ptr& queue) const {
  return topic_trie{changed(root_, pattern, [&](const destinations& here) { return add_binding(here, end, queue); })};
}

topic_trie topic_trie::without(std::string_view pattern, const std::string& end) const {
  return topic_trie{changed(root_, pattern, [&](const destinations& here) { return remove_binding(here, end); })};
}

// A node other than a '#' node is reached at most once per word, since its parent is; a '#' node stays reached once it
// was, so it stands in `open` and only has to be kept from entering twice.
void topic_trie::walk(std::string_view key, scratch& room) const {
  room.active.clear();
  room.open.clear();
  room.opened.clear();
  activate(root_.get(), room.active, room);
  each_word(key, [&](std::string_view word) {
    room.next.clear();
    const auto hashed = text_hash{}(word);
    const auto step = [&](const node* from) {
      if (const auto* below = from->words.find(word, hashed))
        activate(below->get(), room.next, room);
      if (from->star)
        activate(from->star.get(), room.next, room);
    };
    const auto open = room.open.size(); // those that this word opens see the next one first
    for (const auto* from : room.active)
      step(from);
    for (std::size_t i = 0; i < open; ++i)
      step(room.open[i]);
    std::swap(room.active, room.next);
  });
}

} // namespace switchboard::broker
