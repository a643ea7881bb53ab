// Which connections want an event: an index by place, so that the cost of an event grows with those who get it and not
// with those who don't. Pure; one per I/O thread, used on that thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "messages/topic.hpp"

namespace switchboard::websocket {

/// What the index knows of a connection.
struct subscriber {
  std::string customer_id;      ///< its tenant: no event of another one is ever found for it
  std::uint64_t last_found = 0; ///< the index's own mark, for one copy per event
};

class subscription_index {
public:
  /// False if it is there already. `who` stays at its address until it is removed from every topic.
  bool add(const topic_pattern& topic, subscriber& who);
  /// False if it is not there.
  bool remove(const topic_pattern& topic, subscriber& who);

  /// Everybody who wants an event of this place, once each however many of their topics select it. Good until the next
  /// call of find().
  const std::vector<subscriber*>& find(const event_address& at);

  /// Topics with at least one subscriber.
  std::size_t size() const noexcept { return topics_.size(); }

private:
  /// The fields of a pattern; a missing one means all.
  struct place {
    topic_scope scope;
    std::string_view owner;
    std::optional<std::string_view> resource;
    std::optional<std::string_view> resource_id;
    friend bool operator==(const place&, const place&) = default;
  };
  static place place_of(const topic_pattern& topic);

  struct hash {
    using is_transparent = void;
    std::size_t operator()(const place& at) const noexcept;
    std::size_t operator()(const topic_pattern& topic) const noexcept { return (*this)(place_of(topic)); }
  };
  struct equal {
    using is_transparent = void;
    bool operator()(const topic_pattern& a, const topic_pattern& b) const { return a == b; }
    bool operator()(const place& a, const topic_pattern& b) const { return a == place_of(b); }
    bool operator()(const topic_pattern& a, const place& b) const { return place_of(a) == b; }
  };

  void collect(const place& where, std::string_view customer_id);

  std::unordered_map<topic_pattern, std::unordered_set<subscriber*>, hash, equal> topics_;
  std::vector<subscriber*> found_; // reused by find()
  std::uint64_t searches_ = 0;
};

} // namespace switchboard::websocket
