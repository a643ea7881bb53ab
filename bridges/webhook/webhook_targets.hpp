// Which webhooks there are, and which of them want an event. Pure.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "messages/envelope.hpp"
#include "messages/http_url.hpp"

namespace switchboard::webhook {

/// A webhook as its entity tells it to us.
struct target {
  std::string id;
  std::string customer_id;
  http_url url;
  std::string secret;
  std::vector<std::string> event_types; ///< patterns (messages/event_pattern.hpp)
  bool enabled = true;
};
using target_ptr = std::shared_ptr<const target>;

/// The body of GET /v1/webhooks/{id}/target; errc::bad_format.
expected<target> read_target(const json& body);

/// Not thread-safe.
class targets {
public:
  void put(target_ptr what);
  void remove(const std::string& id);
  target_ptr find(const std::string& id) const;
  std::set<std::string> customers() const;
  bool has_customer(std::string_view customer_id) const { return by_customer_.contains(std::string{customer_id}); }
  /// Enabled ones of the event's customer that want it.
  std::vector<target_ptr> wanting(const event& what) const;
  std::size_t size() const noexcept { return by_id_.size(); }

private:
  std::unordered_map<std::string, target_ptr> by_id_;
  std::unordered_map<std::string, std::vector<target_ptr>> by_customer_;
};

} // namespace switchboard::webhook
