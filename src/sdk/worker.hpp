// Workers and subscribers: plugins that keep no state. A worker answers requests, a subscriber hears events; one plugin
// may do both. Each message is decided on its own, many at the same time, with the promises entities have: a request
// takes effect once, also when it is sent twice; an event is heard once, and those of one resource in their order; what
// is told or announced leaves in one transaction with that.
//
//   const sdk::stateless_type& type() {
//     static const auto made = sdk::worker("rates", "rates", {sdk::serves("GET", "/v1/rates/{number}", show)});
//     return made;
//   }
//
// A handler may reply, refuse, send() to entities and announce events by event_about(); there is no next(), arm() or
// end(): they don't compile.
#pragma once

#include <initializer_list>

#include "sdk/entity.hpp"

namespace switchboard::sdk {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(stateless, customer_id)

using stateless_type = entity_type<stateless>;
using task = outcome<stateless>; ///< what a handler of these gives
using task_row = row<stateless>;

/// A request, answered without an entity.
inline task_row serves(const char* method, const char* pattern, first_handler<stateless> then) {
  return {message_kind::request, method, pattern, nullptr, SB_WORK, nullptr, then};
}
/// Every event of that type, whomever it is about; message::from_type and from_id name the resource.
inline task_row on(const char* event_type, first_handler<stateless> then) {
  return {message_kind::event, event_type, "", nullptr, SB_BY_ID, nullptr, then};
}

/// `name` is the plugin's own word, e.g. in the names of its events; `service` the one its requests come to.
inline stateless_type worker(const char* name, const char* service, std::initializer_list<task_row> rows) {
  return {name, service, 1, [](const stateless&) { return json{}; }, {rows}};
}
inline stateless_type subscriber(const char* name, std::initializer_list<task_row> rows) {
  return worker(name, nullptr, rows);
}

} // namespace switchboard::sdk
