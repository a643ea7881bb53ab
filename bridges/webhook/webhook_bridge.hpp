// Webhooks: events delivered to customers by HTTP POST. Guarantee: at least once, in order for each webhook; what fails
// for good is a dead letter. Customers tell repeats by the event's id.
//
//   events ─> sorter ─> one durable queue for each webhook ─> line ─> courier (its own thread) ─> customer
//                                                             └─ dead letter, report to the webhook's entity
#pragma once

#include <memory>

#include <caf/actor.hpp>

#include "bridges/webhook/webhook_options.hpp"
#include "runtime/bridge.hpp"
#include "runtime/node_context.hpp"

namespace switchboard::webhook {

class courier;

class webhook_bridge final : public runtime::bridge {
public:
  webhook_bridge(runtime::node_context& node, caf::actor rpc, options how);
  ~webhook_bridge() override;

  expected<void> start() override;
  /// Attempts under way go on; what waits for another one stays in its queue.
  void drain() override;
  void stop(std::chrono::milliseconds grace) override;
  std::string address() const override { return "webhooks"; } ///< it listens nowhere

private:
  caf::actor sorter() const; ///< null: it is being started anew

  runtime::node_context& node_;
  const caf::actor rpc_;
  const options how_;
  std::shared_ptr<courier> courier_;
  caf::actor supervisor_; ///< of the sorter; null: not started, or stopped
};

} // namespace switchboard::webhook
