// One webhook's line: the actor that takes its deliveries from its message queue, one after the other. At least once,
// in order: a delivery that fails is tried again on the schedule while those behind it wait, and becomes a dead letter
// after the last attempt. A line that waits costs neither a thread nor a place among the deliveries under way.
//
//   queue ──> at work ──courier──> delivered: acknowledged
//                ^  └── failed: waits, tries again ──┬── the last time, or for good: dead letter
//                └───────────────────────────────────┘
#pragma once

#include <memory>
#include <string>

#include <caf/actor.hpp>
#include <caf/allowed_unsafe_message_type.hpp>

#include "bridges/webhook/webhook_courier.hpp"
#include "runtime/node_context.hpp"

namespace switchboard::webhook {

/// Where deliveries end that were given up, whatever their webhook: replayed, they go back to its queue.
inline constexpr const char* dead_letters_queue = "bin-manager.webhook.delivery.dead";

/// "bin-manager.webhook.<id>.delivery"
std::string delivery_queue(const std::string& webhook_id);

/// To a line: the webhook has changed.
struct change_target {
  target_ptr now;
};
/// To a line: what is under way is finished; what waits goes back to the queue.
struct finish_line {};

/// To a line, once it is drained: it ends.
struct quit_line {};

struct line_tools {
  runtime::node_context& node;
  std::shared_ptr<courier> carrier;
  options how;
};

/// Linked to nobody. Knows consumer_actor's messages.
caf::actor spawn_line(const line_tools& with, target_ptr to);

} // namespace switchboard::webhook

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::webhook::change_target)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::webhook::finish_line)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::webhook::quit_line)
