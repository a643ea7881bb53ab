// One AMQP channel: what its methods mean, in order. Turns them into the broker's messages and the broker's answers
// into frames. Lives inside its session (amqp_session.hpp), on the session's I/O thread; never used from elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bridges/amqp/amqp_codec_content.hpp"
#include "bridges/amqp/amqp_codec_method.hpp"
#include "bridges/amqp/amqp_unacked.hpp"
#include "broker/access_control.hpp"
#include "messages/message.hpp"
#include "runtime/connections.hpp"

namespace switchboard::amqp {

class session;

/// A consumer of a channel, or the taker of its basic.gets. Owned by the session, which knows it by `key`.
struct consumer {
  broker::consumer_key key = 0;
  std::uint16_t channel = 0;
  std::string tag;         ///< empty: basic.get
  broker::queue_ptr queue; ///< null: direct reply-to
  bool no_ack = false;
  bool exclusive = false;
  bool cancelled = false;
  std::uint32_t prefetch = 0;       ///< when it began, as the client said it
  std::uint64_t out = 0;            ///< delivered and not settled
  std::string reply_name;           ///< direct reply-to: the name we made
  std::size_t granted_messages = 0; ///< passed on to the socket, not yet granted back
  std::size_t granted_bytes = 0;
};

class channel {
public:
  channel(session& owner, std::uint16_t number) : session_(owner), number_(number) {}

  void on_method(std::string_view payload);
  void on_header(std::string_view payload);
  void on_body(std::string_view payload);

  /// Messages for one of our consumers.
  void on_deliver(consumer& to, broker::delivery_number first, std::vector<broker::queued>& items);
  void on_direct_reply(consumer& to, const std::vector<message_ptr>& messages);
  void on_consumer_cancelled(consumer& gone);

  /// Closes the channel if something has been unacknowledged for too long; false if nothing is out.
  bool check_acks(std::chrono::steady_clock::time_point now);

  /// The client is being told of an error, or has asked to close: nothing but close-ok counts any more.
  bool closing() const noexcept { return closing_; }
  bool confirming() const noexcept { return publish_number_ > 0 || confirm_; }
  std::uint64_t publish_number() const noexcept { return publish_number_; }
  /// How many publishes a confirm up to `number` confirms that were not yet.
  std::uint64_t confirm_up_to(std::uint64_t number) noexcept {
    return number <= confirmed_number_ ? 0 : number - std::exchange(confirmed_number_, number);
  }
  bool transactional() const noexcept { return transaction_.has_value(); }
  /// A queue refused part of what a tx.commit published.
  void fail_commit() { fail(reply_code::precondition_failed, "partial tx completion", tx_commit::id); }
  /// Puts back what is out and forgets the consumers.
  std::vector<consumer*> release();
  runtime::channel_report report() const;

private:
  std::string named(std::string_view kind, std::string_view name) const;
  bool permit(broker::action what, std::string_view kind, std::string_view name, method_id fault);
  bool permit_topic(broker::action what, std::string_view exchange, std::string_view routing_key, method_id fault);
  void fail(reply_code code, std::string_view explanation, method_id fault);
  /// An error of the broker: its text begins with the AMQP name.
  void fail(const error& why, method_id fault);
  template <class Method>
  std::optional<Method> read(std::string_view payload);

  void on_publish(std::string_view payload);
  void finish_publish();
  void publish(const message_ptr& what, bool mandatory);
  bool check_exchange();
  void refuse_publish(bool internal);
  void settle(std::uint64_t tag, bool multiple, broker::verdict what, method_id fault);
  bool check_properties(const std::string_view properties, std::string& rewritten);
  void on_ack(std::uint64_t tag, bool multiple, broker::verdict what, method_id fault);
  void send_settled(broker::verdict what, method_id fault);
  void declare_exchange(const exchange_declare& what);
  void delete_exchange(const exchange_delete& what);
  template <class Method>
  void bind_exchange(const Method& what, bool add);
  void declare_queue(const queue_declare& what);
  template <class Method>
  void bind_queue(const Method& what, bool add, bool no_wait);
  void purge_queue(const queue_purge& what);
  void delete_queue(const queue_delete& what);
  void on_qos(const basic_qos& what);
  void consume(const basic_consume& what);
  void consume_replies(const basic_consume& what);
  void start_consumer(const basic_consume& what, broker::queue_ptr queue, std::int32_t priority,
                      const field_table& arguments);
  void cancel(const basic_cancel& what);
  void get(const basic_get& what);
  void take_one(const broker::queue_ptr& queue, bool no_ack, method_id fault);
  void select_confirm(const confirm_select& what);
  void select_transactions();
  void commit();
  void rollback(method_id fault);
  bool check_transactional(method_id fault);
  void recover(bool requeue, bool answer, method_id fault);
  void close(const channel_close& what);
  consumer* find_tag(std::string_view tag);
  void forward(consumer& to, broker::delivery_number number, const broker::queued& item);
  void deliver(const consumer& to, std::uint64_t tag, bool redelivered, const message_ptr& what);
  void forward_parked();
  /// Takes its deliveries off parked_; they were never sent.
  void unpark(consumer& gone, bool requeue);
  void give_back_body();
  bool has_room() const noexcept { return prefetch_global_ == 0 || pushed_out_ < prefetch_global_; }
  /// No consumer can have more out than the channel: what can't be sent had better stay where others find it.
  std::uint32_t queue_prefetch(const consumer& of) const noexcept;
  /// The name given, or the last declared queue for an empty one. False (and the channel fails) if there is none.
  bool resolve_queue(std::string_view given, std::string& name, method_id fault);

  session& session_;
  const std::uint16_t number_;
  bool open_ = true;
  bool closing_ = false;
  bool confirm_ = false;
  std::uint64_t publish_number_ = 0;
  std::uint64_t confirmed_number_ = 0;
  /// tx.select: publishes and acknowledgements wait for tx.commit.
  struct transaction {
    struct publish {
      message_ptr what;
      bool mandatory;
    };
    std::vector<publish> publishes;
    std::vector<broker::verdict> settles; ///< of the deliveries held under its place, from 1 (amqp_unacked.hpp)
  };
  std::optional<transaction> transaction_;
  std::uint32_t prefetch_ = 0;        ///< for consumers to come (basic.qos global=false)
  std::uint32_t prefetch_global_ = 0; ///< for the channel as a whole (global=true)
  std::string last_queue_;
  unacked unacked_;
  std::uint64_t pushed_out_ = 0;       ///< of those, delivered to consumers: prefetch doesn't count basic.get
  std::vector<settled_range> settled_; // reused
  std::unordered_map<std::string, consumer*> tags_;
  std::unordered_map<broker::queue_number, consumer*> getters_;
  std::uint64_t next_tag_ = 1; ///< for server-made consumer tags

  /// Deliveries that wait for room under prefetch_global_.
  struct parked {
    consumer* to;
    broker::delivery_number number;
    broker::queued item;
  };
  std::deque<parked> parked_;

  /// The publish being put together: method seen, header seen, body incomplete.
  enum class assembly { idle, header, body } assembly_ = assembly::idle;
  std::string exchange_;
  std::string routing_key_;
  bool mandatory_ = false;
  std::optional<message_builder> building_;
  std::uint64_t claimed_ = 0; ///< of the session's room for bodies
};

} // namespace switchboard::amqp
