// The test kit of plugin authors: a world of entities in virtual time. It does what the host does – routes requests,
// delivers messages, events and timers, keeps states as bytes – over the same C ABI, without threads, clock or disk.
//
//   sdk::test_kit::world world;
//   world.add(sdk::abi_of<&call::type>());
//   auto made = world.request("POST", "/v1/calls", body, "customer-1");
//   world.advance(std::chrono::seconds{2});
//   EXPECT_EQ(world.event_types("call"), …);
//
// Same seed, same run. Messages between one pair of entities keep their order, as at the host; with shuffled(true) the
// order among pairs is the dice's. After every decision the instance is closed and opened again from its bytes, so a
// state that forgets a member shows at once. For one thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "sdk/entity.hpp"

namespace switchboard::sdk::test_kit {

struct answer {
  int status = 0; ///< 0: none came
  json body;
  std::string reason; ///< of a refusal
  std::string text;
};

struct seen_event {
  time_point at{};
  std::string type;
  std::string customer_id;
  std::string resource_id;
  json data;
};

/// Everything but requests waits in one of these until step().
struct delivery {
  message_kind kind = message_kind::message;
  entity_ref from;
  entity_ref to;
  std::string name;
  std::string body;
  std::string customer_id;
};

class world {
public:
  explicit world(std::uint64_t seed = 1, time_point start = time_point{std::chrono::hours{24 * 365 * 56}})
      : dice_("world", start, seed, std::make_shared<const json>(json::object())), now_(start) {}

  void add(const sb_entity_type& type, json settings = json::object()) { types_[type.type] = {&type, settings.dump()}; }
  void add(const sb_plugin& plugin, const json& settings = json::object()) {
    for (std::size_t i = 0; i < plugin.type_count; ++i)
      add(*plugin.types[i], settings);
  }

  /// Which pair's message goes next: the oldest one (false), or any (true).
  void shuffled(bool on) { shuffled_ = on; }

  /// Decided at once; what it sends waits for step(), settle() or advance(). `customer_id` empty: an inside caller.
  answer request(std::string_view method, std::string_view route, const json& body = nullptr,
                 std::string_view customer_id = {}) {
    const auto question = route.find('?');
    const auto path = route.substr(0, question);
    const auto query = question == std::string_view::npos ? std::string_view{} : route.substr(question + 1);
    const auto [type, found] = find_route(method, path);
    if (!found)
      return {404, nullptr, "NOT_FOUND", "no such route"};
    if (found->target == SB_LIST)
      return {200, {{"result", list(type, customer_id)}}, {}, {}};
    const auto id = target_of(*found, path, body);
    if (found->target != SB_CREATE && !entities_.contains({type, id}))
      return {404, nullptr, "NOT_FOUND", "no such resource"};
    decision made;
    const auto text = body.is_null() ? std::string{} : body.dump();
    const auto message_id = dice_.make_uuid();
    sb_message msg{sizeof(sb_message),
                   SB_REQUEST,
                   bytes(message_id),
                   bytes(customer_id),
                   bytes(method),
                   bytes(path),
                   bytes(query),
                   {},
                   {},
                   bytes("{}"),
                   bytes(text)};
    decide({type, id}, msg, made);
    if (!made.failure.empty())
      return {500, nullptr, "INTERNAL", made.failure};
    return made.reply;
  }

  /// An entity in a given state, as if it had come there by itself; without timers.
  void put(const std::string& type, const std::string& id, const json& state) {
    entities_[{type, id}] = {state.dump(), state.value("customer_id", ""), types_.at(type).type->state_version,
                             ++order_};
  }

  /// A message as if another entity had sent it.
  void tell(const entity_ref& to, std::string name, const json& body = json::object(),
            entity_ref from = {"test", "1"}) {
    waiting_.push_back({message_kind::message, std::move(from), to, std::move(name), body.dump(), {}});
  }

  /// A timer as if it had been armed and fired: late ones happen.
  void expire(const entity_ref& self, std::string name, const json& payload = json::object()) {
    waiting_.push_back({message_kind::timer, self, self, std::move(name), payload.dump(), {}});
  }

  /// Called after every committed decision with the state before and after it; null where there was or is none.
  void watch(std::function<void(const entity_ref&, const json& before, const json& after)> observer) {
    observer_ = std::move(observer);
  }

  /// Delivers one message; false if none waits.
  bool step() {
    if (waiting_.empty())
      return false;
    auto chosen = waiting_.begin();
    if (shuffled_) {
      chosen += static_cast<std::ptrdiff_t>(dice_.random() % waiting_.size());
      const auto same_pair = [&](const delivery& d) { return d.from == chosen->from && d.to == chosen->to; };
      chosen = std::find_if(waiting_.begin(), waiting_.end(), same_pair);
    }
    const auto next = std::move(*chosen);
    waiting_.erase(chosen);
    deliver(next);
    return true;
  }

  /// Until nothing waits; no time passes. False after `steps_max`: the entities keep each other busy.
  bool settle(std::size_t steps_max = 100000) {
    for (std::size_t i = 0; i < steps_max; ++i) {
      if (!step())
        return true;
    }
    return false;
  }

  /// Lets time pass: everything waiting is delivered, timers fire in the order they are due.
  void advance(milliseconds by) {
    const auto until = now_ + by;
    settle();
    while (!due_.empty() && std::get<0>(*due_.begin()) <= until) {
      fire_next();
      settle();
    }
    now_ = until;
  }

  /// Moves to the next timer and queues it as one more waiting message, without settling. False if none is armed.
  bool fire_next() {
    if (due_.empty())
      return false;
    const auto [at, order, key] = *due_.begin();
    const auto armed = timers_.extract(key).mapped();
    due_.erase(due_.begin());
    now_ = std::max(now_, at);
    const entity_ref self{std::get<0>(key), std::get<1>(key)};
    waiting_.push_back({message_kind::timer, self, self, std::get<2>(key), armed.payload, {}});
    return true;
  }

  time_point now() const noexcept { return now_; }
  std::size_t waiting() const noexcept { return waiting_.size(); }
  const std::deque<delivery>& waiting_messages() const noexcept { return waiting_; }
  const std::vector<seen_event>& events() const noexcept { return events_; }
  /// Messages to types that were not added, in order: what a test plays the other side of.
  const std::vector<delivery>& outside() const noexcept { return outside_; }
  /// Decisions that failed, as "type/id: why". A test expects none.
  const std::vector<std::string>& failures() const noexcept { return failures_; }

  /// Types of the events so far whose type begins with `prefix`, in order; `resource_id` empty: of any resource.
  std::vector<std::string> event_types(std::string_view prefix = {}, std::string_view resource_id = {}) const {
    std::vector<std::string> types;
    for (const auto& one : events_) {
      if (one.type.starts_with(prefix) && (resource_id.empty() || one.resource_id == resource_id))
        types.push_back(one.type);
    }
    return types;
  }
  const seen_event* last_event(std::string_view type) const {
    const auto found = std::find_if(events_.rbegin(), events_.rend(), [&](const auto& e) { return e.type == type; });
    return found == events_.rend() ? nullptr : &*found;
  }

  bool exists(const std::string& type, const std::string& id) const { return entities_.contains({type, id}); }
  std::vector<std::string> ids(std::string_view type) const {
    std::vector<std::string> found;
    for (const auto& [key, record] : entities_) {
      if (key.first == type)
        found.push_back(key.second);
    }
    return found;
  }
  /// The saved bytes as JSON; null if there is no such entity.
  json state(const std::string& type, const std::string& id) const {
    const auto found = entities_.find({type, id});
    return found == entities_.end() ? json{} : json::parse(found->second.bytes);
  }
  /// The public view; null if there is no such entity.
  json view(const std::string& type, const std::string& id) const {
    const auto found = entities_.find({type, id});
    return found == entities_.end() ? json{} : view_of(type, found->second);
  }
  /// Names of the armed timers of an entity.
  std::vector<std::string> timers(const std::string& type, const std::string& id) const {
    std::vector<std::string> names;
    for (const auto& [key, armed] : timers_) {
      if (std::get<0>(key) == type && std::get<1>(key) == id)
        names.push_back(std::get<2>(key));
    }
    return names;
  }

private:
  struct known_type {
    const sb_entity_type* type = nullptr;
    std::string settings;
  };
  struct record {
    std::string bytes;
    std::string customer_id;
    std::uint32_t version = 0;
    std::uint64_t order = 0;
  };
  using timer_key = std::tuple<std::string, std::string, std::string>; // type, id, name
  struct armed_timer {
    time_point due{};
    std::uint64_t order = 0;
    std::string payload;
  };
  /// What one decide() asked for.
  struct decision {
    answer reply;
    std::string failure;
    bool has_state = false, ended = false;
    record next;
    std::vector<seen_event> events;
    std::vector<delivery> sends;
    std::vector<std::pair<std::string, std::optional<std::pair<milliseconds, std::string>>>> timers;
  };

  static sb_bytes bytes(std::string_view text) noexcept { return {text.data(), text.size()}; }
  static std::string text(sb_bytes from) { return sdk::detail::string_of(from); }
  static decision& into(void* self) { return *static_cast<decision*>(self); }

  static sb_outcome outcome_into(decision& made) {
    sb_outcome out{};
    out.size = sizeof(sb_outcome);
    out.self = &made;
    out.reply = [](void* self, int status, sb_bytes body) {
      into(self).reply = {status, json::parse(text(body)), {}, {}};
    };
    out.refuse = [](void* self, int status, sb_bytes reason, sb_bytes why) {
      into(self).reply = {status, nullptr, text(reason), text(why)};
    };
    out.state = [](void* self, std::uint32_t version, sb_bytes customer, sb_bytes state) {
      into(self).has_state = true;
      into(self).next = {text(state), text(customer), version, 0};
    };
    out.end = [](void* self) { into(self).ended = true; };
    out.event = [](void* self, sb_bytes type, sb_bytes customer, sb_bytes resource, sb_bytes data) {
      into(self).events.push_back({{}, text(type), text(customer), text(resource), json::parse(text(data))});
    };
    out.send = [](void* self, sb_bytes type, sb_bytes id, sb_bytes name, sb_bytes body) {
      into(self).sends.push_back({message_kind::message, {}, {text(type), text(id)}, text(name), text(body), {}});
    };
    out.arm_timer = [](void* self, sb_bytes name, std::int64_t delay, sb_bytes payload) {
      into(self).timers.push_back({text(name), std::pair{milliseconds{delay}, text(payload)}});
    };
    out.cancel_timer = [](void* self, sb_bytes name) { into(self).timers.push_back({text(name), std::nullopt}); };
    out.fail = [](void* self, sb_bytes why) { into(self).failure = text(why); };
    out.fail_as = [](void* self, std::int32_t, sb_bytes why) { into(self).failure = text(why); };
    return out;
  }

  std::pair<std::string, const sb_route*> find_route(std::string_view method, std::string_view path) const {
    std::pair<std::string, const sb_route*> best{"", nullptr};
    for (const auto& [name, known] : types_) {
      for (std::size_t i = 0; known.type->service && i < known.type->route_count; ++i) {
        const auto& one = known.type->routes[i];
        const bool longer =
            !best.second || std::string_view{one.pattern}.size() > std::string_view{best.second->pattern}.size();
        if (one.method == method && longer && match_route(one.pattern, path))
          best = {name, &one};
      }
    }
    return best;
  }

  std::string target_of(const sb_route& route, std::string_view path, const json& body) {
    const char* key = route.target == SB_BY_BODY ? route.key : "id";
    if (route.target == SB_BY_ID) {
      const auto parameters = match_route(route.pattern, path);
      for (const auto& [name, value] : *parameters) {
        if (name == "id")
          return value;
      }
    }
    const bool named = body.is_object() && body.contains(key) && body[key].is_string();
    if (named)
      return body[key].get<std::string>();
    return route.target == SB_CREATE ? dice_.make_uuid() : std::string{};
  }

  json list(const std::string& type, std::string_view customer_id) const {
    std::vector<const record*> found;
    for (const auto& [key, one] : entities_) {
      if (key.first == type && (customer_id.empty() || one.customer_id == customer_id))
        found.push_back(&one);
    }
    std::sort(found.begin(), found.end(), [](auto* a, auto* b) { return a->order > b->order; });
    json views = json::array();
    for (const auto* one : found)
      views.push_back(view_of(type, *one));
    return views;
  }

  static void append(void* self, sb_bytes part) { static_cast<std::string*>(self)->append(part.data, part.size); }

  void* open(const known_type& known, const record* saved, std::string& why_not) const {
    sb_sink sink{&why_not, &append};
    return saved ? known.type->open(bytes(saved->bytes), saved->version, &sink) : known.type->open({}, 0, &sink);
  }

  json view_of(const std::string& type, const record& saved) const {
    const auto& known = types_.at(type);
    std::string shown;
    auto* instance = open(known, &saved, shown);
    if (!instance)
      return {{"failed", shown}};
    sb_sink sink{&shown, &append};
    known.type->view(instance, &sink);
    known.type->close(instance);
    return json::parse(shown);
  }

  void decide(const entity_ref& to, const sb_message& msg, decision& made) {
    const auto found_type = types_.find(to.type);
    if (found_type == types_.end())
      return;
    const auto& known = found_type->second;
    const auto saved = entities_.find({to.type, to.id});
    auto* instance = open(known, saved == entities_.end() ? nullptr : &saved->second, made.failure);
    if (instance) {
      const sb_context ctx{sizeof(sb_context), bytes(to.id), now_.time_since_epoch().count(), dice_.random(),
                           bytes(known.settings)};
      auto out = outcome_into(made);
      if (known.type->decide(instance, &msg, &ctx, &out) != 0 && made.failure.empty())
        made.failure = "failed without a reason";
      known.type->close(instance);
    }
    if (made.failure.empty())
      commit(to, made);
    else
      failures_.push_back(to.type + "/" + to.id + ": " + made.failure);
  }

  void commit(const entity_ref& self, decision& made) {
    const std::pair key{self.type, self.id};
    const auto before = observer_ ? state(self.type, self.id) : json{};
    if (made.ended) {
      entities_.erase(key);
      for (const auto& name : timers(self.type, self.id))
        disarm({self.type, self.id, name});
    } else if (made.has_state) {
      const auto found = entities_.find(key);
      made.next.order = found == entities_.end() ? ++order_ : found->second.order;
      entities_[key] = made.next;
    }
    for (const auto& [name, armed] : made.timers) {
      disarm({self.type, self.id, name});
      if (armed && !made.ended)
        arm({self.type, self.id, name}, *armed);
    }
    for (auto& one : made.events) {
      one.at = now_;
      tell_subscribers(self, one);
      events_.push_back(std::move(one));
    }
    for (auto& one : made.sends) {
      one.from = self;
      one.customer_id = made.next.customer_id;
      waiting_.push_back(std::move(one));
    }
    if (observer_)
      observer_(self, before, state(self.type, self.id));
  }

  void arm(const timer_key& key, const std::pair<milliseconds, std::string>& how) {
    const armed_timer made{now_ + how.first, ++order_, how.second};
    due_.insert({made.due, made.order, key});
    timers_[key] = made;
  }
  void disarm(const timer_key& key) {
    const auto found = timers_.find(key);
    if (found == timers_.end())
      return;
    due_.erase({found->second.due, found->second.order, key});
    timers_.erase(found);
  }

  void tell_subscribers(const entity_ref& self, const seen_event& event) {
    for (const auto& [name, known] : types_) {
      for (std::size_t i = 0; i < known.type->subscription_count; ++i) {
        const auto& one = known.type->subscriptions[i];
        if (event.type != one.event_type || !event.data.contains(one.key) || !event.data[one.key].is_string())
          continue;
        waiting_.push_back({message_kind::event,
                            self,
                            {name, event.data[one.key].get<std::string>()},
                            event.type,
                            event.data.dump(),
                            event.customer_id});
      }
    }
  }

  void deliver(const delivery& one) {
    if (!types_.contains(one.to.type))
      outside_.push_back(one);
    const bool gone = one.kind != message_kind::message && !entities_.contains({one.to.type, one.to.id});
    if (gone)
      return; // its timers went with it; events are for those who exist
    const auto message_id = dice_.make_uuid();
    const auto kind = static_cast<sb_message_kind>(one.kind);
    const sb_message msg{sizeof(sb_message),
                         kind,
                         bytes(message_id),
                         bytes(one.customer_id),
                         bytes(one.name),
                         {},
                         {},
                         bytes(one.from.type),
                         bytes(one.from.id),
                         {},
                         bytes(one.body)};
    decision made;
    decide(one.to, msg, made);
  }

  context dice_;
  time_point now_;
  bool shuffled_ = false;
  std::uint64_t order_ = 0;
  std::map<std::string, known_type> types_;
  std::map<std::pair<std::string, std::string>, record> entities_;
  std::deque<delivery> waiting_;
  std::map<timer_key, armed_timer> timers_;
  std::set<std::tuple<time_point, std::uint64_t, timer_key>> due_;
  std::vector<seen_event> events_;
  std::vector<delivery> outside_;
  std::function<void(const entity_ref&, const json&, const json&)> observer_;
  std::vector<std::string> failures_;
};

} // namespace switchboard::sdk::test_kit
