// Hears all events of all customers, in order, from one durable queue, and copies each into the queues of the webhooks
// that want it. The copies and the end of the original are one transaction: nothing is lost or doubled in between.
//
//   call.events, … ──gate──> bin-manager.webhook.subscribe ──> sorter ──> bin-manager.webhook.<id>.delivery ──> line
//   <id>
//                                                                │ asks the webhook's entity when it has changed
//
// webhook.created and its like come in the same queue as all other events: what happens after a webhook was made finds
// it. While the sorter asks, the events behind wait.
#pragma once

#include <caf/actor.hpp>

#include "bridges/webhook/webhook_gate.hpp"
#include "bridges/webhook/webhook_line.hpp"

namespace switchboard::webhook {

/// To the sorter: takes no more events; lines finish what is under way.
struct finish_all {};
/// CAF request to it: the same, and response drained when nothing is under way.
struct await_finished {};

/// Reads all webhooks by `rpc` first. Ends its lines when it ends. Knows consumer_actor's messages. `in_front` is of
/// its queue, the same for one sorter after the other.
caf::actor spawn_sorter(const line_tools& with, caf::actor rpc, std::shared_ptr<gate> in_front);

} // namespace switchboard::webhook

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::webhook::finish_all)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::webhook::await_finished)
