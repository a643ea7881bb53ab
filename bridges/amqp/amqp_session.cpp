// The connection: socket, frames, login, heartbeats, credit. What channels do is in amqp_channel.cpp.
#include "bridges/amqp/amqp_session.hpp"

#include <array>
#include <span>

#include <boost/asio/write.hpp>
#include <caf/send.hpp>

#include "bridges/amqp/amqp_codec_sasl.hpp"
#include "runtime/log.hpp"

namespace switchboard::amqp {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

/// Read by all sessions of a thread in turn. Room for what was left of a frame plus one generous read.
constexpr std::size_t read_buffer_size = 512 * 1024;
std::string& read_buffer() {
  thread_local std::string buffer(read_buffer_size, '\0');
  return buffer;
}

/// Read at once while an alarm is raised: enough for a publish, behind which everything waits, with its client.
constexpr std::size_t alarm_read_size = 4096;

/// Pieces that one write takes: asio's own bound.
constexpr std::size_t pieces_max = 64;

/// Frames before tune-ok: nobody has logged in yet (RabbitMQ 4's initial_frame_max; 3.10 has 4096, too small for a
/// JWT).
constexpr std::uint32_t initial_frame_max = 8192;

/// Between a tune-ok that won't do and the reset.
constexpr auto refusal_delay = 100ms;

/// How long a client that closed its connection may take to close its socket; less if heartbeats are more frequent
/// (RabbitMQ's CLOSING_TIMEOUT).
constexpr std::uint16_t closing_max_s = 30;

field_table server_properties() {
  field_table capabilities;
  for (const char* name : {"publisher_confirms", "exchange_exchange_bindings", "basic.nack", "consumer_cancel_notify",
                           "connection.blocked", "consumer_priorities", "authentication_failure_close",
                           "per_consumer_qos", "direct_reply_to"})
    capabilities.set(name, true);
  field_table properties;
  properties.set("capabilities", std::move(capabilities));
  properties.set("cluster_name", "switchboard");
  properties.set("information", "Speaks AMQP 0-9-1 as RabbitMQ 3.10.8 does");
  properties.set("platform", "Switchboard (C++20, CAF)");
  // Client libraries switch features by these two: kombu, and so Celery, changes the prefetch of running consumers only
  // if the product is RabbitMQ from 3.3 on; AnyEvent::RabbitMQ rejects and amqplib passes its own tests only then.
  properties.set("product", "RabbitMQ");
  properties.set("version", "3.10.8");
  return properties;
}

bool publishes(const frame_result& frame) {
  return frame.kind() == frame_type::method && method_id_of(frame.payload) == basic_publish::id;
}

std::string reason_of(const std::exception_ptr& what) {
  try {
    std::rethrow_exception(what);
  } catch (const std::exception& problem) {
    return problem.what();
  } catch (...) {
    return "unknown";
  }
}

/// Unsent bytes at which a client of direct replies is cut off, as a multiple of those at which it is no longer read.
constexpr std::size_t unread_replies_max = 4;

/// How long the look at unacknowledged deliveries may be late: RabbitMQ looks once a minute.
constexpr auto ack_watch_max = 60s;

} // namespace

session::session(caf::actor_config& config, caf::execution_unit* home, runtime::node_context& node, const options& how,
                 asio::ip::tcp::socket socket, std::uint64_t number, std::shared_ptr<const tls_context> tls)
    : broker::pinned_actor(config, home), node_(node), broker_(node.broker), how_(how), socket_(std::move(socket)),
      timer_(socket_.get_executor()), ack_timer_(socket_.get_executor()), owner_("amqp/" + std::to_string(number)),
      frame_max_(std::min(how.frame_max_bytes, initial_frame_max)), channel_max_(how.channel_max),
      publisher_(node.broker),
      card_(node.directory.enter("/amqp/sessions/" + std::to_string(number), "amqp_session", node.clock.now())),
      published_total_(node.metrics.amqp_published.Add({})), delivered_total_(node.metrics.amqp_delivered.Add({})),
      connections_(node.metrics.connections.Add({{"bridge", "amqp"}})) {
  connections_.Increment();
  // What should not happen ends this connection, not its socket's owner alone.
  set_exception_handler([this](std::exception_ptr& what) -> caf::error {
    runtime::log::failure("amqp_session_failed", {{"peer", peer_}, {"reason", reason_of(what)}});
    end();
    return {};
  });
  boost::system::error_code ignored;
  socket_.non_blocking(true, ignored);
  socket_.set_option(asio::ip::tcp::no_delay{true}, ignored);
  if (auto remote = socket_.remote_endpoint(ignored); !ignored) {
    loopback_peer_ = remote.address().is_loopback();
    facts_.peer_host = remote.address().to_string();
    facts_.peer_port = remote.port();
    peer_ = facts_.peer_host + ":" + std::to_string(facts_.peer_port);
  }
  if (auto local = socket_.local_endpoint(ignored); !ignored) {
    facts_.host = local.address().to_string();
    facts_.port = local.port();
  }
  facts_.name = peer_ + " -> " + facts_.host + ":" + std::to_string(facts_.port);
  facts_.protocol = "AMQP 0-9-1";
  facts_.tls = tls != nullptr;
  if (tls)
    tls_ = std::make_unique<tls_stream>(std::move(tls));
}

session::~session() { connections_.Decrement(); }

caf::behavior session::make_behavior() {
  arm_handshake();
  await_readable();
  return {
      [this](broker::deliver& what) {
        if (auto found = consumers_.find(what.key); found != consumers_.end()) {
          auto& to = *found->second;
          if (auto at = channels_.find(to.channel); at != channels_.end())
            at->second->on_deliver(to, what.first, what.items);
          wrote();
        }
      },
      [this](const broker::enqueued& what) {
        if (!what.refused.empty())
          confirms_.refuse(what.token, what.refused);
        confirms_.step(what.token);
        finish_confirms();
      },
      [this](const batch_stored& what) {
        confirms_.step(what.token);
        finish_confirms();
      },
      [this](const broker::direct_reply& what) {
        if (auto found = consumers_.find(what.key); found != consumers_.end()) {
          if (auto at = channels_.find(found->second->channel); at != channels_.end())
            at->second->on_direct_reply(*found->second, what.messages);
          // No credit holds replies back: who asks and does not read the answers is let go.
          if (unsent() > unread_replies_max * how_.unsent_bytes_max)
            fail(reply_code::resource_error, "too many replies that are not read");
          wrote();
        }
      },
      [this](const broker::consumer_cancelled& what) {
        if (auto found = consumers_.find(what.key); found != consumers_.end()) {
          if (auto at = channels_.find(found->second->channel); at != channels_.end())
            at->second->on_consumer_cancelled(*found->second);
          wrote();
        }
      },
      [this](stop_session how) {
        if (how.at_once)
          return end();
        if (phase_ == phase::running)
          fail(reply_code::connection_forced, "broker forced connection closure with reason 'shutdown'");
        else if (phase_ != phase::closing || close_answered_) {
          flush_out();
          end();
        }
        wrote();
      },
      [this](const runtime::close_connection& what) {
        if (phase_ == phase::running)
          fail(reply_code::connection_forced, what.reason);
        wrote();
      },
      [this](runtime::alarms_changed) {
        if (blocked_ && !node_.alarms->raised().any())
          unblock();
      },
      [this](const runtime::describe_connection&) { return report(); },
      [this](session_over) { quit(); },
  };
}

// -- socket ---------------------------------------------------------------------------------------------------------

bool session::may_read() const {
  if (phase_ == phase::closed || busy_ > 0 || blocked_ || clogged())
    return false;
  return confirms_.bytes() < how_.publish_bytes_max;
}

void session::await_readable() {
  if (reading_ || !may_read())
    return;
  reading_ = true;
  socket_.async_wait(asio::ip::tcp::socket::wait_read, [this, alive = self()](boost::system::error_code error) {
    reading_ = false;
    if (error)
      return read_failed();
    on_readable();
  });
}

/// While an alarm is raised a connection is served until it publishes. That frame waits and what is behind it; the
/// client is told if it can be (RabbitMQ, "Blocked Connection Notifications"; like there, who doesn't publish is
/// neither told nor held up).
void session::block() {
  blocked_ = true;
  if (blocked_notify_)
    append_method(out(), 0, connection_blocked{broker::blocked_reason(node_.alarms->known())});
  // The alarm may be over by now, and all have been told before we waited for it.
  send(this, runtime::alarms_changed{});
}

void session::unblock() {
  blocked_ = false;
  if (blocked_notify_ && phase_ == phase::running)
    append_method(out(), 0, connection_unblocked{});
  resume();
}

void session::on_readable() {
  if (!may_read())
    return;
  auto& buffer = read_buffer();
  if (left_.size() + frame_max_ + frame_overhead > buffer.size())
    buffer.resize(left_.size() + frame_max_ + frame_overhead);
  std::copy(left_.begin(), left_.end(), buffer.begin());
  boost::system::error_code error;
  // What will have to wait is better left to the client: a little then, or what is left of a frame.
  const auto frame_most = left_.empty() ? alarm_read_size : frame_max_ + frame_overhead;
  const auto most = node_.alarms->raised().any() ? frame_most : buffer.size();
  const auto got = socket_.read_some(asio::buffer(buffer.data() + left_.size(), most - left_.size()), error);
  if (error == asio::error::would_block)
    return await_readable();
  if (error)
    return read_failed();
  read_since_tick_ = true;
  if (listed_)
    listed_->received_bytes.fetch_add(got, std::memory_order_relaxed);
  const auto size = left_.size() + got;
  if (tls_) {
    // What came is behind what is left, in the buffer that everybody shares: decrypt first.
    if (!decrypt({buffer.data() + left_.size(), got}))
      return end();
    const auto bytes = std::exchange(left_, {});
    return process(bytes);
  }
  left_.clear();
  process({buffer.data(), size});
}

/// Puts what the client sent behind what is left. False if the connection is over.
bool session::decrypt(std::string_view bytes) {
  const bool open = tls_->receive(bytes, left_, tls_out_);
  if (!open)
    runtime::log::info("amqp_tls_over", {{"peer", peer_}});
  if (!open || !tls_out_.empty())
    flush_out();
  return open && phase_ != phase::closed;
}

/// Goes on where reading stopped: with what is left, then with the socket.
void session::resume() {
  if (processing_ || phase_ == phase::closed)
    return;
  if (!left_.empty() && busy_ == 0 && !clogged()) {
    const auto bytes = std::exchange(left_, {});
    process(bytes);
  } else {
    wrote();
    await_readable();
  }
}

void session::process(std::string_view bytes) {
  processing_ = true;
  if (access_)
    access_->refresh();
  publisher_.begin(); // what was declared or unbound before these bytes counts for them
  const bool alarm = node_.alarms->raised().any();
  std::size_t at = 0;
  if (phase_ == phase::header)
    at = process_header(bytes);
  while (phase_ != phase::header && phase_ != phase::closed && busy_ == 0 && !clogged()) {
    const auto rest = bytes.substr(at);
    const auto frame = parse_frame(rest, frame_max_);
    if (frame.state == frame_state::need_more)
      break;
    if (frame.failed()) {
      fail(reply_code::frame_error, frame_error_text(frame, rest, frame_max_));
      if (frame.stream_lost()) {
        at = bytes.size(); // what comes until the client's close-ok, or until it is not waited for, is looked at afresh
        break;
      }
    } else if (alarm && phase_ == phase::running && publishes(frame)) {
      block();
      break;
    } else {
      on_frame(frame);
    }
    at += frame.size;
  }
  left_.assign(bytes.substr(std::min(at, bytes.size())));
  if (left_.empty() && left_.capacity() > 4096)
    left_.shrink_to_fit();
  processing_ = false;
  end_of_read();
}

void session::end_of_read() {
  flush_publishes();
  flush_settles();
  wrote();
  await_readable();
}

std::size_t session::process_header(std::string_view bytes) {
  switch (parse_protocol_header(bytes)) {
  case protocol_version::need_more:
    return 0;
  case protocol_version::refused:
    // RabbitMQ's way: say which protocol would do, then close.
    node_.metrics.connections_refused.Add({{"bridge", "amqp"}, {"reason", "protocol"}}).Increment();
    runtime::log::info("amqp_refused", {{"peer", peer_}, {"reason", "no AMQP 0-9-1 header"}});
    out().append(protocol_header);
    phase_ = phase::closing;
    linger_then_close();
    return bytes.size();
  default:
    send_start();
    phase_ = phase::start;
    return protocol_header.size();
  }
}

/// One flush for everything that is written while the loop is busy with handlers that are ready now.
void session::wrote() {
  if (flush_posted_ || writing_ || (out_.empty() && tls_out_.empty()) || phase_ == phase::closed)
    return;
  flush_posted_ = true;
  asio::post(socket_.get_executor(), [this, alive = self()] {
    flush_posted_ = false;
    flush_out();
  });
}

void session::flush_out() {
  if (writing_ || phase_ == phase::closed)
    return;
  const bool was_clogged = clogged();
  for (;;) {
    if (flying_.empty()) {
      if (tls_)
        encrypt();
      else
        std::swap(flying_, out_);
      if (flying_.empty()) {
        if (lingering_ && tls_ && tls_->close(flying_.frames()))
          continue;
        if (lingering_)
          shut_sending();
        break;
      }
    }
    boost::system::error_code error;
    const auto put = write_some(error);
    flying_.drop(put, read_buffer_size);
    if (listed_)
      listed_->sent_bytes.fetch_add(put, std::memory_order_relaxed);
    wrote_since_tick_ |= put > 0;
    if (error == asio::error::would_block) {
      await_writable();
      break;
    }
    if (error)
      return read_failed();
  }
  if (unsent() < how_.outbox_bytes_max)
    grant_back();
  if (was_clogged && !clogged())
    resume();
}

std::size_t session::write_some(boost::system::error_code& error) {
  std::array<std::string_view, pieces_max> pieces;
  std::array<asio::const_buffer, pieces_max> buffers;
  const auto count = flying_.peek(pieces);
  for (std::size_t i = 0; i < count; ++i)
    buffers[i] = asio::buffer(pieces[i]);
  return socket_.write_some(std::span{buffers.data(), count}, error);
}

/// What is to be written, encrypted, behind what TLS itself has to say.
void session::encrypt() {
  std::swap(flying_.frames(), tls_out_);
  std::array<std::string_view, pieces_max> pieces;
  while (!out_.empty()) {
    std::size_t size = 0;
    for (std::size_t i = 0, count = out_.peek(pieces); i < count; ++i) {
      tls_->send(pieces[i], flying_.frames());
      size += pieces[i].size();
    }
    out_.drop(size, read_buffer_size);
  }
}

void session::await_writable() {
  writing_ = true;
  socket_.async_wait(asio::ip::tcp::socket::wait_write, [this, alive = self()](boost::system::error_code error) {
    writing_ = false;
    if (error)
      return read_failed();
    flush_out();
  });
}

void session::read_failed() { end(); }

void session::end() {
  if (phase_ == phase::closed)
    return;
  // What the client has said counts, however it went; and acks come before the consumers they belong to go.
  flush_publishes();
  flush_settles();
  close_socket();
  release_channels();
  channels_.clear();
  to_grant_.clear();
  consumers_.clear();
  listed_.reset(); // it holds this actor
  send(broker_->topology(), broker::owner_gone{owner_});
  caf::anon_send(caf::actor_cast<caf::actor>(self()), session_over{});
}

/// Ends without a word, so that the peer sees a reset and not an end of file: RabbitMQ's way with who may not even be
/// told why.
void session::cut() {
  boost::system::error_code ignored;
  socket_.set_option(asio::socket_base::linger{true, 0}, ignored);
  end();
}

/// As cut(), but a client that says two things at once can say the second: a reset between them would be a failed write
/// to it and not an answer. RabbitMQ takes 3 s.
void session::cut_soon() {
  phase_ = phase::closing; // nothing more is heard
  timer_.expires_after(refusal_delay);
  timer_.async_wait([this, alive = self()](boost::system::error_code error) {
    if (!error)
      cut();
  });
}

void session::close_socket() {
  phase_ = phase::closed;
  boost::system::error_code ignored;
  timer_.cancel();
  ack_timer_.cancel();
  socket_.close(ignored);
}

/// After the last word: what the client still sends is thrown away, so that it reads our close and not a reset.
void session::linger_then_close() {
  lingering_ = true;
  flush_out();
  timer_.expires_after(1s);
  timer_.async_wait([this, alive = self()](boost::system::error_code) { end(); });
}

void session::shut_sending() {
  boost::system::error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
}

// -- frames ---------------------------------------------------------------------------------------------------------

void session::on_frame(const frame_result& frame) {
  if (frame.kind() == frame_type::heartbeat) {
    if (frame.channel != 0)
      fail(reply_code::unexpected_frame, unexpected_frame_text(frame.type, frame.payload));
    return;
  }
  if (frame.channel == 0) {
    if (frame.kind() == frame_type::method)
      on_connection_method(frame.payload);
    else if (phase_ != phase::closing)
      fail(reply_code::unexpected_frame, unexpected_frame_text(frame.type, frame.payload));
    return;
  }
  if (phase_ == phase::closing)
    return;
  if (phase_ == phase::open)
    return fail(reply_code::unexpected_frame, unexpected_frame_text(frame.type, frame.payload));
  if (phase_ != phase::running)
    return cut("a frame on a channel before the login");
  auto found = channels_.find(frame.channel);
  if (found == channels_.end()) {
    const auto id = frame.kind() == frame_type::method ? method_id_of(frame.payload) : method_id{};
    if (id != channel_open::id)
      return fail(reply_code::channel_error, "expected 'channel.open'", id);
    if (channel_open what; !decode_as(frame.payload, what))
      return fail(reply_code::frame_error, undecodable_text(frame.payload), id);
    return open_channel(frame.channel, id);
  }
  switch (frame.kind()) {
  case frame_type::method:
    return found->second->on_method(frame.payload);
  case frame_type::header:
    return found->second->on_header(frame.payload);
  case frame_type::body:
    return found->second->on_body(frame.payload);
  case frame_type::heartbeat:
    return;
  }
}

void session::open_channel(std::uint16_t number, method_id fault) {
  if (channels_.size() >= channel_max_) // how many, whatever their numbers (RabbitMQ)
    return fail(reply_code::not_allowed,
                "number of channels opened (" + std::to_string(channels_.size()) +
                    ") has reached the negotiated channel_max (" + std::to_string(channel_max_) + ")",
                fault);
  if (const auto most = channels_max(); most && node_.connections.channels_of(user_) >= *most)
    return fail(reply_code::not_allowed,
                "number of channels opened for user '" + user_ + "' has reached the maximum allowed user limit of (" +
                    std::to_string(*most) + ")",
                fault);
  channels_.emplace(number, std::make_unique<channel>(*this, number));
  listed_->channels.store(static_cast<std::uint32_t>(channels_.size()), std::memory_order_relaxed);
  append_method(out(), number, channel_open_ok{});
}

/// The user's, if there is one.
std::optional<std::uint64_t> session::channels_max() const {
  const auto rules = node_.vhosts->access().rules();
  const auto* who = rules->find_user(user_);
  const auto limit = who ? broker::limit_of(who->limits, "max-channels") : std::nullopt;
  return limit ? std::optional{static_cast<std::uint64_t>(*limit)} : std::nullopt;
}

std::optional<std::uint64_t> session::queues_max() const {
  const auto* settings = access_->rules().find_vhost(vhost());
  const auto limit = settings ? broker::limit_of(settings->limits, "max-queues") : std::nullopt;
  return limit ? std::optional{static_cast<std::uint64_t>(*limit)} : std::nullopt;
}

void session::on_connection_method(std::string_view payload) {
  const auto id = method_id_of(payload);
  if (phase_ == phase::closing) {
    if (id == connection_close_ok::id)
      end();
    else if (id == connection_close::id) // both sides at once, or the client twice
      append_method(out(), 0, connection_close_ok{});
    return;
  }
  auto decoded = decode_method(payload);
  if (!decoded) {
    if (decoded.error().code == errc::bad_format)
      return fail(reply_code::frame_error, decoded.error().what, id);
    return refuse_method(id);
  }
  if (const auto* what = std::get_if<connection_start_ok>(&*decoded); what && phase_ == phase::start)
    return on_start_ok(*what);
  if (const auto* what = std::get_if<connection_tune_ok>(&*decoded); what && phase_ == phase::tune)
    return on_tune_ok(*what);
  if (const auto* what = std::get_if<connection_open>(&*decoded); what && phase_ == phase::open)
    return on_open(*what);
  if (const auto* what = std::get_if<connection_close>(&*decoded))
    return on_close(*what);
  if (phase_ == phase::running && std::holds_alternative<connection_update_secret>(*decoded))
    return append_method(out(), 0, connection_update_secret_ok{}); // PLAIN secrets don't expire: nothing to renew
  if (phase_ == phase::running)
    return fail(reply_code::channel_error, "unexpected method in connection state running", id);
  if (phase_ == phase::open)
    return fail(reply_code::channel_error, "unexpected method in connection state opening", id);
  cut("a method out of turn before the login");
}

/// Without a word, as RabbitMQ does it: who has not logged in is not told what would do.
void session::cut(std::string_view reason) {
  node_.metrics.connections_refused.Add({{"bridge", "amqp"}, {"reason", "protocol"}}).Increment();
  runtime::log::info("amqp_refused", {{"peer", peer_}, {"reason", reason}});
  end();
}

/// What class or method that would be nobody knows: the stream makes no sense (RabbitMQ).
void session::refuse_method(method_id id) {
  runtime::log::info("amqp_unknown_method", {{"peer", peer_}, {"class", id.class_id}, {"method", id.number}});
  cut();
}

void session::send_start() {
  std::string properties;
  encode_fields(server_properties(), properties);
  connection_start start;
  start.server_properties = properties;
  start.mechanisms = tls_ && tls_->asks_for_certificates() ? sasl_mechanisms_external : sasl_mechanisms;
  start.locales = "en_US";
  append_method(out(), 0, start);
}

void session::on_start_ok(const connection_start_ok& what) {
  auto properties = decode_fields(what.client_properties);
  if (!properties)
    return fail(reply_code::syntax_error, properties.error().what, connection_start_ok::id);
  if (const auto* found = properties->find("capabilities"))
    if (const auto* capabilities = std::get_if<field_table>(&found->value)) {
      const auto has = [&](std::string_view name) {
        const auto* value = capabilities->find(name);
        return value && value->as_bool() && *value->as_bool();
      };
      close_notify_ = has("authentication_failure_close");
      cancel_notify_ = has("consumer_cancel_notify");
      blocked_notify_ = has("connection.blocked");
    }
  facts_.client_properties = *std::move(properties);
  if (what.mechanism == "EXTERNAL" && tls_ && tls_->asks_for_certificates())
    return login_by_certificate();
  const auto given = parse_credentials(what.mechanism, what.response);
  if (!given && given.error().code == errc::not_implemented) {
    runtime::log::info("amqp_refused", {{"peer", peer_}, {"reason", "unknown mechanism"}});
    return cut();
  }
  // The client gets one answer for all that may be wrong; the log says which.
  if (!given)
    return refuse_login(what.mechanism, "", given.error().what);
  if (!loopback_peer_ && given->user == how_.loopback_user)
    return refuse_login(what.mechanism, given->user, "this user logs in from loopback only");
  const auto rules = node_.vhosts->access().rules();
  if (!rules->find_user(given->user)) // and unnamed: it may be a password in the wrong field
    return refuse_login(what.mechanism, "", "no such user");
  if (!rules->authenticate(given->user, given->password))
    return refuse_login(what.mechanism, given->user, "wrong password");
  logged_in(given->user, what.mechanism);
}

/// SASL EXTERNAL (RFC 4422, appendix A): the certificate says who it is; it must be a user of ours.
void session::login_by_certificate() {
  const auto name = tls_->certificate_user();
  if (name.empty() || !node_.vhosts->access().rules()->find_user(name))
    return refuse_login("EXTERNAL", name, "no such user");
  logged_in(name, "EXTERNAL");
}

void session::logged_in(std::string user, std::string_view mechanism) {
  user_ = std::move(user);
  facts_.mechanism = mechanism;
  append_method(out(), 0, connection_tune{how_.channel_max, how_.frame_max_bytes, how_.heartbeat_s});
  phase_ = phase::tune;
}

void session::refuse_login(std::string_view mechanism, std::string_view user, std::string_view reason) {
  node_.metrics.connections_refused.Add({{"bridge", "amqp"}, {"reason", "login"}}).Increment();
  runtime::log::warning("amqp_login_refused",
                        {{"peer", peer_}, {"mechanism", mechanism}, {"user", user.substr(0, 255)}, {"reason", reason}});
  if (!close_notify_)
    return cut();
  append_connection_close(out(), reply_code::access_refused,
                          "Login was refused using authentication mechanism " + std::string{mechanism} +
                              ". For details see the broker logfile.");
  phase_ = phase::closing;
  linger_then_close();
}

void session::on_tune_ok(const connection_tune_ok& what) {
  // Zero means "no limit", which is higher than our limit; RabbitMQ drops the connection in all these cases.
  if (what.frame_max < frame_min_size || what.frame_max > how_.frame_max_bytes || what.channel_max == 0 ||
      what.channel_max > how_.channel_max) {
    runtime::log::warning("amqp_tune_refused",
                          {{"peer", peer_}, {"frame_max", what.frame_max}, {"channel_max", what.channel_max}});
    return cut_soon();
  }
  frame_max_ = what.frame_max;
  channel_max_ = what.channel_max;
  heartbeat_s_ = what.heartbeat;
  phase_ = phase::open;
}

void session::on_open(const connection_open& what) {
  facts_.vhost = what.virtual_host;
  auto chosen = node_.vhosts->find(facts_.vhost);
  if (!chosen)
    return fail(reply_code::not_allowed, "vhost " + facts_.vhost + " not found", connection_open::id);
  if (!node_.vhosts->access().rules()->may_enter(user_, facts_.vhost))
    return fail(reply_code::not_allowed, "access to vhost '" + facts_.vhost + "' refused for user '" + user_ + "'",
                connection_open::id);
  if (!enter_list())
    return;
  broker_ = std::move(chosen);
  publisher_ = broker::publisher{broker_};
  publisher_.begin();
  access_.emplace(node_.vhosts->access(), user_, facts_.vhost);
  access_->refresh();
  phase_ = phase::running;
  append_method(out(), 0, connection_open_ok{});
  timer_.cancel();
  arm_heartbeat();
}

/// False, and the client is told, if a limit of its vhost or user is reached.
bool session::enter_list() {
  facts_.user = user_;
  facts_.channel_max = channel_max_;
  facts_.frame_max_bytes = frame_max_;
  facts_.heartbeat_s = heartbeat_s_;
  facts_.connected = node_.clock.now();
  const auto rules = node_.vhosts->access().rules();
  const auto* vhost = rules->find_vhost(facts_.vhost);
  const auto* who = rules->find_user(user_);
  runtime::connections::bounds most;
  most.vhost = vhost ? broker::limit_of(vhost->limits, "max-connections") : std::nullopt;
  most.user = who ? broker::limit_of(who->limits, "max-connections") : std::nullopt;
  auto why = runtime::connections::refusal::none;
  listed_ = node_.connections.enter(facts_, caf::actor_cast<caf::actor>(self()), most, why);
  if (why == runtime::connections::refusal::vhost_limit)
    fail(reply_code::not_allowed,
         "access to vhost '" + facts_.vhost + "' refused for user '" + user_ + "': connection limit (" +
             std::to_string(*most.vhost) + ") is reached",
         connection_open::id);
  else if (why == runtime::connections::refusal::user_limit)
    fail(reply_code::not_allowed,
         "connection refused for user '" + user_ + "': user connection limit (" + std::to_string(*most.user) +
             ") is reached",
         connection_open::id);
  return listed_ != nullptr;
}

runtime::connection_report session::report() const {
  runtime::connection_report all;
  for (const auto& [number, at] : channels_)
    all.channels.push_back(at->report());
  return all;
}

void session::on_close(const connection_close&) {
  flush_publishes();
  flush_settles();
  // Its exclusive queues are free as soon as it reads close-ok: what anybody asks topology after that comes behind
  // this.
  release_channels();
  send(broker_->topology(), broker::owner_gone{owner_});
  append_method(out(), 0, connection_close_ok{});
  phase_ = phase::closing;
  close_answered_ = true;
  // The socket is the client's to close, as with RabbitMQ: threads of it that close too must not read an end of file.
  timer_.expires_after(std::chrono::seconds{heartbeat_s_ == 0 ? closing_max_s : std::min(heartbeat_s_, closing_max_s)});
  timer_.async_wait([this, alive = self()](boost::system::error_code error) {
    if (!error)
      end();
  });
  wrote();
}

void session::fail(reply_code code, std::string_view explanation, method_id fault) {
  if (phase_ == phase::closing || phase_ == phase::closed)
    return;
  flush_publishes();
  flush_settles();
  runtime::log::warning("amqp_connection_error", {{"peer", peer_}, {"text", reply_text(code, explanation)}});
  append_connection_close(out(), code, explanation, fault);
  phase_ = phase::closing;
  release_channels();
  // A client that never answers is not waited for.
  timer_.expires_after(5s);
  timer_.async_wait([this, alive = self()](boost::system::error_code error) {
    if (!error)
      end();
  });
  wrote();
  if (std::exchange(blocked_, false))
    resume(); // what it still sends is read, up to its close-ok
}

// -- timers ---------------------------------------------------------------------------------------------------------

void session::arm_handshake() {
  timer_.expires_after(how_.handshake);
  timer_.async_wait([this, alive = self()](boost::system::error_code error) {
    if (error || phase_ == phase::running)
      return;
    runtime::log::warning("amqp_handshake_timeout", {{"peer", peer_}});
    end();
  });
}

void session::arm_heartbeat() {
  if (heartbeat_s_ == 0)
    return;
  timer_.expires_after(std::chrono::milliseconds{heartbeat_s_ * 500});
  timer_.async_wait([this, alive = self()](boost::system::error_code error) {
    if (!error && phase_ == phase::running)
      on_heartbeat_tick();
  });
}

/// Every half interval: say something, and give up a peer that was silent for two whole intervals.
void session::on_heartbeat_tick() {
  append_heartbeat(out());
  wrote();
  // While we don't read, by credit or alarm, the client's heartbeats wait in the socket: that is not its silence.
  // But one that takes none of our bytes either is gone.
  const bool took = std::exchange(wrote_since_tick_, false);
  const bool deaf = !may_read() && (took || !clogged());
  quiet_ticks_ = std::exchange(read_since_tick_, false) || deaf ? 0 : quiet_ticks_ + 1;
  if (quiet_ticks_ > 4) {
    runtime::log::warning("amqp_heartbeat_missed", {{"peer", peer_}, {"interval_s", heartbeat_s_}});
    return cut();
  }
  arm_heartbeat();
}

void session::arm_ack_watch() {
  watching_acks_ = true;
  ack_timer_.expires_after(std::min<std::chrono::milliseconds>(how_.consumer_timeout / 4, ack_watch_max));
  ack_timer_.async_wait([this, alive = self()](boost::system::error_code error) {
    watching_acks_ = false;
    if (error || phase_ != phase::running)
      return;
    const auto now = std::chrono::steady_clock::now();
    bool any = false;
    for (auto& [number, at] : channels_)
      any = at->check_acks(now) || any;
    if (any)
      watch_acks();
    wrote();
  });
}

// -- publishing and acknowledging -----------------------------------------------------------------------------------

void session::note_publish(std::uint16_t number) {
  ++published_;
  const auto ordinal = ordinal_++;
  auto& from = *channels_.at(number);
  if (from.transactional() && (runs_.empty() || runs_.back().channel != number))
    runs_.push_back({ordinal, number, 0});
  if (!from.confirming())
    return;
  if (marks_.empty() || marks_.back().channel != number || marks_.back().commit)
    marks_.push_back({number, 0, {}, false});
  marks_.back().up_to = from.publish_number();
  if (runs_.empty() || runs_.back().channel != number ||
      runs_.back().number + (ordinal - runs_.back().ordinal) != from.publish_number())
    runs_.push_back({ordinal, number, from.publish_number()});
}

void session::confirm_earlier(std::uint16_t number) {
  if (!publisher_.empty() || !confirms_.empty())
    return;
  auto& of = *channels_.at(number);
  if (const auto count = of.confirm_up_to(of.publish_number()); count > 0)
    append_ack(out(), number, of.publish_number(), count > 1);
}

void session::note_commit(std::uint16_t number) { marks_.push_back({number, 0, {}, true}); }

void session::flush_publishes() {
  if (publisher_.empty() && marks_.empty())
    return;
  published_total_.Increment(static_cast<double>(std::exchange(published_, 0)));
  const auto token = confirms_.next_token();
  const auto sent = publisher_.flush(this, token, [handle = caf::actor_cast<caf::actor>(self()), token] {
    caf::anon_send(handle, batch_stored{token});
  });
  confirms_.open(sent.queues + (sent.durable ? 1 : 0), sent.bytes, std::exchange(marks_, {}), std::exchange(runs_, {}));
  ordinal_ = 0;
  finish_confirms();
}

void session::finish_confirms() {
  const bool was_full = confirms_.bytes() >= how_.publish_bytes_max;
  confirms_.finish([this](const confirms::mark& at) {
    auto found = channels_.find(at.channel);
    if (found == channels_.end() || found->second->closing())
      return;
    if (at.commit && at.refused.empty())
      return append_method(out(), at.channel, tx_commit_ok{});
    if (at.commit)
      return found->second->fail_commit();
    auto& to = *found->second;
    const auto ack = [&](std::uint64_t up_to) {
      if (const auto count = to.confirm_up_to(up_to); count > 0)
        append_ack(out(), at.channel, up_to, count > 1);
    };
    for (const auto refused : at.refused) {
      ack(refused - 1);
      to.confirm_up_to(refused);
      append_method(out(), at.channel, basic_nack{refused, false, false});
    }
    ack(at.up_to);
  });
  wrote();
  if (was_full && confirms_.bytes() < how_.publish_bytes_max)
    resume();
}

void session::settle(consumer& from, broker::delivery_number first, broker::delivery_number last, broker::verdict what,
                     bool more) {
  if (!settles_.empty()) {
    auto& before = settles_.back().what;
    if (before.key == from.key && before.what == what && before.last + 1 == first) {
      before.last = last;
      before.more = more;
      return;
    }
  }
  settles_.push_back({from.queue->actor, {id(), from.key, first, last, what, more}});
}

void session::flush_settles() {
  for (auto& at : settles_)
    send(at.queue, at.what);
  settles_.clear();
}

consumer& session::add_consumer(std::uint16_t channel, std::string tag, broker::queue_ptr queue, bool no_ack) {
  auto made = std::make_unique<consumer>();
  made->key = next_key_++;
  made->channel = channel;
  made->tag = std::move(tag);
  made->queue = std::move(queue);
  made->no_ack = no_ack;
  return *consumers_.emplace(made->key, std::move(made)).first->second;
}

void session::remove_consumer(consumer& gone) {
  std::erase(to_grant_, &gone);
  consumers_.erase(gone.key);
}

void session::forget(std::vector<consumer*> all) {
  std::stable_sort(all.begin(), all.end(), [](const consumer* left, const consumer* right) {
    return left->queue == right->queue ? left->tag < right->tag : std::less<>{}(left->queue.get(), right->queue.get());
  });
  for (auto at = all.begin(); at != all.end(); ++at) {
    const auto& gone = **at;
    if (!gone.reply_name.empty())
      broker_->replies().remove(gone.reply_name);
    const bool more = at + 1 != all.end() && (*(at + 1))->queue == gone.queue;
    if (gone.queue)
      send(gone.queue->actor, broker::release_consumer{caf::actor_cast<caf::actor>(self()), gone.key, more});
  }
  for (auto* gone : all)
    remove_consumer(*gone);
}

void session::release_channels() {
  std::vector<consumer*> all;
  for (auto& [number, at] : channels_) {
    const auto some = at->release();
    all.insert(all.end(), some.begin(), some.end());
  }
  forget(std::move(all));
}

void session::passed_on(consumer& to, std::size_t messages, std::size_t bytes) {
  delivered_total_.Increment(static_cast<double>(messages));
  if (to.granted_messages == 0)
    to_grant_.push_back(&to);
  to.granted_messages += messages;
  to.granted_bytes += bytes;
}

void session::grant_back() {
  for (auto* to : to_grant_) {
    send(to->queue->actor, broker::grant{id(), to->key, to->granted_messages, to->granted_bytes});
    to->granted_messages = to->granted_bytes = 0;
  }
  to_grant_.clear();
}

void session::drop_channel(std::uint16_t number) {
  confirms_.forget(number);
  std::erase_if(marks_, [&](const confirms::mark& at) { return at.channel == number; });
  channels_.erase(number);
  if (listed_)
    listed_->channels.store(static_cast<std::uint32_t>(channels_.size()), std::memory_order_relaxed);
}

bool session::claim_body(std::uint64_t bytes) {
  if (assembling_ > 0 && assembling_ + bytes > how_.assembly_bytes_max)
    return false;
  assembling_ += bytes;
  return true;
}

} // namespace switchboard::amqp
