// The broker's durable log on the embedded store, and a view of it for those who commit more than messages: what the
// broker puts into a transaction_view stands in the same store batch as an entity's state, reply and timers.
#pragma once

#include <memory>

#include "broker/alarms.hpp"
#include "broker/durable_log.hpp"
#include "store/store.hpp"

namespace switchboard::runtime {

/// Broker changes written straight into somebody else's batch. Borrows it; the owner submits it.
class transaction_view final : public broker::durable_transaction {
public:
  explicit transaction_view(store::batch& into) noexcept : into_(into) {}
  void put_message(broker::queue_number queue, broker::position at, const message_ptr& message) override;
  void delete_message(broker::queue_number queue, broker::position at) override;
  void delete_queue_messages(broker::queue_number queue) override;
  void put_topology(std::string key, std::string bytes) override;
  void delete_topology(std::string key) override;

private:
  store::batch& into_;
};

/// Thread-safe. Keeps the store alive. It is scarce while the disk is, too.
std::shared_ptr<broker::durable_log> make_store_log(std::shared_ptr<store::environment> where,
                                                    std::shared_ptr<const broker::alarms> alarms);

} // namespace switchboard::runtime
