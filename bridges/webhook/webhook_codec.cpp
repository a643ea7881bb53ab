#include "bridges/webhook/webhook_codec.hpp"

namespace switchboard::webhook {

namespace {

constexpr std::size_t reason_bytes_max = 80;

/// Ids of outside publishers may hold anything; a header may not.
std::string field_safe(std::string_view text) {
  std::string safe;
  for (const char c : text.substr(0, 256))
    safe += c >= ' ' && c < '\x7f' ? c : '?';
  return safe;
}

} // namespace

std::vector<http_field> request_fields(const http_url& to, const delivery_facts& what) {
  return {{"Host", to.authority()},
          {"User-Agent", "Switchboard-Webhook/1"},
          {"Content-Type", "application/json"},
          {"Accept", "*/*"},
          {"Connection", "close"},
          {"X-Switchboard-Webhook-Id", field_safe(what.webhook_id)},
          {"X-Switchboard-Event-Id", field_safe(what.event_id)},
          {"X-Switchboard-Event-Type", field_safe(what.event_type)},
          {"X-Switchboard-Attempt", std::to_string(what.attempt)},
          {"X-Switchboard-Signature", what.signature},
          {"X-VoIPBIN-Signature", what.voipbin_signature}};
}

verdict judge(int http_status) noexcept {
  if (http_status >= 200 && http_status < 300)
    return verdict::delivered;
  const bool later = http_status == 408 || http_status == 425 || http_status == 429 || http_status >= 500;
  return later ? verdict::transient : verdict::permanent;
}

std::string describe(int http_status, std::string_view reason) {
  auto text = std::to_string(http_status);
  if (!reason.empty())
    text += " " + field_safe(reason.substr(0, reason_bytes_max));
  return http_status >= 300 && http_status < 400 ? text + " (redirects are not followed)" : text;
}

} // namespace switchboard::webhook
