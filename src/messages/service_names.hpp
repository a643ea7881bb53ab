// Names on the broker, as seed 000 prints them and as VoIPBIN's code spells them, and which service a route belongs to.
// Pure text; nothing here knows which services run.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace switchboard {

/// "call" -> "bin-manager.call.request"
std::string request_queue(std::string_view service);

/// The name VoIPBIN's code really uses: "call" -> "bin-manager.call-manager.request"
std::string request_queue_alias(std::string_view service);

/// "call" -> "call.events"
std::string event_exchange(std::string_view resource);

/// Resources whose events our services announce under a name other than their own: a message tells of its sms.
inline constexpr std::array<std::string_view, 4> event_resources{"sms", "transcript", "chatmessage", "chatparticipant"};

/// Resources that have documented events, whoever announces them.
inline constexpr std::array<std::string_view, 13> documented_resources{
    "call",    "groupcall",  "conference", "agent",   "queue",   "flow",   "activeflow",
    "message", "transcribe", "chat",       "account", "billing", "webhook"};

/// The exchanges that clients of a node watch, whether it hosts their types or others announce them: those of the
/// documented resources and of event_resources.
std::vector<std::string> watched_exchanges();

/// The service that owns a route: "/v1/calls/7?x=y" -> "call", "/v1/confbridges" -> "call", "/v1/login" -> "agent". An
/// unknown plural noun names its own service ("/v1/widgets" -> "widget"), so that an outside worker can serve it
/// without a change here. Empty for anything that is not below /v1 or whose first segment is not 1..64 of [a-z0-9_-].
std::optional<std::string> service_of_route(std::string_view route);

} // namespace switchboard
