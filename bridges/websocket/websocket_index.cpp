#include "bridges/websocket/websocket_index.hpp"

namespace switchboard::websocket {

subscription_index::place subscription_index::place_of(const topic_pattern& topic) {
  return {topic.scope, topic.owner, topic.resource, topic.resource_id};
}

std::size_t subscription_index::hash::operator()(const place& at) const noexcept {
  const std::hash<std::string_view> of;
  // Fields are hashed one by one: no text of two fields can look like another pair's.
  std::size_t sum = of(at.owner) + static_cast<std::size_t>(at.scope);
  sum = sum * 31 + (at.resource ? of(*at.resource) : 1);
  return sum * 31 + (at.resource_id ? of(*at.resource_id) : 1);
}

bool subscription_index::add(const topic_pattern& topic, subscriber& who) { return topics_[topic].insert(&who).second; }

bool subscription_index::remove(const topic_pattern& topic, subscriber& who) {
  const auto found = topics_.find(topic);
  if (found == topics_.end() || found->second.erase(&who) == 0)
    return false;
  if (found->second.empty())
    topics_.erase(found);
  return true;
}

const std::vector<subscriber*>& subscription_index::find(const event_address& at) {
  found_.clear();
  ++searches_;
  if (at.customer_id.empty())
    return found_; // no tenant may see it
  using optional_text = std::optional<std::string_view>;
  const auto search = [&](topic_scope scope, std::string_view owner) {
    if (owner.empty())
      return;
    for (const auto& resource : {optional_text{}, optional_text{at.resource_type}})
      for (const auto& id : {optional_text{}, optional_text{at.resource_id}})
        collect({scope, owner, resource, id}, at.customer_id);
  };
  search(topic_scope::customer, at.customer_id);
  search(topic_scope::agent, at.agent_id);
  for (const auto agent : at.more_agents)
    search(topic_scope::agent, agent);
  return found_;
}

void subscription_index::collect(const place& where, std::string_view customer_id) {
  const auto found = topics_.find(where);
  if (found == topics_.end())
    return;
  for (auto* who : found->second)
    if (who->last_found != searches_ && who->customer_id == customer_id) {
      who->last_found = searches_;
      found_.push_back(who);
    }
}

} // namespace switchboard::websocket
