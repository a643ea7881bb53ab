// The seam by which an HTTP listener hands a connection to a bridge that speaks another protocol on it (WebSocket).
// Bridges don't include one another; the node connects the two.
#pragma once

#include <functional>

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

#include "runtime/io_threads.hpp"

namespace switchboard::runtime {

/// A request that asks to go on in another protocol. Nothing has been answered yet and nothing after it was read: the
/// receiver answers, also the refusal, and owns the socket.
struct upgrade {
  boost::asio::ip::tcp::socket socket; ///< on home's io_context
  boost::beast::http::request<boost::beast::http::string_body> request;
  asio_unit& home;
};

/// Called on the thread of `home`.
using upgrade_handler = std::function<void(upgrade)>;

} // namespace switchboard::runtime
