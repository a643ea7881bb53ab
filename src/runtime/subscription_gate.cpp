#include "runtime/subscription_gate.hpp"

#include <algorithm>
#include <vector>

#include "messages/json_members.hpp"

namespace switchboard::runtime {

namespace {

class subscription_gate final : public broker::message_gate {
public:
  subscription_gate(const entity_hosts& hosts, const served_type& type) : hosts_(hosts), type_(type) {}

  bool admits(const message& what) override {
    return may_tell_somebody(what.body(), *type_.now().abi,
                             [&](const std::string& id) { return hosts_.may_exist(type_.name(), id); });
  }

private:
  const entity_hosts& hosts_;
  const served_type& type_;
};

/// "call.ended" is "call_ended" as VoIPBIN has it.
bool is_named(const sb_subscription& wanted, const std::vector<std::string_view>& documented,
              const std::vector<std::string_view>& voipbin) {
  const std::string_view name{wanted.event_type};
  const auto dot = name.find('.');
  const auto is_it = [&](std::string_view other) {
    return other.size() == name.size() && other[dot] == '_' && other.substr(0, dot) == name.substr(0, dot) &&
           other.substr(dot + 1) == name.substr(dot + 1);
  };
  return std::find(documented.begin(), documented.end(), name) != documented.end() ||
         (dot < name.size() && std::any_of(voipbin.begin(), voipbin.end(), is_it));
}

} // namespace

bool may_tell_somebody(std::string_view event_json, const sb_entity_type& type,
                       const std::function<bool(const std::string& id)>& exists) {
  const auto names = text_members(event_json, "event_type"), others = text_members(event_json, "type");
  if (!names || !others || names->empty()) // it may not be an event at all, which is for the subscriber to say
    return true;
  for (std::size_t index = 0; index < type.subscription_count; ++index) {
    const auto& subscription = type.subscriptions[index];
    if (!is_named(subscription, *names, *others))
      continue;
    if (!subscription.key)
      return true;
    auto ids = text_members(event_json, subscription.key);
    if (!ids)
      return true;
    std::sort(ids->begin(), ids->end()); // the envelope and its data often name the same
    ids->erase(std::unique(ids->begin(), ids->end()), ids->end());
    if (std::any_of(ids->begin(), ids->end(), [&](std::string_view id) { return exists(std::string{id}); }))
      return true;
  }
  return false;
}

std::shared_ptr<broker::message_gate> make_subscription_gate(const entity_hosts& hosts, const served_type& type) {
  return std::make_shared<subscription_gate>(hosts, type);
}

} // namespace switchboard::runtime
