#include "bridges/websocket/websocket_hub.hpp"

#include <algorithm>

#include "bridges/websocket/websocket_rules.hpp"
#include "runtime/bearer_token.hpp"
#include "runtime/log.hpp"

namespace switchboard::websocket {

namespace {

using namespace std::chrono_literals;

std::string_view label_of(close_reason why) {
  switch (why) {
  case close_reason::going_away:
    return "going_away";
  case close_reason::unknown_data:
    return "unknown_data";
  case close_reason::slow_consumer:
    return "slow_consumer";
  case close_reason::token_expired:
    return "token_expired";
  }
  return {};
}

/// Four looks per shortest interval, at most one a second.
milliseconds sweep_interval(const options& how) {
  const auto shortest = std::min({how.ping_interval, how.pong_timeout, how.write_timeout});
  return std::clamp<milliseconds>(shortest / 4, 10ms, 1000ms);
}

} // namespace

void session_count::add(int change) {
  std::lock_guard hold{mutex_};
  sessions_ += change;
  changed_.notify_all();
}

bool session_count::wait_none(milliseconds grace) {
  std::unique_lock hold{mutex_};
  return changed_.wait_for(hold, grace, [this] { return sessions_ == 0; });
}

hub::hub(runtime::node_context& node, runtime::asio_unit& home, std::shared_ptr<const options> how,
         std::shared_ptr<const runtime::jwt_verifier> tokens, std::shared_ptr<session_count> count)
    : node_(node), home_(home), how_(std::move(how)), tokens_(std::move(tokens)), count_(std::move(count)),
      connections_(node.metrics.connections.Add({{"bridge", "websocket"}})),
      pushed_(node.metrics.pushed.Add({{"bridge", "websocket"}})), timer_(home.context()) {}

// -- sessions -------------------------------------------------------------------------------------------------------

void hub::accept(runtime::upgrade what) {
  if (draining_ || node_.draining)
    return refuse(std::move(what), 503, "stopping", "the node takes no new connections");
  if (sessions_.size() >= std::max<std::size_t>(1, how_->connections_max / node_.io.size()))
    return refuse(std::move(what), 503, "too_large", "too many connections");
  const auto text = [](const auto& view) { return std::string_view{view.data(), view.size()}; };
  const auto token =
      runtime::bearer_token(text(what.request[boost::beast::http::field::authorization]), text(what.request.target()));
  if (!token || !tokens_)
    return refuse(std::move(what), 401, "access_refused", "a token is required: /ws?token=…");
  auto who = tokens_->verify(*token, node_.clock.now());
  if (!who)
    return refuse(std::move(what), 401, "access_refused", who.error().what);
  // The leeway is for clocks that differ, not for opening a stream that would be closed at once.
  if (who->expires <= node_.clock.now())
    return refuse(std::move(what), 401, "access_refused", "the token has expired");
  auto made = make_session(weak_from_this(), how_, *std::move(who), std::move(what.socket));
  sessions_.emplace(made.get(), made);
  count_->add(1);
  connections_.Increment();
  arm();
  made->accept(std::move(what));
}

void hub::refuse(runtime::upgrade what, int status, std::string_view reason, std::string_view message) {
  node_.metrics.connections_refused.Add({{"bridge", "websocket"}, {"reason", std::string{reason}}}).Increment();
  websocket::refuse(std::move(what), status, reason, message);
}

void hub::on_open(session& who) {
  runtime::log::debug("websocket_opened", {{"customer", who.who().customer_id}, {"agent", who.who().agent_id}});
}

void hub::on_closing(session& who, close_reason why) {
  forget_topics(who); // nothing more for it, whoever is still being asked
  if (why == close_reason::slow_consumer) {
    node_.metrics.dropped.Add({{"bridge", "websocket"}, {"reason", "slow_consumer"}}).Increment();
    runtime::log::warning("websocket_slow_consumer", {{"customer", who.who().customer_id},
                                                      {"agent", who.who().agent_id},
                                                      {"outbox_bytes_max", how_->outbox_bytes_max}});
  } else {
    runtime::log::debug("websocket_closing", {{"customer", who.who().customer_id}, {"reason", label_of(why)}});
  }
}

void hub::on_gone(session& who) {
  forget_topics(who);
  const auto held = sessions_.extract(&who); // until the end of this call
  if (held.empty())
    return;
  connections_.Decrement();
  count_->add(-1);
}

void hub::forget_topics(session& who) {
  for (const auto& topic : who.topics)
    index_.remove(topic, who);
  who.topics.clear();
}

// -- requests -------------------------------------------------------------------------------------------------------

void hub::on_text(session& who, std::string_view text) {
  const auto read = decode_command(text);
  if (const auto* why = std::get_if<refusal>(&read))
    who.push(std::make_shared<const std::string>(encode(*why)));
  else
    carry_out(who, std::get<command>(read));
}

void hub::carry_out(session& who, const command& asked) {
  if (asked.what == command::action::unsubscribe) {
    for (const auto& topic : asked.topics)
      if (index_.remove(topic, who))
        std::erase(who.topics, topic);
  } else if (const auto why = check(who, asked)) {
    return who.push(std::make_shared<const std::string>(encode(*why)));
  } else {
    for (const auto& topic : asked.topics)
      if (index_.add(topic, who))
        who.topics.push_back(topic);
  }
  who.push(std::make_shared<const std::string>(encode_done(asked)));
}

std::optional<refusal> hub::check(const session& who, const command& asked) const {
  refusal why{403, std::string{text(errc::access_refused)}, "not a topic of this token's customer", {}, asked.id};
  std::vector<topic_pattern> fresh;
  for (std::size_t i = 0; i < asked.topics.size(); ++i) {
    const auto& topic = asked.topics[i];
    if (!may_subscribe(who.who(), topic))
      why.topics.push_back(asked.texts[i]);
    const auto held = [&](const auto& by) { return std::find(by.begin(), by.end(), topic) != by.end(); };
    if (!held(who.topics) && !held(fresh) && fresh.size() <= how_->topics_max)
      fresh.push_back(topic);
  }
  if (!why.topics.empty())
    return why;
  if (who.topics.size() + fresh.size() > how_->topics_max)
    return refusal{400,
                   std::string{text(errc::too_large)},
                   "more than " + std::to_string(how_->topics_max) + " topics",
                   {},
                   asked.id};
  return std::nullopt;
}

// -- events ---------------------------------------------------------------------------------------------------------

void hub::dispatch(const runtime::event_batch& batch) {
  if (index_.size() == 0)
    return;
  for (const auto& what : batch.events) {
    const auto& found = index_.find(address_of(what));
    if (found.empty())
      continue;
    const auto frame = std::make_shared<const std::string>(encode_event(what));
    for (auto* who : found)
      static_cast<session*>(who)->push(frame); // may close it, but never destroys it within this call
    pushed_.Increment(static_cast<double>(found.size()));
  }
}

// -- time and the end -----------------------------------------------------------------------------------------------

void hub::arm() {
  if (armed_ || sessions_.empty())
    return;
  armed_ = true;
  timer_.expires_after(sweep_interval(*how_));
  timer_.async_wait([weak = weak_from_this()](boost::system::error_code error) {
    const auto self = weak.lock();
    if (error || !self)
      return;
    self->armed_ = false;
    self->sweep();
    self->arm();
  });
}

void hub::sweep() {
  const auto now = std::chrono::steady_clock::now();
  const auto wall = node_.clock.now();
  // check() ends nothing within the call (sockets are closed, their handlers come later), so the map stands still.
  for (const auto& [at, one] : sessions_)
    one->check(now, wall);
}

void hub::drain() {
  draining_ = true;
  for (const auto& [at, one] : sessions_)
    one->close(close_reason::going_away);
}

void hub::abort() {
  for (const auto& [at, one] : sessions_)
    one->abort();
}

} // namespace switchboard::websocket
