// The broker's exchanges, queues and bindings of one vhost, and every rule about declaring them: RabbitMQ 3.10.8's,
// with its texts. A plain value without actor, socket or clock; the topology actor owns it, carries its record changes
// into the log and publishes its routes.
//
//   declare, bind, delete ──> topology ──> record_changes  (durable things only; commit them together)
//                                 └─ snapshot() ──> routing_table  (immutable, shares structure with the one before)
//
// Errors begin with AMQP's name of the code; reply_code() in amqp_reply.hpp gives its number. A call that fails has
// changed nothing. Not thread-safe. Bounded by what it is told: nothing here limits how many things are declared.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/expected.hpp"
#include "broker/endpoint.hpp"
#include "broker/policies.hpp"
#include "broker/routing_table.hpp"
#include "broker/routing_table_builder.hpp"
#include "broker/specs.hpp"
#include "broker/topology_records.hpp"

namespace switchboard::broker {

/// A queue that was declared or found; `changes` is empty unless it was created and is durable.
struct queue_declared {
  endpoint_ptr queue;
  bool created = false;
  record_changes changes;
};

/// A queue that was taken out; `queue` is null if there was none, which AMQP counts as success.
struct queue_removed {
  endpoint_ptr queue;
  record_changes changes;
};

/// What delete_queue must know of the live queue.
struct queue_counts {
  std::uint64_t messages = 0;
  std::uint64_t consumers = 0;
};

/// Queues whose arguments a change of policies has changed.
struct policy_changed {
  record_changes changes;
  std::vector<std::pair<endpoint_ptr, field_table>> queues; ///< with what is asked of them now
};

class topology {
public:
  /// Makes the actor side of a new queue. Gets the spec as it will be kept: with its name, and not durable if
  /// exclusive.
  using make_endpoint = std::function<endpoint_ptr(const queue_spec&)>;
  /// The same for a queue read from the log.
  using restore_endpoint = std::function<endpoint_ptr(const queue_spec&, queue_number)>;

  /// Makes the place where messages of a new x-delayed-message exchange wait, of kind delay.
  using make_delay = std::function<endpoint_ptr(const exchange_spec&)>;
  /// The same for an exchange read from the log.
  using restore_delay = std::function<endpoint_ptr(const exchange_spec&, queue_number)>;

  /// Holds the predeclared exchanges: "", amq.direct, amq.fanout, amq.topic, amq.headers, amq.match,
  /// amq.rabbitmq.trace.
  explicit topology(std::string vhost = "/");

  const std::string& vhost() const noexcept { return vhost_; }

  /// Passive only asks whether it exists. `make` is called after every check, for a new exchange that delays.
  expected<record_changes> declare_exchange(const exchange_spec& spec, bool passive = false,
                                            const make_delay& make = {});
  /// An exchange that does not exist counts as deleted. Takes its bindings along, and auto-delete exchanges that were
  /// bound to nothing else.
  expected<record_changes> delete_exchange(std::string_view name, bool if_unused = false);

  /// `make` is called only if the queue is new, after every check. Passive asks for it on behalf of spec.owner.
  /// A vhost that holds `queues_max` takes no new one: 406.
  expected<queue_declared> declare_queue(const queue_spec& spec, bool passive, const make_endpoint& make,
                                         std::optional<std::uint64_t> queues_max = {});
  /// For a client: 405 if it is another's, 406 if `if_empty` or `if_unused` forbid it by `live`.
  expected<queue_removed> delete_queue(std::string_view name, std::string_view owner, bool if_unused, bool if_empty,
                                       queue_counts live);
  /// Without any check, but only if it still is the queue of that number.
  queue_removed drop_queue(std::string_view name, queue_number number);
  /// For a client's use: 404 if there is none, 405 if it is exclusive to another owner.
  expected<endpoint_ptr> find_queue(std::string_view name, std::string_view owner) const;
  /// Exclusive queues of that owner, in order of name.
  std::vector<endpoint_ptr> queues_owned_by(std::string_view owner) const;

  /// Binding what is bound, or unbinding what is not, changes nothing and succeeds.
  expected<record_changes> bind(const binding_spec& spec, std::string_view owner);
  expected<record_changes> unbind(const binding_spec& spec, std::string_view owner);

  /// Replaces one of the same kind and name. errc::bad_format says what is wrong with it.
  expected<policy_changed> put_policy(policy_kind kind, policy what);
  /// errc::not_found if there is none.
  expected<policy_changed> remove_policy(policy_kind kind, std::string_view name);
  const policy_set& policies() const noexcept { return policies_; }
  /// What is asked of a queue by its declaration and the policies together.
  field_table effective_arguments(const queue_spec& of) const {
    return policies_.effective(policy_target::queues, of.name, of.arguments);
  }

  /// Takes in all records of this vhost at once, in any order. Call first. errc::corrupt if one doesn't fit the others:
  /// a binding without its ends, a thing twice; then the topology is half restored and of no use.
  expected<void> restore(std::vector<topology_record> records, const restore_endpoint& make,
                         const restore_delay& delay = {});

  /// What stood behind exchanges that delay and that were deleted since the last call, by whatever.
  std::vector<endpoint_ptr> take_removed_delays() { return std::exchange(removed_delays_, {}); }

  /// The routes of this moment; the same pointer until something changes. Never null.
  std::shared_ptr<const routing_table> snapshot() { return routes_.snapshot(); }

  /// Takes out everything but the predeclared exchanges; what lived in its queues is the caller's to end.
  record_changes clear();

  // For inspection, in order of name; bindings in an order that stays. The function must not change the topology.
  void each_exchange(const std::function<void(const exchange_spec&)>& see) const;
  void each_queue(const std::function<void(const queue_spec&, const endpoint_ptr&)>& see) const;
  void each_delay(const std::function<void(const endpoint_ptr&)>& see) const;
  /// Without the implicit bindings of the default exchange.
  void each_binding(const std::function<void(const binding_spec&)>& see) const;

private:
  struct exchange_entry {
    exchange_spec spec;
    std::size_t bindings = 0; ///< with this source
    endpoint_ptr delay;       ///< null if it doesn't delay
  };
  struct queue_entry {
    queue_spec spec;
    endpoint_ptr queue;
    field_table effective; ///< kept up to date only if there are policies
  };
  struct binding_entry {
    binding_spec spec;
    binding_number number = 0;
    bool durable = false;
  };
  using exchange_map = std::map<std::string, exchange_entry, std::less<>>;
  using queue_map = std::map<std::string, queue_entry, std::less<>>;
  /// By binding_identity(), which begins with the source.
  using binding_map = std::map<std::string, binding_entry, std::less<>>;

  void add_exchange(const exchange_spec& spec, endpoint_ptr delay = {});
  void add_queue(const queue_spec& spec, endpoint_ptr queue);
  void add_binding(std::string identity, const binding_spec& spec, binding_number number);
  queue_removed remove_queue(queue_map::iterator at);
  /// The source's name goes to `unused` if that was its last binding and it is auto-delete.
  void remove_binding(binding_map::iterator at, record_changes& changes, std::vector<std::string>& unused);
  void remove_bindings_from(const std::string& source, record_changes& changes);
  void remove_bindings_to(const std::string& end, record_changes& changes, std::vector<std::string>& unused);
  /// And the auto-delete ones that this leaves without a binding, and so on.
  void remove_exchanges(std::vector<std::string> names, record_changes& changes);

  expected<queue_declared> find_declared(const queue_spec& spec) const;
  expected<queue_declared> too_many_queues(const queue_spec& spec, std::uint64_t queues_max) const;
  expected<queue_declared> create_queue(const queue_spec& spec, const make_endpoint& make);
  expected<void> check_ends(const binding_spec& spec) const;
  error locked(std::string_view name) const;
  expected<void> check_access(const queue_entry& held, std::string_view owner) const;
  expected<void> check_destination_access(const binding_spec& spec, std::string_view owner) const;
  bool has_ends(const binding_spec& spec) const;
  bool is_durable(const binding_spec& spec) const;
  std::string unused_queue_name() const;

  policy_changed apply_policies(record_changes changes);
  void apply_policies_to(const exchange_spec& spec);

  expected<void> restore_exchange(const exchange_record& record, const restore_delay& delay);
  expected<void> restore_queue(const queue_record& record, const restore_endpoint& make);
  expected<void> restore_binding(const binding_record& record);

  std::string vhost_;
  policy_set policies_;
  exchange_map exchanges_;
  queue_map queues_;
  binding_map bindings_;
  /// Identities of the bindings that end at a queue or exchange, by end_key(); views of keys in bindings_.
  std::map<std::string, std::set<std::string_view>, std::less<>> bindings_to_;
  std::map<std::string, std::set<std::string_view>, std::less<>> owned_; ///< names of exclusive queues by owner
  std::vector<endpoint_ptr> removed_delays_;
  binding_number next_binding_ = 1;
  routing_table_builder routes_;
};

} // namespace switchboard::broker
