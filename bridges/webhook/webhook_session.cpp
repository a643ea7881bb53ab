#include "bridges/webhook/webhook_session.hpp"

#include <algorithm>

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>

#include "bridges/webhook/webhook_addresses.hpp"
#include "runtime/log.hpp"

namespace switchboard::webhook {

namespace http = boost::beast::http;
using boost::system::error_code;

namespace {

/// Nobody reads what the customer's server says beside its status.
constexpr std::size_t answer_header_bytes_max = 16u << 10;
constexpr std::size_t answer_body_bytes_max = 64u << 10;
constexpr unsigned http_1_1 = 11;

http::request<http::string_body> request_of(post&& what) {
  http::request<http::string_body> made{http::verb::post, what.to.target, http_1_1};
  for (auto& [name, value] : what.fields)
    made.set(boost::beast::string_view{name.data(), name.size()}, value);
  made.body() = std::move(what.body);
  made.prepare_payload();
  return made;
}

} // namespace

session::session(session_tools with, post what, done_handler done)
    : with_(with), done_(std::move(done)), stream_(with.home), timer_(with.home), customer_id_(what.customer_id),
      to_(what.to), request_(request_of(std::move(what))), buffer_(answer_header_bytes_max + answer_body_bytes_max) {
  answer_.header_limit(answer_header_bytes_max);
  answer_.body_limit(answer_body_bytes_max);
}

template <class Use>
void session::with_stream(Use&& use) {
  if (tls_)
    use(*tls_);
  else
    use(stream_);
}

void session::start() {
  timer_.expires_after(with_.how.timeout);
  timer_.async_wait([self = shared_from_this()](error_code cancelled) {
    if (!cancelled)
      self->on_timeout();
  });
  const auto self = shared_from_this();
  with_.names.resolve({customer_id_, to_.host, to_.port, [self] { return self->done_ != nullptr; },
                       [self](const expected<resolver::endpoints>& found) { self->on_resolved(found); }});
}

void session::on_resolved(const expected<resolver::endpoints>& found) {
  if (!done_)
    return;
  if (!found)
    return finish({verdict::transient, 0, std::string{stage_} + ": " + found.error().what});
  const auto refused = std::find_if(found->begin(), found->end(), [&](const tcp::endpoint& each) {
    return !with_.how.private_addresses && !is_public(each.address());
  });
  if (refused != found->end()) { // the customer learns no address of the inside
    runtime::log::warning("webhook_address_refused", {{"host", to_.host}, {"address", refused->address().to_string()}});
    return finish({verdict::permanent, 0, "refused: " + to_.host + " is not a public address"});
  }
  stage_ = "connecting";
  addresses_ = *found; // and to no others: a second look-up might say something else
  stream_.async_connect(
      addresses_, [self = shared_from_this()](error_code failed, const tcp::endpoint&) { self->on_connected(failed); });
}

void session::on_connected(error_code failed) {
  if (failed)
    return fail(failed);
  if (to_.tls)
    handshake();
  else
    write();
}

void session::handshake() {
  stage_ = "TLS";
  tls_.emplace(stream_, with_.tls);
  tls_->set_verify_mode(boost::asio::ssl::verify_peer);
  tls_->set_verify_callback(boost::asio::ssl::host_name_verification{to_.host});
  error_code literal;
  boost::asio::ip::make_address(to_.host, literal);
  if (literal && SSL_set_tlsext_host_name(tls_->native_handle(), to_.host.c_str()) != 1)
    return finish({verdict::transient, 0, "TLS: the name can't be sent"});
  tls_->async_handshake(boost::asio::ssl::stream_base::client, [self = shared_from_this()](error_code bad) {
    if (bad)
      return self->fail(bad);
    self->write();
  });
}

void session::write() {
  stage_ = "sending";
  with_stream([&](auto& stream) {
    http::async_write(stream, request_,
                      [self = shared_from_this()](error_code failed, std::size_t) { self->on_written(failed); });
  });
}

void session::on_written(error_code failed) {
  if (failed)
    return fail(failed);
  stage_ = "waiting for the answer";
  with_stream([&](auto& stream) {
    http::async_read(stream, buffer_, answer_,
                     [self = shared_from_this()](error_code bad, std::size_t) { self->on_read(bad); });
  });
}

/// The status counts, whatever becomes of the rest of the answer.
void session::on_read(error_code failed) {
  if (!answer_.is_header_done())
    return fail(failed);
  const auto status = static_cast<int>(answer_.get().result_int());
  const auto reason = answer_.get().reason();
  const auto what = judge(status);
  finish({what, status, what == verdict::delivered ? std::string{} : describe(status, {reason.data(), reason.size()})});
}

void session::on_timeout() {
  if (answer_.is_header_done())
    return on_read({});
  finish({verdict::transient, 0, "no answer within " + std::to_string(with_.how.timeout.count()) + " ms: " + stage_,
          !addresses_.empty()});
}

void session::fail(error_code why) {
  auto text = std::string{stage_} + ": " + why.message();
  if (tls_ && SSL_get_verify_result(tls_->native_handle()) != X509_V_OK)
    text = std::string{"TLS: "} + X509_verify_cert_error_string(SSL_get_verify_result(tls_->native_handle()));
  finish({verdict::transient, 0, std::move(text)});
}

void session::finish(attempt outcome) {
  auto done = std::exchange(done_, {});
  if (!done)
    return;
  close();
  done(std::move(outcome));
}

void session::cancel() {
  done_ = {};
  close();
}

/// Without TLS's farewell: the request was framed by its length, and the answer counts by its status.
void session::close() {
  timer_.cancel();
  stream_.close();
}

} // namespace switchboard::webhook
