// Base64 with padding (RFC 4648, section 4), for password hashes, HTTP's Basic login and payloads in JSON. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace switchboard::broker {

std::string to_base64(std::string_view bytes);
/// Empty if the text is anything else.
std::optional<std::string> from_base64(std::string_view text);

} // namespace switchboard::broker
