// Whether a text is JSON within limits: asked of everything a plugin decides, since it goes as it stands into events,
// replies and the journal. simdjson says yes in a tenth of the time of the parser that reads such texts; what it
// doesn't accept is left to that parser, so the answer is always that parser's. (is_json() of messages is in the SDK,
// which plugins build without simdjson.)
#pragma once

#include <cstddef>
#include <string_view>

namespace switchboard::runtime {

/// The same as is_json() of messages/envelope.hpp. Thread-safe.
bool is_json_quickly(std::string_view text, std::size_t bytes_max, int depth_max);

} // namespace switchboard::runtime
