// One AMQP connection: an actor pinned to an I/O thread together with its socket. Guarantee: publishes reach their
// queues in the order of the channel, and a confirm is sent only when every queue has taken the message and the log has
// synced it.
//
//   readable --> parse frames --> channel methods --> publisher batch --flush--> queues, log
//      ^                                                  |
//      |            stop reading while too much is on its way (options::publish_bytes_max)
//   writable <-- outbox <-- deliver, confirms, answers <--'
//
// All of it runs on one thread: no locks. The read buffer belongs to the thread, so an idle connection holds none.
#pragma once

#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "bridges/amqp/amqp_channel.hpp"
#include "bridges/amqp/amqp_confirms.hpp"
#include "bridges/amqp/amqp_options.hpp"
#include "bridges/amqp/amqp_outbox.hpp"
#include "bridges/amqp/amqp_tls.hpp"
#include "broker/errors.hpp"
#include "broker/pinned_actor.hpp"
#include "broker/publisher.hpp"
#include "runtime/node_context.hpp"

namespace switchboard::amqp {

/// To a session: the node drains. It tells its client 320 CONNECTION_FORCED and ends.
struct stop_session {
  bool at_once = false; ///< without waiting for the client's close-ok
};
/// From the log's thread: what batch `token` wrote is on disk.
struct batch_stored {
  std::uint64_t token = 0;
};
/// From the session to itself: the socket is gone, end.
struct session_over {};

} // namespace switchboard::amqp

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::amqp::stop_session)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::amqp::batch_stored)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::amqp::session_over)

namespace switchboard::amqp {

class session final : public broker::pinned_actor {
public:
  session(caf::actor_config& config, caf::execution_unit* home, runtime::node_context& node, const options& how,
          boost::asio::ip::tcp::socket socket, std::uint64_t number, std::shared_ptr<const tls_context> tls = {});
  ~session() override;
  caf::behavior make_behavior() override;
  label handler_label() const override { return {card_->path, card_->kind}; }

  // For the channels.
  std::string& out() noexcept { return out_.frames(); } ///< append frames here; flush follows by itself
  outbox& outgoing() noexcept { return out_; }          ///< where they stand, for large bodies
  void wrote();                                         ///< call after appending outside of a read
  std::uint32_t frame_max() const noexcept { return frame_max_; }
  const options& how() const noexcept { return how_; }
  const std::string& owner() const noexcept { return owner_; }
  const std::string& user() const noexcept { return user_; }
  runtime::node_context& node() noexcept { return node_; }
  /// Of the client's vhost.
  const broker::broker_ptr& broker() const noexcept { return broker_; }
  const std::string& vhost() const noexcept { return broker_->vhost(); }
  broker::access_view& access() noexcept { return *access_; }
  /// Most queues its vhost may hold; empty: no limit.
  std::optional<std::uint64_t> queues_max() const;
  broker::publisher& publisher() noexcept { return publisher_; }
  bool knows_cancel_notify() const noexcept { return cancel_notify_; }

  /// Ends the connection with an error close.
  void fail(reply_code code, std::string_view explanation, method_id fault = {});
  /// A class or method that nobody knows: cuts the connection.
  void refuse_method(method_id id);
  /// Hands over what has been published so far; before anything whose effect must come after it.
  void flush_publishes();
  /// After each publish that the publisher has taken.
  void note_publish(std::uint16_t channel);
  /// Confirms what that channel published before, if nothing published is still under way: a return of the next publish
  /// then follows those acks, as it does where each message goes by itself (php-amqp's suite).
  void confirm_earlier(std::uint16_t channel);
  /// What was published since the last flush ends a transaction: tx.commit-ok once all of it is where it belongs.
  void note_commit(std::uint16_t channel);
  /// Collects acks; neighbours merge, one message per range at the end of the read.
  void settle(consumer& from, broker::delivery_number first, broker::delivery_number last, broker::verdict what,
              bool more = false);
  void flush_settles();
  consumer& add_consumer(std::uint16_t channel, std::string tag, broker::queue_ptr queue, bool no_ack);
  void remove_consumer(consumer& gone);
  /// They go, and a queue hands out what comes back only once all of them are gone.
  void forget(std::vector<consumer*> all);
  consumer* find_consumer(broker::consumer_key key) noexcept {
    auto found = consumers_.find(key);
    return found == consumers_.end() ? nullptr : found->second.get();
  }
  void passed_on(consumer& to, std::size_t messages,
                 std::size_t bytes); ///< handed to the outbox: grant when it's written
  void drop_channel(std::uint16_t number);
  /// After a delivery that is to be acknowledged: from now on somebody looks whether it is.
  void watch_acks() {
    if (!watching_acks_ && how_.consumer_timeout.count() != 0)
      arm_ack_watch();
  }
  /// Room for a body that has been announced; false if too much is under way already. Give it back.
  bool claim_body(std::uint64_t bytes);
  void give_back_body(std::uint64_t bytes) noexcept { assembling_ -= bytes; }

  /// Asks an actor and continues with `then` or `failed`; no frame of this connection is read meanwhile, since a
  /// channel's methods take effect in order.
  template <class Answer, class Question, class Then, class Failed>
  void ask(const caf::actor& whom, Question question, Then then, Failed failed) {
    flush_publishes();
    flush_settles();
    ++busy_;
    request(whom, caf::infinite, std::move(question))
        .then(
            [this, then = std::move(then)](Answer& answer) mutable {
              --busy_;
              if (phase_ != phase::running)
                return; // the channel that asked is gone
              then(answer);
              resume();
            },
            [this, failed = std::move(failed)](caf::error& why) mutable {
              --busy_;
              if (phase_ != phase::running)
                return;
              failed(broker::from_caf(why));
              resume();
            });
  }

private:
  enum class phase {
    header,  ///< nothing read yet
    start,   ///< connection.start sent
    tune,    ///< connection.tune sent
    open,    ///< tune-ok seen, open to come
    running, ///< open
    closing, ///< connection.close sent or answered: only close and close-ok count
    closed,  ///< socket gone
  };

  // socket
  void await_readable();
  void on_readable();
  bool decrypt(std::string_view bytes);
  void await_writable();
  void flush_out();
  std::size_t write_some(boost::system::error_code& error);
  void encrypt();
  void read_failed();
  void close_socket();
  void linger_then_close();
  void shut_sending();
  bool may_read() const;
  std::size_t unsent() const noexcept { return out_.size() + flying_.size(); }
  bool clogged() const noexcept { return unsent() >= how_.unsent_bytes_max; }
  void resume();
  void block();
  void unblock();
  void process(std::string_view bytes);
  std::size_t process_header(std::string_view bytes);
  void end_of_read();

  // frames
  void on_frame(const frame_result& frame);
  void on_connection_method(std::string_view payload);
  void on_start_ok(const connection_start_ok& what);
  void on_tune_ok(const connection_tune_ok& what);
  void on_open(const connection_open& what);
  void on_close(const connection_close& what);
  void cut(std::string_view reason);
  void send_start();
  void login_by_certificate();
  void logged_in(std::string user, std::string_view mechanism);
  void refuse_login(std::string_view mechanism, std::string_view user, std::string_view reason);
  bool enter_list();
  std::optional<std::uint64_t> channels_max() const;
  void open_channel(std::uint16_t number, method_id fault);
  runtime::connection_report report() const;

  // timers
  void arm_handshake();
  void arm_heartbeat();
  void arm_ack_watch();
  void on_heartbeat_tick();

  // from the broker
  void finish_confirms();
  void grant_back();
  void end();
  void release_channels();
  void cut();
  void cut_soon();

  /// Keeps the actor alive while the event loop holds one of our handlers.
  auto self() { return caf::strong_actor_ptr{ctrl()}; }

  runtime::node_context& node_;
  broker::broker_ptr broker_;                        ///< of "/" until connection.open names another vhost
  std::optional<broker::access_view> access_;        ///< from connection.open on
  std::shared_ptr<runtime::connection_card> listed_; ///< from connection.open on
  runtime::connection_facts facts_;
  const options& how_;
  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer timer_;
  boost::asio::steady_timer ack_timer_;
  bool watching_acks_ = false;
  std::string owner_; ///< names this connection to the topology
  std::string peer_;
  std::string user_;
  bool loopback_peer_ = false;
  phase phase_ = phase::header;
  std::uint32_t frame_max_;
  std::uint16_t channel_max_;
  std::uint16_t heartbeat_s_ = 0;
  bool read_since_tick_ = false;
  bool wrote_since_tick_ = false;
  int quiet_ticks_ = 0;
  bool close_notify_ = false;   ///< capability authentication_failure_close
  bool cancel_notify_ = false;  ///< capability consumer_cancel_notify
  bool blocked_notify_ = false; ///< capability connection.blocked
  bool close_answered_ = false; ///< the client closed and has its close-ok: its socket is all that is left

  std::unique_ptr<tls_stream> tls_; ///< null: plain
  std::string tls_out_;             ///< of TLS itself, to be written before anything else
  std::string left_;                ///< bytes of a frame that is not complete, or not to be read yet
  outbox out_;                      ///< to be written
  outbox flying_;                   ///< being written
  bool reading_ = false;            ///< a wait for readability is pending
  bool writing_ = false;
  bool flush_posted_ = false;
  bool processing_ = false;
  bool blocked_ = false;         ///< an alarm is raised and the next frame, the first of left_, publishes
  bool lingering_ = false;       ///< close once everything is written
  int busy_ = 0;                 ///< answers we wait for before reading on
  std::uint64_t assembling_ = 0; ///< bytes of bodies announced and not complete

  std::unordered_map<std::uint16_t, std::unique_ptr<channel>> channels_;
  std::unordered_map<broker::consumer_key, std::unique_ptr<consumer>> consumers_;
  broker::consumer_key next_key_ = 1;
  std::vector<consumer*> to_grant_;

  broker::publisher publisher_;
  confirms confirms_;
  std::vector<confirms::mark> marks_; ///< of the batch being collected
  std::vector<confirms::run> runs_;   ///< the same
  std::uint32_t ordinal_ = 0;         ///< of the next publish in it, as the publisher counts
  std::uint64_t published_ = 0;
  struct pending_settle {
    caf::actor queue;
    broker::settle what;
  };
  std::vector<pending_settle> settles_;

  std::shared_ptr<runtime::actor_card> card_;
  prometheus::Counter& published_total_;
  prometheus::Counter& delivered_total_;
  prometheus::Gauge& connections_;
};

} // namespace switchboard::amqp
