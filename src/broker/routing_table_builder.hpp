// Builds routing tables one change at a time. Each change makes new nodes along one path (persistent_map, topic_trie)
// and leaves every snapshot taken before as it was. Knows no rules: the topology asks only for what is allowed. Not
// thread-safe; the snapshots are.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "broker/endpoint.hpp"
#include "broker/exchange_bindings.hpp"
#include "broker/persistent_map.hpp"
#include "broker/routing_table.hpp"
#include "broker/specs.hpp"

namespace switchboard::broker {

/// What a snapshot holds. Copying it is O(1).
struct routing_state {
  persistent_map<endpoint_ptr> queues;
  persistent_map<exchange_bindings> exchanges;
};

class routing_table_builder {
public:
  /// The default exchange routes to it by name from now on.
  void add_queue(const endpoint_ptr& queue);
  /// Bindings to it must have been taken away before.
  void remove_queue(std::string_view name);

  /// `delay`: where its messages wait, if it is an x-delayed-message exchange.
  void add_exchange(const exchange_spec& spec, endpoint_ptr delay = {});
  void set_alternate(std::string_view exchange, std::optional<std::string> name);
  /// Its bindings to others go with it; bindings to it must have been taken away before.
  void remove_exchange(std::string_view name);

  /// Each binding (see binding_identity) at most once; both ends exist.
  void bind(const binding_spec& spec);
  /// Of a binding that was bound.
  void unbind(const binding_spec& spec);

  /// The same pointer until the next change.
  std::shared_ptr<const routing_table> snapshot();

private:
  void changed() noexcept { snapshot_ = nullptr; }

  routing_state state_;
  std::shared_ptr<const routing_table> snapshot_;
};

} // namespace switchboard::broker
