#include "messages/service_names.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace switchboard {

namespace {

constexpr std::string_view version_prefix = "/v1/";
constexpr std::string_view service_prefix = "services/type/";
constexpr std::size_t segment_bytes_max = 64;

/// Segments whose service is not simply their singular.
constexpr std::array<std::pair<std::string_view, std::string_view>, 17> owners{{
    {"confbridges", "call"},
    {"groupcalls", "call"},
    {"recordings", "call"},
    {"channels", "call"},
    {"external-medias", "call"},
    {"outbound_configs", "call"},
    {"recovery", "call"},
    {"conferencecalls", "conference"},
    {"login", "agent"},
    {"password-forgot", "agent"},
    {"password-reset", "agent"},
    {"queuecalls", "queue"},
    {"activeflows", "flow"},
    {"transcripts", "transcribe"},
    {"chats", "talk"},
    {"billing_accounts", "billing"},
    {"webhook_destinations", "webhook"},
}};

/// What POST /v1/services/type/<x> joins a call to.
constexpr std::array<std::pair<std::string_view, std::string_view>, 2> joiners{{
    {"queuecall", "queue"},
    {"conferencecall", "conference"},
}};

template <class Table>
std::optional<std::string> look_up(const Table& table, std::string_view key) {
  const auto found = std::find_if(table.begin(), table.end(), [&](const auto& row) { return row.first == key; });
  if (found == table.end())
    return std::nullopt;
  return std::string{found->second};
}

bool is_segment_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

std::string_view first_segment(std::string_view path) noexcept { return path.substr(0, path.find_first_of("/?")); }

std::string_view singular(std::string_view noun) noexcept {
  return noun.ends_with('s') ? noun.substr(0, noun.size() - 1) : noun;
}

} // namespace

std::string request_queue(std::string_view service) {
  return std::string{"bin-manager."}.append(service).append(".request");
}

std::string request_queue_alias(std::string_view service) {
  return std::string{"bin-manager."}.append(service).append("-manager.request");
}

std::string event_exchange(std::string_view resource) { return std::string{resource}.append(".events"); }

std::vector<std::string> watched_exchanges() {
  std::vector<std::string> names;
  for (const auto resource : documented_resources)
    names.push_back(event_exchange(resource));
  for (const auto resource : event_resources)
    names.push_back(event_exchange(resource));
  return names;
}

std::optional<std::string> service_of_route(std::string_view route) {
  if (!route.starts_with(version_prefix))
    return std::nullopt;
  route.remove_prefix(version_prefix.size());
  if (route.starts_with(service_prefix))
    return look_up(joiners, first_segment(route.substr(service_prefix.size())));
  const auto segment = first_segment(route);
  if (segment.size() > segment_bytes_max || !std::all_of(segment.begin(), segment.end(), is_segment_character))
    return std::nullopt;
  if (auto owner = look_up(owners, segment))
    return owner;
  const auto noun = singular(segment);
  return noun.empty() ? std::nullopt : std::optional<std::string>{noun};
}

} // namespace switchboard
