// The test kit of plugin authors: a world of entities in virtual time. It does what the host does – routes requests,
// delivers messages, events and timers, keeps states as bytes, tries again what failed – over the same C ABI, without
// threads, clock or disk.
//
//   sdk::test_kit::world world;
//   world.add(*switchboard_plugin_entry());
//   auto made = world.request("POST", "/v1/calls", body, "customer-1");
//   world.advance(std::chrono::seconds{2});
//   EXPECT_EQ(world.event_types("call"), …);
//
// Same seed, same run. Messages between one pair of entities keep their order, as at the host; with shuffled(true) the
// order among pairs is the dice's; spoil() adds lost, late, doubled and reordered ones, and decisions that fail. After
// every decision the instance is closed and opened again from its bytes, so a state that forgets a member shows at
// once. Two things are simpler than at the host: a request is decided at once and once, also when it fails for now; and
// an entity that keeps failing is not parked. For one thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "messages/service_names.hpp"
#include "sdk/testing_decision.hpp"
#include "sdk/testing_faults.hpp"
#include "sdk/testing_mail.hpp"
#include "sdk/testing_values.hpp"

namespace switchboard::sdk::test_kit {

class world {
public:
  explicit world(std::uint64_t seed = 1, time_point start = time_point{std::chrono::hours{24 * 365 * 56}})
      : mail_(seed, start) {}

  /// A type of a name that is there already takes its place, as an upgrade does: saved states stay.
  void add(const sb_entity_type& type, json settings = json::object()) { types_[type.type] = {&type, settings.dump()}; }
  void add(const sb_plugin& plugin, const json& settings = json::object()) {
    for (std::size_t i = 0; i < plugin.type_count; ++i)
      add(*plugin.types[i], settings);
  }

  /// Which pair's message goes next: the oldest one (false), or any (true).
  void shuffled(bool on) { mail_.shuffled(on); }

  /// From now on these faults happen; spoil({}) ends them. What is late already stays late.
  void spoil(faults how) { mail_.spoil(std::move(how)); }

  /// The node stops for so long and starts again: nothing is lost, attempts are counted anew, timers that came due
  /// meanwhile fire.
  void restart(milliseconds down = std::chrono::seconds{1}) { mail_.restart(down); }

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
    if (found->target != SB_CREATE && found->target != SB_WORK && !entities_.contains({type, id}))
      return {404, nullptr, "NOT_FOUND", "no such resource"};
    const auto text = body.is_null() ? std::string{} : body.dump();
    const auto message_id = mail_.make_uuid();
    const sb_message msg{sizeof(sb_message),
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
    const auto made = decide({type, id}, msg);
    if (!made.failure.empty())
      return {made.kind == SB_TRANSIENT ? 503 : 500, nullptr, "INTERNAL", made.failure};
    return made.reply;
  }

  /// An entity in a given state, as if it had come there by itself; without timers. `version` of the state: 0, the
  /// type's own; an older one is what `upgrade` gets.
  void put(const std::string& type, const std::string& id, const json& state, std::uint32_t version = 0) {
    entities_[{type, id}] = {state.dump(), state.value("customer_id", ""),
                             version == 0 ? types_.at(type).type->state_version : version, ++order_};
  }

  /// A message as if another entity had sent it.
  void tell(const entity_ref& to, std::string name, const json& body = json::object(),
            entity_ref from = {"test", "1"}) {
    mail_.post({message_kind::message, std::move(from), to, std::move(name), body.dump(), {}});
  }

  /// A timer as if it had been armed and fired: late ones happen.
  void expire(const entity_ref& self, std::string name, const json& payload = json::object()) {
    mail_.put({message_kind::timer, self, self, std::move(name), payload.dump(), {}});
  }

  /// Called after every committed decision with the state before and after it; null where there was or is none.
  void watch(std::function<void(const entity_ref&, const json& before, const json& after)> observer) {
    observer_ = std::move(observer);
  }

  /// Delivers one message; false if none waits.
  bool step() {
    auto next = mail_.take();
    if (next)
      deliver(std::move(*next));
    return next.has_value();
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
    const auto until = mail_.now() + by;
    settle();
    while (mail_.next_due() && *mail_.next_due() <= until) {
      mail_.fire_next();
      settle();
    }
    mail_.now(until);
  }

  /// Moves to what is due next – a timer, a late message, another attempt – and queues it as one more waiting message,
  /// without settling. False if there is nothing.
  bool fire_next() { return mail_.fire_next(); }

  time_point now() const noexcept { return mail_.now(); }
  std::size_t waiting() const noexcept { return mail_.waiting().size(); }
  const std::deque<delivery>& waiting_messages() const noexcept { return mail_.waiting(); }
  const std::vector<seen_event>& events() const noexcept { return events_; }
  /// Messages to types that were not added, in order: what a test plays the other side of.
  const std::vector<delivery>& outside() const noexcept { return outside_; }
  /// Decisions that failed by themselves, as "type/id: why". A test expects none.
  const std::vector<std::string>& failures() const noexcept { return failures_; }
  /// Decisions that spoil() let fail.
  std::size_t crashes() const noexcept { return crashes_; }
  /// Messages, events and timers that failed for good.
  const std::vector<dead_letter>& dead_letters() const noexcept { return dead_letters_; }

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
    return found == entities_.end() ? json{} : view_of(*types_.at(type).type, found->second);
  }
  /// Names of the armed timers of an entity.
  std::vector<std::string> timers(const std::string& type, const std::string& id) const {
    return mail_.timers(type, id);
  }

private:
  struct known_type {
    const sb_entity_type* type = nullptr;
    std::string settings;
  };

  static sb_bytes bytes(std::string_view text) noexcept { return detail::bytes_of(text); }

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
    if (route.target == SB_WORK)
      return mail_.make_uuid();
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
    return route.target == SB_CREATE ? mail_.make_uuid() : std::string{};
  }

  json list(const std::string& type, std::string_view customer_id) const {
    std::vector<const entity_record*> found;
    for (const auto& [key, one] : entities_) {
      if (key.first == type && (customer_id.empty() || one.customer_id == customer_id))
        found.push_back(&one);
    }
    std::sort(found.begin(), found.end(), [](auto* a, auto* b) { return a->order > b->order; });
    json views = json::array();
    for (const auto* one : found)
      views.push_back(view_of(*types_.at(type).type, *one));
    return views;
  }

  decision decide(const entity_ref& to, const sb_message& msg) {
    const auto& known = types_.at(to.type);
    const auto saved = entities_.find({to.type, to.id});
    const sb_context where{sizeof(sb_context), bytes(to.id), mail_.now().time_since_epoch().count(),
                           mail_.dice().random(), bytes(known.settings)};
    if (mail_.crashes()) {
      ++crashes_;
      decision none;
      none.failure = "crashed by the test kit";
      return none;
    }
    auto made = decide_once(*known.type, saved == entities_.end() ? nullptr : &saved->second, msg, where);
    if (made.failure.empty())
      made.failure = lost_event_of(made);
    if (made.failure.empty())
      commit(to, made, msg);
    else
      failures_.push_back(to.type + "/" + to.id + ": " + made.failure);
    return made;
  }

  /// An event goes to `<its first word>.events`, which a node has for each of its types and a few more; elsewhere the
  /// host can only warn that nobody will see it. Empty: there is none such.
  std::string lost_event_of(const decision& made) const {
    const auto among = [](const auto& names, std::string_view name) {
      return std::find(names.begin(), names.end(), name) != names.end();
    };
    for (const auto& one : made.events) {
      const auto resource = one.type.substr(0, one.type.find('.'));
      if (!types_.contains(resource) && !among(documented_resources, resource) && !among(event_resources, resource))
        return "event " + one.type + " would be lost: there is no type '" + resource + "'";
    }
    return {};
  }

  void commit(const entity_ref& self, decision& made, const sb_message& cause) {
    const std::pair key{self.type, self.id};
    const auto before = observer_ ? state(self.type, self.id) : json{};
    // Whose an entity is stays so to its last message; where there is none, its answer is of who asked.
    const auto known = entities_.find(key);
    const std::string customer_id = made.state ? made.state->customer_id
                                    : known != entities_.end()
                                        ? known->second.customer_id
                                        : std::string{cause.customer_id.data, cause.customer_id.size};
    if (made.ended) {
      entities_.erase(key);
      for (const auto& name : timers(self.type, self.id))
        mail_.disarm({self.type, self.id, name});
    } else if (made.state) {
      const auto found = entities_.find(key);
      made.state->order = found == entities_.end() ? ++order_ : found->second.order;
      entities_[key] = *made.state;
    }
    for (auto& [name, delay, payload] : made.timers) {
      mail_.disarm({self.type, self.id, name});
      if (delay && !made.ended)
        mail_.arm({self.type, self.id, name}, *delay, std::move(payload));
    }
    for (auto& one : made.events) {
      one.at = mail_.now();
      tell_subscribers(self, one);
      events_.push_back(std::move(one));
    }
    for (auto& one : made.sends) {
      one.from = self;
      one.customer_id = customer_id;
      mail_.post(std::move(one));
    }
    if (observer_)
      observer_(self, before, state(self.type, self.id));
  }

  void tell_subscribers(const entity_ref& self, const seen_event& event) {
    for (const auto& [name, known] : types_) {
      for (std::size_t i = 0; i < known.type->subscription_count; ++i) {
        const auto& one = known.type->subscriptions[i];
        if (event.type != one.event_type)
          continue;
        if (!one.key)
          post_event({name, event.resource_id}, self, event, true);
        else if (event.data.contains(one.key) && event.data[one.key].is_string())
          post_event({name, event.data[one.key].get<std::string>()}, self, event, false);
      }
    }
  }
  void post_event(entity_ref to, const entity_ref& self, const seen_event& event, bool may_create) {
    mail_.post(
        {message_kind::event, self, std::move(to), event.type, event.data.dump(), event.customer_id, may_create});
  }

  void deliver(delivery one) {
    if (!types_.contains(one.to.type)) {
      outside_.push_back(std::move(one));
      return;
    }
    if (mail_.stand_behind(one))
      return;
    // Its timers went with it; events are for those who exist.
    const bool for_existing = one.kind == message_kind::timer || (one.kind == message_kind::event && !one.may_create);
    if (for_existing && !entities_.contains({one.to.type, one.to.id}))
      return mail_.over(one);
    const auto message_id = mail_.make_uuid();
    const sb_message msg{sizeof(sb_message),
                         static_cast<sb_message_kind>(one.kind),
                         bytes(message_id),
                         bytes(one.customer_id),
                         bytes(one.name),
                         {},
                         {},
                         bytes(one.from.type),
                         bytes(one.from.id),
                         {},
                         bytes(one.body)};
    const auto made = decide(one.to, msg);
    if (!made.failure.empty()) {
      if (made.kind != SB_PERMANENT && mail_.try_again(one))
        return;
      dead_letters_.push_back({one, made.failure});
    }
    mail_.over(one);
  }

  mail mail_;
  std::uint64_t order_ = 0;
  std::map<std::string, known_type> types_;
  std::map<std::pair<std::string, std::string>, entity_record> entities_;
  std::vector<seen_event> events_;
  std::vector<delivery> outside_;
  std::function<void(const entity_ref&, const json&, const json&)> observer_;
  std::vector<std::string> failures_;
  std::vector<dead_letter> dead_letters_;
  std::size_t crashes_ = 0;
};

} // namespace switchboard::sdk::test_kit
