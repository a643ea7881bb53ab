// Where a token stands in an HTTP request, for the public listener and the WebSocket upgrade. Pure text; whether the
// token is any good is the verifier's business (jwt.hpp).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace switchboard::runtime {

/// The token of "Authorization: Bearer <token>", else of the query's `token` (seed 000: /ws?token=<JWT>). Empty only if
/// neither is there: another scheme, or nothing after "Bearer", is a credential that no verifier accepts, not "none".
std::optional<std::string> bearer_token(std::string_view authorization, std::string_view target);

/// The path of a target, without its query.
std::string_view path_of(std::string_view target) noexcept;

/// "%2F" -> "/"; what isn't a valid escape stays as it is. For a segment of a path: '+' stays too.
std::string percent_decoded(std::string_view text);

/// The decoded value of the first query parameter of that name; empty if there is none.
std::optional<std::string> query_parameter(std::string_view target, std::string_view name);

/// The target without the parameter `token`, fit to pass on and to log.
std::string without_token(std::string_view target);

} // namespace switchboard::runtime
