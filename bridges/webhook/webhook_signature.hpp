// How a customer knows that a delivery is ours: HMAC-SHA256 with the webhook's secret. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/time.hpp"

namespace switchboard::webhook {

/// Lower-case hexadecimal.
std::string hmac_sha256(std::string_view secret, std::string_view first, std::string_view then = {});

/// X-Switchboard-Signature: "t=<unix seconds>,v1=<HMAC of "<t>.<body>">". The time is signed too, so that a delivery
/// overheard once can't be sent again later.
std::string signature(std::string_view secret, time_point now, std::string_view body);

/// X-VoIPBIN-Signature: "sha256=<HMAC of the body>", as VoIPBIN's webhook-manager signs.
std::string voipbin_signature(std::string_view secret, std::string_view body);

} // namespace switchboard::webhook
