// One delivery as an HTTP request, and what the answer means. Pure.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "messages/http_url.hpp"

namespace switchboard::webhook {

using http_field = std::pair<std::string_view, std::string>;

/// What is said of a delivery beside its body, which is the event as it was announced.
struct delivery_facts {
  std::string webhook_id;
  std::string event_id;
  std::string event_type;
  unsigned attempt = 1;
  std::string signature;         ///< webhook_signature.hpp
  std::string voipbin_signature; ///< "
};
std::vector<http_field> request_fields(const http_url& to, const delivery_facts& what);

enum class verdict {
  delivered, ///< 2xx
  transient, ///< it may work later: no answer, 408, 425, 429, 5xx
  permanent, ///< it says no to this very request: redirects, which are not followed, other 4xx, refused addresses
};
verdict judge(int http_status) noexcept;

/// "503 Service Unavailable", for people; the reason is cut and cleaned, since a stranger wrote it.
std::string describe(int http_status, std::string_view reason);

/// The outcome of one attempt.
struct attempt {
  verdict what = verdict::transient;
  int http_status = 0; ///< 0: there was no answer
  std::string error;   ///< empty if it was delivered
  bool asked = true;   ///< false: its time was over before the target's address was known, which says nothing of it
  /// Something answered, be it with an error: the target is not dead.
  bool answered() const noexcept { return http_status != 0; }
};

} // namespace switchboard::webhook
