// The one list of things that go wrong, for every layer. Bridges translate a value into their protocol's own words
// (AMQP reply code, HTTP status, WebSocket close code); `text()` is the stable name in logs and JSON.
#pragma once

#include <string>
#include <string_view>

namespace switchboard {

enum class errc {
  bad_format,          ///< bytes or JSON that can't be read; sending them again changes nothing
  too_large,           ///< over a configured limit of size, depth or count
  not_found,           ///< no such route, resource, exchange or queue
  access_refused,      ///< the caller may not do this: credentials, reserved name, another tenant
  resource_locked,     ///< exclusive to another connection
  precondition_failed, ///< the thing exists but not as the caller says, or not in a fitting state
  wrong_state,         ///< a legal request at the wrong moment of an entity's life
  not_implemented,     ///< known to the protocol, not built here
  unavailable,         ///< nobody serves it now; trying again later may help
  timed_out,           ///< no answer within the deadline
  stopping,            ///< the node drains and takes no new work
  io_failed,           ///< the disk or the network said no
  corrupt,             ///< stored bytes that fail their check
  internal,            ///< a broken invariant of ours
};

/// Stable lower-case name, e.g. "not_found".
std::string_view text(errc code) noexcept;

/// One sentence for people.
std::string_view sentence(errc code) noexcept;

/// An error value: what kind, and the context in words.
struct error {
  errc code = errc::internal;
  std::string what;

  friend bool operator==(const error&, const error&) = default;
};

} // namespace switchboard
