// What the commands print: JSON from the node as text for people. Pure. Control characters that come from outside are
// replaced, so that no caller's name can paint the operator's terminal.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace switchboard::node {

using json = nlohmann::json;

/// Lines ending in '\n': an object as "name  value" rows, a list (or an object around one list) as a table.
std::string to_people(const json& body);

/// An event frame as one line without line end: "12:00:01.123 call.answered call=<id> status=progressing".
std::string event_line(const json& frame);

/// A page of an entity's history, a line each: "12 12:00:01.123 event call.ended -> queue.serviced  status: "…" ->
/// "…"", and where the next page begins.
std::string history_lines(const json& page);

/// The plugins of a node, a line for each version of each type; then entities that did not go over to a new one.
std::string plugin_lines(const json& body);

/// Dead letters as a table, and how many there are if those are not all; "none".
std::string dead_letter_lines(const json& body);

/// The error of a response body, "404 NOT_FOUND: no such call"; falls back to the status alone.
std::string error_line(int status, const json& body);

} // namespace switchboard::node
