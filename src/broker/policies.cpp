#include "broker/policies.hpp"

#include <algorithm>
#include <optional>

namespace switchboard::broker {

namespace {

enum class value_kind : std::uint8_t { positive, not_negative, factor, text, any };

struct policy_key {
  std::string_view key;
  std::string_view argument; ///< of a queue or an exchange; empty: accepted and without effect on one node
  value_kind value;
  bool bounding; ///< an operator policy may say it
};
constexpr policy_key policy_keys[] = {
    {"alternate-exchange", "alternate-exchange", value_kind::text, false},
    {"dead-letter-exchange", "x-dead-letter-exchange", value_kind::text, false},
    {"dead-letter-routing-key", "x-dead-letter-routing-key", value_kind::text, false},
    {"dead-letter-strategy", "x-dead-letter-strategy", value_kind::text, false},
    {"delivery-limit", "x-delivery-limit", value_kind::not_negative, true},
    {"expires", "x-expires", value_kind::positive, true},
    {"federation-upstream", "", value_kind::text, false},
    {"federation-upstream-set", "", value_kind::text, false},
    {"ha-mode", "", value_kind::text, false},
    {"ha-params", "", value_kind::any, false},
    {"ha-promote-on-failure", "", value_kind::text, false},
    {"ha-promote-on-shutdown", "", value_kind::text, false},
    {"ha-sync-batch-size", "", value_kind::not_negative, false},
    {"ha-sync-mode", "", value_kind::text, false},
    {"initial-cluster-size", "", value_kind::not_negative, false},
    {"max-age", "x-max-age", value_kind::text, false},
    {"max-in-memory-bytes", "", value_kind::not_negative, true},
    {"max-in-memory-length", "", value_kind::not_negative, true},
    {"max-length", "x-max-length", value_kind::not_negative, true},
    {"max-length-bytes", "x-max-length-bytes", value_kind::not_negative, true},
    {"message-ttl", "x-message-ttl", value_kind::not_negative, true},
    {"overflow", "x-overflow", value_kind::text, false},
    {"queue-leader-locator", "", value_kind::text, false},
    {"queue-master-locator", "", value_kind::text, false},
    {"queue-mode", "x-queue-mode", value_kind::text, false},
    {"queue-version", "x-queue-version", value_kind::not_negative, false},
    {"retry-limit", "x-retry-limit", value_kind::positive, false},
    {"retry-max", "x-retry-max", value_kind::positive, false},
    {"retry-min", "x-retry-min", value_kind::positive, false},
    {"retry-multiplier", "x-retry-multiplier", value_kind::factor, false},
    {"stream-max-segment-size-bytes", "x-stream-max-segment-size-bytes", value_kind::not_negative, false},
};

const policy_key* find_key(std::string_view key) {
  for (const auto& each : policy_keys)
    if (each.key == key)
      return &each;
  return nullptr;
}

bool fits(const policy_key& rule, const field_value& value) {
  switch (rule.value) {
  case value_kind::positive:
    return value.as_integer() && *value.as_integer() > 0;
  case value_kind::not_negative:
    return value.as_integer() && *value.as_integer() >= 0;
  case value_kind::factor:
    return value.as_number() && *value.as_number() >= 1;
  case value_kind::text:
    return value.as_string() != nullptr;
  case value_kind::any:
    return true;
  }
  return false;
}

bool targets(const policy& what, policy_target target) {
  return what.apply_to == "all" || what.apply_to == (target == policy_target::queues ? "queues" : "exchanges");
}

/// Adds what a policy says to the arguments so far.
void merge(field_table& into, const policy& from) {
  for (const auto& [key, value] : from.definition.fields()) {
    const auto* rule = find_key(key);
    if (!rule || rule->argument.empty())
      continue;
    const auto* held = into.find(rule->argument);
    const auto number = value.as_integer();
    const auto held_number = held ? held->as_integer() : std::nullopt;
    if (!held || (number && held_number && *number < *held_number))
      into.set(std::string{rule->argument}, value);
  }
}

} // namespace

expected<void> check_policy(policy_kind kind, const policy& what) {
  if (what.apply_to != "all" && what.apply_to != "queues" && what.apply_to != "exchanges")
    return {errc::bad_format, "apply-to is 'all', 'queues' or 'exchanges'"};
  if (what.definition.fields().empty())
    return {errc::bad_format, "no policy provided"};
  for (const auto& [key, value] : what.definition.fields()) {
    const auto* rule = find_key(key);
    if (!rule || (kind == policy_kind::bounding && !rule->bounding))
      return {errc::bad_format, "'" + key + "' is not a recognised " +
                                    std::string{kind == policy_kind::bounding ? "operator policy" : "policy"} +
                                    " setting"};
    if (!fits(*rule, value))
      return {errc::bad_format, "'" + key + "' has a value of the wrong type or out of range"};
  }
  const auto* mode = what.definition.find("overflow");
  if (mode && *mode->as_string() != "drop-head" && *mode->as_string() != "reject-publish" &&
      *mode->as_string() != "reject-publish-dlx")
    return {errc::bad_format, "'" + *mode->as_string() + "' is not a valid overflow value"};
  return {};
}

void policy_set::put(policy_kind kind, policy what) {
  auto name = what.name;
  by_name_[static_cast<std::size_t>(kind)].insert_or_assign(std::move(name), std::move(what));
}

bool policy_set::remove(policy_kind kind, std::string_view name) {
  return by_name_[static_cast<std::size_t>(kind)].erase(std::string{name}) > 0;
}

const policy* policy_set::match(policy_kind kind, policy_target target, std::string_view name) const {
  const policy* best = nullptr;
  for (const auto& [key, each] : all(kind))
    if (targets(each, target) && (!best || each.priority > best->priority) && each.pattern.matches(name))
      best = &each;
  return best;
}

field_table policy_set::effective(policy_target target, std::string_view name, const field_table& declared) const {
  auto merged = declared;
  for (const auto kind : {policy_kind::standard, policy_kind::bounding})
    if (const auto* found = match(kind, target, name))
      merge(merged, *found);
  return merged;
}

} // namespace switchboard::broker
