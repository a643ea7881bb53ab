// Shared by the bridge's tests.
#pragma once

namespace switchboard::http::samples {

/// The HS256 key of every test token.
inline constexpr const char* secret = "0123456789abcdef0123456789abcdef";

} // namespace switchboard::http::samples
