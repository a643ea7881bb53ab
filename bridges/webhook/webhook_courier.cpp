#include "bridges/webhook/webhook_courier.hpp"

#include <openssl/ssl.h>

#include <boost/asio/post.hpp>

#include "base/random.hpp"
#include "bridges/webhook/webhook_signature.hpp"

namespace switchboard::webhook {

namespace {

constexpr std::size_t resolver_threads = 4;

/// Signed when it goes, not when it began to wait: the time is part of the signature.
post make_post(const parcel& what, time_point now) {
  const auto& secret = what.to->secret;
  const delivery_facts facts{what.to->id,
                             what.event_id,
                             what.event_type,
                             what.attempt,
                             signature(secret, now, what.body),
                             voipbin_signature(secret, what.body)};
  return {what.to->customer_id, what.to->url, request_fields(what.to->url, facts), what.body};
}

const char* name_of(verdict what) noexcept {
  return what == verdict::delivered ? "delivered" : what == verdict::transient ? "transient" : "permanent";
}

} // namespace

courier::courier(runtime::node_context& node, options how)
    : node_(node), how_(std::move(how)), turns_(how_.deliveries_max) {}

courier::~courier() { stop(); }

expected<void> courier::start() {
  boost::system::error_code failed;
  if (how_.ca_file.empty())
    tls_.set_default_verify_paths(failed);
  else
    tls_.load_verify_file(how_.ca_file, failed);
  if (failed)
    return {errc::bad_format, "webhook.ca_file: " + how_.ca_file + ": " + failed.message()};
  SSL_CTX_set_min_proto_version(tls_.native_handle(), TLS1_2_VERSION);
  names_ = std::make_unique<resolver>(context_, resolver_threads);
  thread_ = std::thread{[this] { context_.run(); }};
  return {};
}

void courier::stop() {
  if (!thread_.joinable())
    return;
  context_.stop();
  thread_.join();
  for (auto& [which, one] : under_way_)
    one->cancel();
  names_.reset();
  context_.restart();
  context_.poll(); // handlers of what was cancelled let go of their sessions
  under_way_.clear();
  waiting_.clear();
}

courier::ticket courier::send(parcel what, done_handler done) {
  const auto which = ++last_;
  boost::asio::post(context_, [this, which, waits = waiting{std::move(what), std::move(done)}]() mutable {
    turns_.join(which, waits.what.to->url.origin());
    waiting_.emplace(which, std::move(waits));
    take_turns();
  });
  return which;
}

void courier::withdraw(ticket which) {
  boost::asio::post(context_, [this, which] {
    if (turns_.leave(which))
      waiting_.extract(which).mapped().done(std::nullopt);
  });
}

void courier::take_turns() {
  if (!names_) // stopped
    return;
  while (const auto which = turns_.next(now()))
    begin(*which);
  look_again_when_due();
}

void courier::begin(ticket which) {
  auto one = std::move(waiting_.extract(which).mapped());
  const auto made = std::make_shared<session>(
      session_tools{context_, *names_, tls_, how_}, make_post(one.what, node_.clock.now()),
      [this, which, done = std::move(one.done)](attempt outcome) { on_over(which, std::move(outcome), done); });
  under_way_.emplace(which, made);
  made->start();
}

void courier::on_over(ticket which, attempt outcome, const done_handler& done) {
  node_.metrics.webhook_attempts.Add({{"result", name_of(outcome.what)}}).Increment();
  under_way_.erase(which);
  // A refused address is an answer too, of ours: nothing was tried that could be spared.
  if (outcome.asked)
    turns_.over(which, outcome.answered() || outcome.what == verdict::permanent, now(), random_bits());
  else
    turns_.not_asked(which);
  node_.metrics.circuit_open.Add({{"service", "webhook targets"}}).Set(static_cast<double>(turns_.open_circuits()));
  done(std::move(outcome));
  take_turns();
}

void courier::look_again_when_due() {
  const auto when = turns_.next_look();
  if (!when)
    return;
  look_again_.expires_at(*when); // replaces the wait before
  look_again_.async_wait([this](boost::system::error_code cancelled) {
    if (!cancelled)
      take_turns();
  });
}

} // namespace switchboard::webhook
