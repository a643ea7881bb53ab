#include "node/cli_client.hpp"

#include <chrono>
#include <optional>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>

#include "messages/envelope.hpp"
#include "messages/json_object.hpp"

namespace switchboard::node {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;

constexpr std::chrono::seconds patience{30}; // longer than any answer of the gateway by default
constexpr std::size_t response_bytes_max = 64 << 20;

/// Runs one asynchronous operation to its end: blocking code, but with the stream's deadline, which plain blocking
/// calls ignore.
template <class Start>
error_code await(asio::io_context& io, Start start) {
  error_code result;
  bool finished = false;
  start([&](error_code problem, auto&&...) {
    result = problem;
    finished = true;
  });
  io.restart();
  while (!finished) // not run(): WebSocket's timers may outlive the operation
    io.run_one();
  return result;
}

error unreachable(const base_url& to, error_code problem) {
  if (problem == beast::error::timeout)
    return {errc::timed_out, "no answer from " + to.text + " within " + std::to_string(patience.count()) + " s"};
  auto cause = problem.message();
  if (!cause.empty())
    cause[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(cause[0])));
  return {errc::unavailable, "can't reach " + to.text + ": " + cause + "; is the node running? (switchboard run)"};
}

error_code connect(asio::io_context& io, beast::tcp_stream& stream, const base_url& to) {
  error_code problem;
  const auto found = asio::ip::tcp::resolver{io}.resolve(to.host, to.port, problem);
  if (problem)
    return problem;
  stream.expires_after(patience);
  return await(io, [&](auto done) { stream.async_connect(found, done); });
}

std::string authority(const base_url& to) {
  return (to.host.find(':') == std::string::npos ? to.host : "[" + to.host + "]") + ":" + to.port;
}

json body_of(const std::string& text) {
  if (text.empty())
    return nullptr;
  auto parsed = parse_json(text, response_bytes_max);
  return parsed ? std::move(*parsed) : json(text);
}

} // namespace

expected<base_url> base_url::parse(const std::string& text) {
  const error wrong{errc::bad_format, "not a URL such as http://127.0.0.1:8080: " + text};
  if (!text.starts_with("http://"))
    return wrong;
  auto rest = text.substr(7);
  if (rest.ends_with('/'))
    rest.pop_back();
  const auto colon = rest.rfind(':');
  const auto bracket = rest.rfind(']');
  const bool has_port = colon != std::string::npos && (bracket == std::string::npos || colon > bracket);
  base_url made{rest.substr(0, has_port ? colon : rest.size()), has_port ? rest.substr(colon + 1) : "80",
                "http://" + rest};
  if (made.host.starts_with('[') && made.host.ends_with(']'))
    made.host = made.host.substr(1, made.host.size() - 2);
  const bool digits = made.port.find_first_not_of("0123456789") == std::string::npos;
  if (made.host.empty() || made.host.find('/') != std::string::npos || made.port.empty() || !digits)
    return wrong;
  return made;
}

expected<client_response> send(const base_url& to, const client_identity& who, const client_request& what) {
  asio::io_context io;
  beast::tcp_stream stream{io};
  if (const auto problem = connect(io, stream, to))
    return unreachable(to, problem);

  http::request<http::string_body> out{http::string_to_verb(what.method), what.target, 11};
  out.set(http::field::host, authority(to));
  out.set(http::field::accept, "application/json");
  if (!who.token.empty())
    out.set(http::field::authorization, "Bearer " + who.token);
  if (!who.customer.empty())
    out.set("X-Customer-Id", who.customer);
  if (!what.body.is_null()) {
    out.set(http::field::content_type, "application/json");
    out.body() = dump(what.body);
  }
  out.prepare_payload();
  if (const auto problem = await(io, [&](auto done) { http::async_write(stream, out, done); }))
    return unreachable(to, problem);

  beast::flat_buffer buffer;
  http::response_parser<http::string_body> in;
  in.body_limit(response_bytes_max);
  if (const auto problem = await(io, [&](auto done) { http::async_read(stream, buffer, in, done); }))
    return unreachable(to, problem);
  return client_response{static_cast<int>(in.get().result_int()), body_of(in.get().body())};
}

namespace {

/// What a frame that is not an event means for the loop: nothing, or the end.
std::optional<error> refusal_in(const json& frame) {
  if (!frame.is_object() || frame.value("type", json()) != "error")
    return std::nullopt;
  const auto code = frame.value("code", json()), message = frame.value("message", json());
  return error{errc::access_refused, "the node refused the subscription: " + dump(code) + " " +
                                         (message.is_string() ? message.get<std::string>() : dump(message))};
}

} // namespace

expected<void> follow(const base_url& to, const std::string& token, const std::string& topic,
                      const std::function<void()>& on_subscribed,
                      const std::function<bool(const json& frame)>& on_event) {
  asio::io_context io;
  beast::websocket::stream<beast::tcp_stream> socket{io};
  if (const auto problem = connect(io, socket.next_layer(), to))
    return unreachable(to, problem);
  socket.next_layer().expires_never(); // from here on WebSocket's own timeouts hold
  socket.set_option(beast::websocket::stream_base::timeout::suggested(beast::role_type::client));
  socket.read_message_max(response_bytes_max);
  socket.set_option(beast::websocket::stream_base::decorator([&token](beast::websocket::request_type& upgrade) {
    upgrade.set(http::field::authorization, "Bearer " + token); // not in the URL, where logs would show it
  }));

  beast::websocket::response_type answer;
  if (const auto problem = await(io, [&](auto done) { socket.async_handshake(answer, authority(to), "/ws", done); })) {
    if (problem == beast::websocket::error::upgrade_declined)
      return {errc::access_refused, "the node refused the connection: HTTP " + std::to_string(answer.result_int())};
    return unreachable(to, problem);
  }
  const auto subscribe = dump({{"type", "subscribe"}, {"topics", {topic}}});
  if (const auto problem = await(io, [&](auto done) { socket.async_write(asio::buffer(subscribe), done); }))
    return unreachable(to, problem);

  for (beast::flat_buffer buffer;; buffer.clear()) {
    if (const auto problem = await(io, [&](auto done) { socket.async_read(buffer, done); })) {
      if (problem == beast::websocket::error::closed)
        return {errc::unavailable, "the node closed the connection: " + std::to_string(socket.reason().code) + " " +
                                       std::string{socket.reason().reason.c_str()}};
      return unreachable(to, problem);
    }
    const auto frame = body_of(beast::buffers_to_string(buffer.data()));
    if (const auto refused = refusal_in(frame))
      return *refused;
    if (frame.is_object() && frame.value("type", json()) == "subscribed")
      on_subscribed();
    if (frame.is_object() && frame.contains("event") && !on_event(frame))
      return {};
  }
}

} // namespace switchboard::node
