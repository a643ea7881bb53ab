// What a listener serves: the gateway or the operator's pages. The listener knows HTTP, the application what to answer.
#pragma once

#include <functional>

#include "bridges/http/http_message.hpp"
#include "runtime/io_threads.hpp"

namespace switchboard::http {

class application {
public:
  using reply = std::function<void(http_answer)>;

  virtual ~application() = default;
  /// Called on the thread of `home`, by many connections in turn. Calls `done` on that thread, now or later, at most
  /// once; if it never does, the connection ends with its listener.
  virtual void handle(http_request what, runtime::asio_unit& home, reply done) = 0;
};

} // namespace switchboard::http
