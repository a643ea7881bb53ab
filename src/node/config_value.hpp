// Values as people write them in a configuration: "30s", "64MiB", true. Pure text, no parser behind it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/expected.hpp"
#include "node/config.hpp"

namespace switchboard::node {

/// "250ms", "30s", "5m", "24h": one whole number and its unit. errc::bad_format says what is missing.
expected<milliseconds> parse_duration(std::string_view text);
/// In hours, seconds or milliseconds, the largest without a rest: "24h", "90s", "0s".
std::string to_text(milliseconds value);

/// "64MiB": one whole number and B, KiB, MiB, GiB or TiB.
expected<byte_count> parse_bytes(std::string_view text);
std::string to_text(byte_count value);
inline std::string to_text(std::int64_t value) { return std::to_string(value); }

/// A TOML basic string with quotes and escapes.
std::string quoted(std::string_view text);

} // namespace switchboard::node
