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

expected<resolver::endpoints> look_up(boost::asio::thread_pool& pool, const std::string& host, std::uint16_t port) {
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

void resolver::resolve(const std::string& host, std::uint16_t port, std::function<void(expected<endpoints>)> done) {
  boost::system::error_code no_address;
  const auto literal = boost::asio::ip::make_address(host, no_address);
  if (!no_address)
    return boost::asio::post(home_,
                             [done = std::move(done), to = tcp::endpoint{literal, port}] { done(endpoints{to}); });
  boost::asio::post(pool_, [this, host, port, done = std::move(done)]() mutable {
    boost::asio::post(home_, [done = std::move(done), found = look_up(pool_, host, port)] { done(found); });
  });
}

} // namespace switchboard::webhook
