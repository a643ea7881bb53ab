// The bindings of one exchange, arranged for its type: by key, all at once, as a trie of words, as a list of header
// patterns, or by weight. An immutable value like the maps it is made of; a copy costs a few counters.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/destinations.hpp"
#include "broker/exchange_hash.hpp"
#include "broker/exchange_headers.hpp"
#include "broker/persistent_map.hpp"
#include "broker/specs.hpp"
#include "broker/topic_trie.hpp"

namespace switchboard::broker {

enum class exchange_kind : std::uint8_t {
  direct,  ///< the binding's key equals the message's
  fanout,  ///< every binding
  topic,   ///< the binding's key is a pattern of words, '*' and '#'
  headers, ///< the binding's arguments are a pattern of headers
  hash,    ///< one binding, by a hash of the message; the binding's key is its weight
};

/// Empty for a type that is none of AMQP's and of RabbitMQ's plugins that we have. x-delayed-message has no kind of its
/// own.
std::optional<exchange_kind> exchange_kind_of(std::string_view type) noexcept;

inline constexpr std::string_view delayed_type = "x-delayed-message";
/// The type by which an exchange routes: for x-delayed-message that of its argument x-delayed-type, else its own.
std::string_view routing_type(const exchange_spec& spec) noexcept;

/// Says which binding it is: source, destination, key and arguments (sorted by name, type and value as on the wire).
/// Begins with the source.
std::string binding_identity(const binding_spec& spec);

/// What matching looks at.
struct matched_message {
  std::string_view key;
  std::string_view headers;       ///< table bytes without length
  const message* whole = nullptr; ///< may be null; its routing key is its first, `key` perhaps one of CC
};

/// Room that matching needs, kept between messages so that none of it allocates in the steady state.
struct match_scratch {
  topic_trie::scratch topic;
  std::vector<header_field> headers;
};

class exchange_bindings {
public:
  /// Precondition: exchange_kind_of(routing_type(spec)). `delay`: see delay_for().
  explicit exchange_bindings(const exchange_spec& spec, endpoint_ptr delay = {});

  /// `queue` is the binding's destination, null if that is an exchange.
  exchange_bindings with(const binding_spec& spec, const endpoint_ptr& queue) const;
  exchange_bindings without(const binding_spec& spec) const;

  /// The same bindings; where messages go that none of them takes has changed.
  exchange_bindings with_alternate(std::optional<std::string> name) const;

  exchange_kind kind() const noexcept { return kind_; }
  bool internal() const noexcept { return internal_; }
  /// Where messages go that no binding takes; null if nowhere.
  const std::string* alternate() const noexcept { return alternate_ ? &*alternate_ : nullptr; }

  /// Where the message waits before it is matched; null if it doesn't.
  const endpoint* delay_for(const matched_message& what) const;

  /// Calls `found` with every set of destinations that the message matches; one destination may be in several of them.
  template <class Found>
  void match(const matched_message& what, match_scratch& scratch, Found&& found) const {
    switch (kind_) {
    case exchange_kind::direct:
      if (const auto* all = by_key_.find(what.key))
        found(*all);
      return;
    case exchange_kind::fanout:
      if (!all_.empty())
        found(all_);
      return;
    case exchange_kind::topic:
      topics_.match(what.key, scratch.topic, found);
      return;
    case exchange_kind::headers:
      if (patterns_.empty())
        return;
      read_headers(what.headers, scratch.headers);
      patterns_.for_each([&](const std::string&, const header_binding& each) {
        if (each.pattern.matches(scratch.headers))
          found(each.to);
      });
      return;
    case exchange_kind::hash:
      if (const auto* chosen = choose(what, scratch.headers))
        found(*chosen);
    }
  }

private:
  struct header_binding {
    header_pattern pattern;
    destinations to; ///< exactly one
  };

  /// One destination of a hash exchange. Its first binding says its weight, as in RabbitMQ; the others wait.
  struct hash_binding {
    std::uint64_t hash = 0;                              ///< of its name
    std::vector<std::pair<std::string, double>> weights; ///< by binding_identity
    destinations to;                                     ///< exactly one
  };
  const destinations* choose(const matched_message& what, std::vector<header_field>& room) const;

  exchange_kind kind_;
  bool internal_;
  endpoint_ptr delay_;
  std::optional<std::string> alternate_;
  persistent_map<destinations> by_key_;     ///< direct
  destinations all_;                        ///< fanout
  topic_trie topics_;                       ///< topic
  persistent_map<header_binding> patterns_; ///< headers, by binding_identity
  hash_input input_;                        ///< hash
  persistent_map<hash_binding> weighted_;   ///< hash, by end_key()
};

} // namespace switchboard::broker
