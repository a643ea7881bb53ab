// What may be declared, in RabbitMQ 3.10.8's order and words. Checks look at what is given only; whether something
// exists is topology's business. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/expected.hpp"
#include "broker/specs.hpp"

namespace switchboard::broker {

/// Names lose carriage returns and line feeds, as in RabbitMQ.
std::string clean_name(std::string_view name);

/// 403 for names that begin with "amq.", 406 for more than 255 bytes. `kind`: queue or exchange.
expected<void> check_new_name(std::string_view kind, std::string_view name);
/// 403 for the default exchange, which nobody declares, binds or deletes.
expected<void> check_not_default(std::string_view exchange);

/// 503 for a type that AMQP doesn't know.
expected<void> check_exchange_type(const exchange_spec& spec);
/// 406 for arguments of the wrong type.
expected<void> check_new_exchange(const exchange_spec& spec, std::string_view vhost);
/// 406 if `wanted` is not what `current` is.
expected<void> check_same_exchange(const exchange_spec& current, const exchange_spec& wanted, std::string_view vhost);

/// 406 for a key or arguments that bindings of that source can't have.
expected<void> check_new_binding(const exchange_spec& source, const binding_spec& spec);

/// 406 if queues of that type must have a name.
expected<void> check_server_named(const queue_spec& spec);
/// 406 for arguments of the wrong type or value, of another queue type, or that don't go with the queue's properties.
expected<void> check_new_queue(const queue_spec& spec, std::string_view vhost);
/// 540 if a queue of its type can't be deleted under such conditions at all.
expected<void> check_deletable(const queue_spec& spec, bool if_unused, bool if_empty, std::string_view vhost);
/// 406 if `wanted` is not what `current` is. Exclusiveness is access, not equality: see topology.
expected<void> check_same_queue(const queue_spec& current, const queue_spec& wanted, std::string_view vhost);

} // namespace switchboard::broker
