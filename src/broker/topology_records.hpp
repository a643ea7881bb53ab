// Durable exchanges, queues and bindings as the log keeps them: one JSON object per thing under a key of its own.
//
//   exchange/<vhost>/<name>     {"version":1,"type":"topic","auto_delete":false,…}
//   queue/<vhost>/<name>        {"version":1,"number":7,"arguments":[["x-message-ttl","I",60000]],…}
//   binding/<vhost>/<number>    {"version":1,"source":"calls","destination":"q",…}
//   policy/<vhost>/<name>       {"version":1,"pattern":"^amq","apply_to":"queues",…}; operator_policy/… the same
//
// In the key `<vhost>` is percent-encoded and `<name>` stands as it is; a binding has a number, since its identity
// (two names, a key and arguments) can be longer than a key of the log. In the JSON a name's bytes outside printable
// ASCII are percent-encoded: AMQP names need not be UTF-8. Arguments keep AMQP's type letter. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/expected.hpp"
#include "broker/endpoint.hpp"
#include "broker/policies.hpp"
#include "broker/specs.hpp"

namespace switchboard::broker {

/// One change of the durable topology, for durable_transaction::put_topology or delete_topology.
struct record_change {
  std::string key;
  std::optional<std::string> bytes; ///< empty: delete
  friend bool operator==(const record_change&, const record_change&) = default;
};
/// In order; to become durable together.
using record_changes = std::vector<record_change>;

/// Names a binding within its vhost.
using binding_number = std::uint64_t;

struct exchange_record {
  exchange_spec spec;
  queue_number delay = 0; ///< where its messages wait, if it is an x-delayed-message exchange
};
struct queue_record {
  queue_spec spec;
  queue_number number = 0;
};
struct binding_record {
  binding_spec spec;
  binding_number number = 0;
};
struct policy_record {
  policy_kind kind = policy_kind::standard;
  policy what;
};
struct topology_record {
  std::string vhost;
  /// In the order in which they are restored: each needs those before it.
  std::variant<policy_record, exchange_record, queue_record, binding_record> what;
};

std::string exchange_key(std::string_view vhost, std::string_view name);
std::string queue_key(std::string_view vhost, std::string_view name);
std::string binding_key(std::string_view vhost, binding_number number);
std::string policy_key(policy_kind kind, std::string_view vhost, std::string_view name);

std::string encode_exchange(const exchange_spec& spec, queue_number delay = 0);
std::string encode_queue(const queue_spec& spec, queue_number number);
std::string encode_binding(const binding_spec& spec);
std::string encode_policy(const policy& what);

/// errc::corrupt names the key and what is wrong with it or its bytes.
expected<topology_record> decode_record(std::string_view key, std::string_view bytes);

} // namespace switchboard::broker
