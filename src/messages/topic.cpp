#include "messages/topic.hpp"

#include <algorithm>
#include <vector>

#include "base/ids.hpp"

namespace switchboard {

namespace {

constexpr std::string_view customer_prefix = "customer_id";
constexpr std::string_view agent_prefix = "agent_id";
constexpr std::string_view wildcard = "*";

std::string_view string_in(const json& data, const char* key) noexcept {
  if (!data.is_object())
    return {};
  const auto found = data.find(key);
  if (found == data.end() || !found->is_string())
    return {};
  return found->get_ref<const std::string&>();
}

std::string_view agent_of(const event& value) noexcept {
  if (value.resource_type == "agent")
    return value.resource_id;
  if (const auto agent = string_in(value.data, "agent_id"); !agent.empty())
    return agent;
  return string_in(value.data, "owner_type") == "agent" ? string_in(value.data, "owner_id") : std::string_view{};
}

std::vector<std::string_view> more_agents_of(const json& data) {
  std::vector<std::string_view> found;
  const auto ids = data.is_object() ? data.find("agent_ids") : data.end();
  if (ids == data.end() || !ids->is_array())
    return found;
  for (const auto& one : *ids)
    if (const auto* id = one.get_ptr<const std::string*>())
      found.push_back(*id);
  return found;
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> fields;
  for (auto at = text.find(':'); at != text.npos; at = text.find(':')) {
    fields.push_back(text.substr(0, at));
    text.remove_prefix(at + 1);
  }
  fields.push_back(text);
  return fields;
}

/// A field that may be missing or "*", both meaning all.
bool read_optional(const std::vector<std::string_view>& fields, std::size_t at, std::optional<std::string>& to) {
  if (at >= fields.size() || fields[at] == wildcard)
    return true;
  to = fields[at];
  return is_identity(fields[at]);
}

bool selects(const std::optional<std::string>& wanted, std::string_view actual) noexcept {
  return !wanted || *wanted == actual;
}

} // namespace

event_address address_of(const event& value) {
  return {value.customer_id, agent_of(value), value.resource_type, value.resource_id, more_agents_of(value.data)};
}

expected<topic_pattern> topic_pattern::parse(std::string_view text) {
  if (text.size() > topic_bytes_max)
    return {errc::bad_format, "topic is over 512 bytes"};
  const auto fields = split(text);
  if (fields.size() < 2 || fields.size() > 4)
    return {errc::bad_format, "topic needs 2 to 4 fields: customer_id:<id>:<resource>:<resource_id>"};
  topic_pattern read;
  if (fields[0] == agent_prefix)
    read.scope = topic_scope::agent;
  else if (fields[0] != customer_prefix)
    return {errc::bad_format, "topic begins with neither customer_id nor agent_id"};
  read.owner = fields[1];
  if (!is_identity(read.owner))
    return {errc::bad_format, "second field of the topic is not an id"};
  if (!read_optional(fields, 2, read.resource) || !read_optional(fields, 3, read.resource_id))
    return {errc::bad_format, "third and fourth field of the topic are a name, an id, or * alone"};
  return read;
}

std::string topic_pattern::str() const {
  std::string text{scope == topic_scope::customer ? customer_prefix : agent_prefix};
  text.append(":").append(owner);
  if (resource || resource_id)
    text.append(":").append(resource.value_or(std::string{wildcard}));
  if (resource_id)
    text.append(":").append(*resource_id);
  return text;
}

bool topic_pattern::matches(const event_address& at) const noexcept {
  const auto is_of = [&](std::string_view agent) { return agent == owner; };
  const bool owned = scope == topic_scope::customer
                         ? owner == at.customer_id
                         : is_of(at.agent_id) || std::any_of(at.more_agents.begin(), at.more_agents.end(), is_of);
  return !owner.empty() && owned && selects(resource, at.resource_type) && selects(resource_id, at.resource_id);
}

bool topic_pattern::matches(std::string_view customer_id, std::string_view resource_type,
                            std::string_view id) const noexcept {
  return matches(event_address{customer_id, {}, resource_type, id});
}

} // namespace switchboard
