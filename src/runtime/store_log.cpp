#include "runtime/store_log.hpp"

#include <utility>

#include "runtime/log.hpp"

namespace switchboard::runtime {

void transaction_view::put_message(broker::queue_number queue, broker::position at, const message_ptr& message) {
  into_.put_message(queue, at, message);
}
void transaction_view::delete_message(broker::queue_number queue, broker::position at) {
  into_.delete_message(queue, at);
}
void transaction_view::delete_queue_messages(broker::queue_number queue) { into_.delete_queue_messages(queue); }
void transaction_view::put_topology(std::string key, std::string bytes) {
  into_.put_topology(std::move(key), std::move(bytes));
}
void transaction_view::delete_topology(std::string key) { into_.delete_topology(std::move(key)); }

namespace {

class store_transaction final : public broker::durable_transaction {
public:
  void put_message(broker::queue_number queue, broker::position at, const message_ptr& message) override {
    view_.put_message(queue, at, message);
  }
  void delete_message(broker::queue_number queue, broker::position at) override { view_.delete_message(queue, at); }
  void delete_queue_messages(broker::queue_number queue) override { view_.delete_queue_messages(queue); }
  void put_topology(std::string key, std::string bytes) override {
    view_.put_topology(std::move(key), std::move(bytes));
  }
  void delete_topology(std::string key) override { view_.delete_topology(std::move(key)); }

  store::batch take() { return std::exchange(batch_, {}); }

private:
  store::batch batch_;
  transaction_view view_{batch_};
};

class store_log final : public broker::durable_log {
public:
  store_log(std::shared_ptr<store::environment> where, std::shared_ptr<const broker::alarms> alarms)
      : store_(std::move(where)), alarms_(std::move(alarms)) {}

  std::unique_ptr<broker::durable_transaction> begin() override { return std::make_unique<store_transaction>(); }

  void commit(std::unique_ptr<broker::durable_transaction> what, std::function<void()> done) override {
    // Only begin() makes them, so the type is known.
    store_->submit(static_cast<store_transaction&>(*what).take(), std::move(done));
  }

  broker::position take_positions(std::uint64_t count) override { return store_->take_positions(count); }
  broker::queue_number next_queue_number() override { return store_->next_queue_number(); }

  expected<void>
  each_topology(const std::function<void(std::string_view key, std::string_view bytes)>& visit) override {
    return store_->each_topology([&](std::string_view key, std::string_view bytes) { return visit(key, bytes), true; });
  }

  expected<void> each_message(broker::queue_number queue,
                              const std::function<void(broker::position, message_ptr)>& visit) override {
    return store_->each_message(
        queue, 0, [&](store::stored_message&& found) { return visit(found.at, std::move(found.message)), true; });
  }

  expected<void> read_messages(broker::queue_number queue, broker::position from,
                               const std::function<bool(broker::position, message_ptr)>& visit) override {
    return store_->each_message(
        queue, from, [&](store::stored_message&& found) { return visit(found.at, std::move(found.message)); });
  }

  expected<void> fetch_messages(broker::queue_number queue, std::span<const broker::position> wanted,
                                const std::function<void(broker::position, message_ptr)>& visit) override {
    return store_->fetch_messages(queue, wanted, [&](store::stored_message&& found) {
      if (!found.message)
        log::failure("message_damaged", {{"queue_number", queue}, {"position", found.at}});
      visit(found.at, std::move(found.message));
    });
  }

  std::uint64_t room_for_pages() const override {
    if (alarms_->known().has(broker::alarm::disk))
      return 0;
    const auto now = store_->stats();
    const auto used = now.map_bytes_used + now.lump_bytes + now.waiting_bytes;
    return broker::room_for_pages(used, now.map_bytes_max);
  }

private:
  std::shared_ptr<store::environment> store_;
  std::shared_ptr<const broker::alarms> alarms_;
};

} // namespace

std::shared_ptr<broker::durable_log> make_store_log(std::shared_ptr<store::environment> where,
                                                    std::shared_ptr<const broker::alarms> alarms) {
  return std::make_shared<store_log>(std::move(where), std::move(alarms));
}

} // namespace switchboard::runtime
