#include "bridges/websocket/websocket_bridge.hpp"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>

#include "bridges/websocket/websocket_hub.hpp"
#include "runtime/log.hpp"

namespace switchboard::websocket {

namespace asio = boost::asio;

websocket_bridge::websocket_bridge(runtime::node_context& node, options how,
                                   std::shared_ptr<const runtime::jwt_verifier> tokens)
    : node_(node), how_(std::make_shared<const options>(std::move(how))), count_(std::make_shared<session_count>()) {
  for (std::size_t i = 0; i < node_.io.size(); ++i)
    hubs_.push_back(std::make_shared<hub>(node_, node_.io.home(i), how_, tokens, count_));
}

websocket_bridge::~websocket_bridge() { stop(std::chrono::milliseconds{0}); }

runtime::upgrade_handler websocket_bridge::handler() {
  return [hubs = hubs_](runtime::upgrade what) {
    for (const auto& one : hubs)
      if (&one->home() == &what.home)
        return one->accept(std::move(what));
  };
}

expected<void> websocket_bridge::start() {
  const auto pass_on = [hubs = hubs_](const runtime::event_batch_ptr& batch) {
    for (const auto& one : hubs)
      asio::dispatch(one->home().context(), [one, batch] { one->dispatch(*batch); });
  };
  auto started = runtime::event_feed::start(
      node_, node_.io.home(0),
      {"websocket", how_->exchanges, [count = count_] { return count->any(); }, /*of_all_types*/ true}, pass_on);
  if (!started)
    return started.error();
  feed_ = *std::move(started);
  return {};
}

void websocket_bridge::drain() {
  for (const auto& one : hubs_)
    asio::post(one->home().context(), [one] { one->drain(); });
}

void websocket_bridge::stop(std::chrono::milliseconds grace) {
  if (feed_)
    feed_->stop(milliseconds{0});
  drain();
  if (!count_->wait_none(grace))
    runtime::log::warning("websocket_sessions_cut");
  for (const auto& one : hubs_)
    asio::post(one->home().context(), [one] { one->abort(); });
}

} // namespace switchboard::websocket
