// The test kit's side of the C ABI: opens an instance from its bytes, lets it decide once, and collects what it asked
// for as plain values – as the host does.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sdk/entity.hpp"
#include "sdk/testing_values.hpp"

namespace switchboard::sdk::test_kit {

/// An entity as it is kept between two decisions.
struct entity_record {
  std::string bytes;
  std::string customer_id;
  std::uint32_t version = 0;
  std::uint64_t order = 0; ///< of creation
};

struct timer_change {
  std::string name;
  std::optional<milliseconds> delay; ///< empty: cancel
  std::string payload;
};

struct decision {
  answer reply;
  std::string failure;          ///< empty: it did not fail
  sb_failure kind = SB_FAILURE; ///< of the failure
  std::optional<entity_record> state;
  bool ended = false;
  std::vector<seen_event> events;
  std::vector<delivery> sends;
  std::vector<timer_change> timers;
};

namespace detail {

using sdk::detail::bytes_of;
using sdk::detail::string_of;

inline void append(void* self, sb_bytes part) { static_cast<std::string*>(self)->append(part.data, part.size); }

inline sb_outcome outcome_into(decision& made) {
  const auto into = [](void* self) -> decision& { return *static_cast<decision*>(self); };
  static_assert(std::is_empty_v<decltype(into)>);
  using get = decltype(into);
  sb_outcome out{};
  out.size = sizeof(sb_outcome);
  out.self = &made;
  out.reply = [](void* self, int status, sb_bytes body) {
    get{}(self).reply = {status, json::parse(string_of(body)), {}, {}};
  };
  out.refuse = [](void* self, int status, sb_bytes reason, sb_bytes why) {
    get{}(self).reply = {status, nullptr, string_of(reason), string_of(why)};
  };
  out.state = [](void* self, std::uint32_t version, sb_bytes customer, sb_bytes state) {
    get{}(self).state = {string_of(state), string_of(customer), version, 0};
  };
  out.end = [](void* self) { get{}(self).ended = true; };
  out.event = [](void* self, sb_bytes type, sb_bytes customer, sb_bytes resource, sb_bytes data) {
    get{}(self).events.push_back(
        {{}, string_of(type), string_of(customer), string_of(resource), json::parse(string_of(data))});
  };
  out.send = [](void* self, sb_bytes type, sb_bytes id, sb_bytes name, sb_bytes body) {
    delivery sent;
    sent.to = {string_of(type), string_of(id)};
    sent.name = string_of(name);
    sent.body = string_of(body);
    get{}(self).sends.push_back(std::move(sent));
  };
  out.arm_timer = [](void* self, sb_bytes name, std::int64_t delay, sb_bytes payload) {
    get{}(self).timers.push_back({string_of(name), milliseconds{delay}, string_of(payload)});
  };
  out.cancel_timer = [](void* self, sb_bytes name) { get{}(self).timers.push_back({string_of(name), {}, {}}); };
  out.fail = [](void* self, sb_bytes why) { get{}(self).failure = string_of(why); };
  out.fail_as = [](void* self, std::int32_t kind, sb_bytes why) {
    get{}(self).failure = string_of(why);
    get{}(self).kind = static_cast<sb_failure>(kind);
  };
  return out;
}

/// Null if it can't be opened; then `why_not` says why.
inline void* open(const sb_entity_type& type, const entity_record* saved, std::string& why_not) {
  sb_sink sink{&why_not, &append};
  return saved ? type.open(bytes_of(saved->bytes), saved->version, &sink) : type.open({}, 0, &sink);
}

} // namespace detail

/// `saved` null: there is no such entity yet. The instance is closed again, so a state that forgets a member shows at
/// once.
inline decision decide_once(const sb_entity_type& type, const entity_record* saved, const sb_message& what,
                            const sb_context& where) {
  decision made;
  auto* instance = detail::open(type, saved, made.failure);
  if (!instance) {
    if (made.failure.empty())
      made.failure = "the state can't be opened";
    return made;
  }
  auto out = detail::outcome_into(made);
  if (type.decide(instance, &what, &where, &out) != 0 && made.failure.empty())
    made.failure = "failed without a reason";
  type.close(instance);
  return made;
}

inline json view_of(const sb_entity_type& type, const entity_record& saved) {
  std::string shown;
  auto* instance = detail::open(type, &saved, shown);
  if (!instance)
    return {{"failed", shown}};
  sb_sink sink{&shown, &detail::append};
  type.view(instance, &sink);
  type.close(instance);
  return json::parse(shown);
}

} // namespace switchboard::sdk::test_kit
