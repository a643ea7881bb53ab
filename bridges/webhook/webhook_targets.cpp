#include "bridges/webhook/webhook_targets.hpp"

#include <algorithm>

#include "messages/event_pattern.hpp"

namespace switchboard::webhook {

expected<target> read_target(const json& body) {
  try {
    target read;
    read.id = body.at("id").get<std::string>();
    read.customer_id = body.at("customer_id").get<std::string>();
    read.secret = body.at("secret").get<std::string>();
    read.event_types = body.at("event_types").get<std::vector<std::string>>();
    read.enabled = body.at("enabled").get<bool>();
    auto url = parse_http_url(body.at("uri").get<std::string>());
    if (!url)
      return {errc::bad_format, "uri " + url.error().what};
    if (!std::all_of(read.event_types.begin(), read.event_types.end(), is_event_pattern))
      return {errc::bad_format, "event_types holds what is no pattern"};
    read.url = *std::move(url);
    return read;
  } catch (const json::exception& why) {
    return {errc::bad_format, why.what()};
  }
}

void targets::put(target_ptr what) {
  remove(what->id);
  by_customer_[what->customer_id].push_back(what);
  by_id_[what->id] = std::move(what);
}

void targets::remove(const std::string& id) {
  const auto gone = by_id_.extract(id);
  if (!gone)
    return;
  const auto customer = by_customer_.find(gone.mapped()->customer_id);
  std::erase(customer->second, gone.mapped());
  if (customer->second.empty())
    by_customer_.erase(customer);
}

target_ptr targets::find(const std::string& id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second;
}

std::set<std::string> targets::customers() const {
  std::set<std::string> all;
  for (const auto& each : by_customer_)
    all.insert(each.first);
  return all;
}

std::vector<target_ptr> targets::wanting(const event& what) const {
  std::vector<target_ptr> found;
  const auto customer = by_customer_.find(what.customer_id);
  if (customer == by_customer_.end())
    return found;
  for (const auto& one : customer->second) {
    const auto wants = [&](const std::string& pattern) { return matches_event(pattern, what.event_type); };
    if (one->enabled && std::any_of(one->event_types.begin(), one->event_types.end(), wants))
      found.push_back(one);
  }
  return found;
}

} // namespace switchboard::webhook
