// Brings events to the entities that subscribed to them: one durable queue per entity type, bound to the exchanges its
// subscriptions come from. An event is acknowledged in the commit of the entity it told; at least once on the queue,
// once in the entity (repeats of an event id are dropped there). A second queue brings timers and messages that were
// dead letters and are to be tried once more (dead_letters.hpp).
#pragma once

#include <memory>
#include <string>

#include <caf/actor.hpp>

#include "broker/endpoint.hpp"
#include "runtime/entity_hosts.hpp"

namespace switchboard::runtime {

/// "call" -> "switchboard.call.subscribe"
std::string subscription_queue(const std::string& type);

/// Knows consumer_actor's messages and take_types: what the type subscribes to may have changed. `gate` is of its
/// subscription queue (subscription_gate.hpp), the same for one subscriber after the other.
caf::actor spawn_subscriber(entity_hosts& hosts, const served_type& type, std::shared_ptr<broker::message_gate> gate);

} // namespace switchboard::runtime
