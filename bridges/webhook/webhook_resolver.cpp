#include "bridges/webhook/webhook_resolver.hpp"

#include <resolv.h>

#include <boost/asio/post.hpp>

namespace switchboard::webhook {

namespace {

using boost::asio::ip::tcp;

/// The system's own patience is 5 s for each of up to 3 servers, twice: longer than an attempt may take. These are the
/// thread's own settings.
void be_impatient() {
  thread_local const bool done = [] {
    res_init();
    _res.retrans = 2; // seconds
    _res.retry = 2;
    return true;
  }();
  static_cast<void>(done);
}

expected<resolver::endpoints> ask_system(boost::asio::thread_pool& pool, const std::string& host, std::uint16_t port) {
  be_impatient();
  tcp::resolver system{pool.get_executor()};
  boost::system::error_code failed;
  const auto found = system.resolve(host, std::to_string(port), tcp::resolver::numeric_service, failed);
  if (failed)
    return {errc::io_failed, failed.message()};
  resolver::endpoints all;
  for (const auto& one : found)
    all.push_back(one.endpoint());
  return all;
}

} // namespace

resolver::~resolver() {
  pool_.stop();
  pool_.join();
}

void resolver::resolve(question what) {
  boost::system::error_code no_address;
  const auto literal = boost::asio::ip::make_address(what.host, no_address);
  if (!no_address)
    return boost::asio::post(
        home_, [done = std::move(what.done), to = tcp::endpoint{literal, what.port}] { done(endpoints{to}); });
  const auto [turn, is_first] = waiting_.try_emplace(what.customer_id);
  if (is_first)
    look_up(std::move(what));
  else
    turn->second.push_back(std::move(what));
}

void resolver::look_up(question what) {
  boost::asio::post(pool_, [this, what = std::move(what)]() mutable {
    auto found = ask_system(pool_, what.host, what.port);
    boost::asio::post(home_, [this, what = std::move(what), found = std::move(found), alive = std::weak_ptr{alive_}] {
      what.done(found);
      if (!alive.expired())
        look_up_next(what.customer_id);
    });
  });
}

void resolver::look_up_next(const std::string& customer_id) {
  const auto turn = waiting_.find(customer_id);
  while (!turn->second.empty()) {
    auto next = std::move(turn->second.front());
    turn->second.pop_front();
    if (next.is_wanted())
      return look_up(std::move(next));
  }
  waiting_.erase(turn);
}

} // namespace switchboard::webhook
