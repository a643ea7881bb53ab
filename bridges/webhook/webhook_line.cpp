#include "bridges/webhook/webhook_line.hpp"

#include <caf/send.hpp>

#include "base/ids.hpp"
#include "base/random.hpp"
#include "broker/publisher.hpp"
#include "messages/json_object.hpp"
#include "messages/properties.hpp"
#include "runtime/consumer_actor.hpp"
#include "runtime/log.hpp"

namespace switchboard::webhook {

// To a line by itself, or by the courier for it.
struct attempt_over {
  std::uint64_t number = 0; ///< of the attempt
  std::optional<attempt> outcome;
};
struct try_again {
  std::uint64_t number = 0; ///< of the attempt before
};

} // namespace switchboard::webhook

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::webhook::attempt_over)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::webhook::try_again)

namespace switchboard::webhook {

namespace {

namespace log = runtime::log;

std::vector<runtime::consumed_queue> line_queues(const target& to) {
  runtime::consumed_queue queue;
  queue.name = delivery_queue(to.id);
  queue.prefetch = 1; // order
  return {queue};
}

class line final : public runtime::consumer_actor {
public:
  line(caf::actor_config& config, const line_tools& with, target_ptr to)
      : consumer_actor(config, with.node,
                       with.node.directory.enter("/webhook/lines/" + to->id, "webhook_line", with.node.clock.now()),
                       line_queues(*to)),
        with_(with), to_(std::move(to)) {}

  caf::behavior make_behavior() override {
    return caf::message_handler{
        [this](attempt_over& what) { on_over(what); },
        [this](const try_again& what) {
          if (at_work_ && what.number == number_)
            try_now();
        },
        [this](change_target& what) {
          if (what.now->url != to_->url)
            fares_ = fare::unknown; // so the entity thinks, too
          to_ = std::move(what.now);
        },
        [this](finish_line) { on_finish(); },
        [this](quit_line) { quit(); },
    }
        .or_else(consumer_handlers());
  }

protected:
  void on_delivery(delivery what) override {
    if (finishing_)
      return settle(what, broker::verdict::requeue);
    at_work_ = std::move(what);
    attempts_ = 0;
    first_error_.clear();
    const auto properties = decode_properties(at_work_->item.message->properties());
    event_id_ = properties ? properties->message_id.value_or("") : "";
    event_type_ = properties ? properties->type.value_or("") : "";
    try_now();
  }

private:
  void try_now() {
    ++attempts_;
    const auto number = ++number_;
    is_out_ = true;
    ticket_ = with_.carrier->send(
        {to_, event_id_, event_type_, std::string{at_work_->item.message->body()}, attempts_},
        [self = caf::actor_cast<caf::actor>(this), number](std::optional<attempt> outcome) {
          caf::anon_send<caf::message_priority::high>(self, attempt_over{number, std::move(outcome)});
        });
  }

  void on_over(attempt_over& what) {
    if (!at_work_ || what.number != number_)
      return;
    is_out_ = false;
    if (what.outcome && what.outcome->what == verdict::delivered)
      return on_delivered();
    if (what.outcome)
      return on_failed(*what.outcome);
    put_back();
  }

  void on_delivered() {
    node().metrics.pushed.Add({{"bridge", "webhook"}}).Increment();
    take_off(broker::verdict::ack);
    if (std::exchange(fares_, fare::well) != fare::well)
      report("delivered", json::object());
  }

  void on_failed(const attempt& outcome) {
    if (first_error_.empty())
      first_error_ = outcome.error;
    const auto wait = outcome.what == verdict::permanent
                          ? std::nullopt
                          : broker::retry_wait(with_.how.retry, attempts_, random_bits());
    const bool dead = !wait;
    if (std::exchange(fares_, fare::badly) != fare::badly || dead)
      report_failure(outcome, dead);
    if (dead)
      return give_up(outcome);
    if (finishing_)
      return put_back();
    delayed_send<caf::message_priority::high>(this, *wait, try_again{number_});
  }

  void give_up(const attempt& outcome) {
    node().metrics.dropped.Add({{"bridge", "webhook"}, {"reason", "dead_letter"}}).Increment();
    bury(take(), runtime::failure{first_error_, outcome.error, attempts_, {}, dead_letters_queue});
  }

  /// Under way: its outcome is waited for. Waiting for its turn or its next attempt: it goes back.
  void on_finish() {
    finishing_ = true;
    if (is_out_)
      with_.carrier->withdraw(ticket_);
    else if (at_work_)
      put_back();
  }

  void put_back() { take_off(broker::verdict::requeue); }
  void take_off(broker::verdict what) { settle(take(), what); }

  delivery take() {
    ++number_; // what is still on its way to us is of the past
    auto taken = std::move(*at_work_);
    at_work_.reset();
    return taken;
  }

  // -- what the webhook's entity hears ------------------------------------------------------------------------------

  void report_failure(const attempt& outcome, bool dead) {
    log::warning("webhook_failing", {{"webhook", to_->id},
                                     {"origin", to_->url.origin()},
                                     {"attempt", attempts_},
                                     {"dead", dead},
                                     {"reason", outcome.error}});
    report("delivery_failed", {{"error", outcome.error},
                               {"http_status", outcome.http_status},
                               {"transient", outcome.what == verdict::transient},
                               {"attempts", attempts_},
                               {"dead", dead},
                               {"event_id", event_id_},
                               {"event_type", event_type_}});
  }

  /// Durable; but for the first outcome of a line only what changed is told, else each delivery would cost a decision.
  void report(const char* name, const json& body) {
    auto work = std::make_shared<runtime::entity_work>();
    work->what.kind = SB_MESSAGE;
    work->what.message_id = make_uuid();
    work->what.customer_id = to_->customer_id;
    work->what.name = name;
    work->what.from_type = "webhook_bridge";
    work->what.from_id = to_->id;
    work->what.body = dump(body);
    auto changes = node().broker->log().begin();
    broker::publisher out{node().broker};
    out.begin();
    static_cast<void>(out.publish(runtime::make_work_message({"webhook", to_->id, std::move(work)}), *changes));
    node().broker->log().commit(std::move(changes),
                                [ready = std::make_shared<broker::publisher::handoff>(out.take())] { ready->send(); });
  }

  const line_tools with_;
  target_ptr to_;
  std::optional<delivery> at_work_;
  std::string event_id_;   ///< of at_work_
  std::string event_type_; ///< "
  std::string first_error_;
  unsigned attempts_ = 0;    ///< of at_work_; they begin anew after a restart
  std::uint64_t number_ = 0; ///< of the last attempt of all
  courier::ticket ticket_ = 0;
  bool is_out_ = false; ///< at the courier's
  bool finishing_ = false;
  enum class fare { unknown, well, badly } fares_ = fare::unknown;
};

} // namespace

std::string delivery_queue(const std::string& webhook_id) { return "bin-manager.webhook." + webhook_id + ".delivery"; }

caf::actor spawn_line(const line_tools& with, target_ptr to) {
  return with.node.system.spawn<line>(with, std::move(to));
}

} // namespace switchboard::webhook
