// The C++ side of the ABI: describe an entity type by values, get the C functions the host calls.
//
// Every function below is a boundary: no exception leaves it. The live instance keeps the parsed state; a failed
// decision leaves it as it was.
#pragma once

#include <algorithm>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "messages/json_object.hpp"
#include "sdk/abi.h"
#include "sdk/address.hpp"
#include "sdk/behavior.hpp"
#include "sdk/body.hpp"
#include "sdk/message.hpp"
#include "sdk/names.hpp"
#include "sdk/outcome.hpp"

namespace switchboard::sdk {

/// One kind of entity. Lives as long as the process.
template <class State>
struct entity_type {
  const char* type;           ///< "call"
  const char* service;        ///< "call", or nullptr if no request reaches it
  std::uint32_t version;      ///< of the saved state; raise it when to_json changes its meaning
  json (*view)(const State&); ///< what others see
  sdk::behavior<State> behavior;
  /// Turns a state saved by an older version into today's JSON; nullptr: today's from_json reads all older ones.
  json (*upgrade)(json older, std::uint32_t version) = nullptr;
  /// Turns today's JSON into what version `older` saved, so that an upgrade can be taken back; nullptr: it can't be,
  /// once there are states of today's version.
  json (*downgrade)(json newer, std::uint32_t older) = nullptr;
  // Made where the type is described, so that to_json and from_json need not be seen by anybody else.
  json (*save)(const State&) = [](const State& state) { return json(state); };
  State (*load)(const json&) = [](const json& saved) { return saved.template get<State>(); };
};

namespace detail {

inline sb_bytes bytes_of(std::string_view text) noexcept { return {text.data(), text.size()}; }
inline std::string string_of(sb_bytes bytes) {
  return bytes.size ? std::string{bytes.data, bytes.size} : std::string{};
}

inline message message_of(const sb_message& from) {
  message made;
  made.kind = static_cast<message_kind>(from.kind);
  made.id = string_of(from.message_id);
  made.customer_id = string_of(from.customer_id);
  made.name = string_of(from.name);
  made.route = string_of(from.route);
  made.query = string_of(from.query);
  made.from_type = string_of(from.from_type);
  made.from_id = string_of(from.from_id);
  made.headers_text = string_of(from.headers);
  made.body_text = string_of(from.body);
  return made;
}

/// Hands effects to the host; each text lives for its call only.
struct effect_writer {
  sb_outcome& out;
  const std::string& customer_id;
  const std::string& entity_id;

  void operator()(const reply_effect& e) const { out.reply(out.self, e.status, bytes_of(dump(e.body))); }
  void operator()(const refuse_effect& e) const {
    out.refuse(out.self, e.status, bytes_of(e.reason), bytes_of(e.text));
  }
  void operator()(const event_effect& e) const {
    const auto& about = e.resource_id.empty() ? entity_id : e.resource_id;
    out.event(out.self, bytes_of(e.type), bytes_of(customer_id), bytes_of(about), bytes_of(dump(e.data)));
  }
  void operator()(const send_effect& e) const {
    out.send(out.self, bytes_of(e.to.type), bytes_of(e.to.id), bytes_of(e.name), bytes_of(dump(e.body)));
  }
  void operator()(const arm_effect& e) const {
    out.arm_timer(out.self, bytes_of(e.name), e.delay.count(), bytes_of(dump(e.payload)));
  }
  void operator()(const cancel_effect& e) const { out.cancel_timer(out.self, bytes_of(e.name)); }
};

/// How often a request was answered: must be once, and never for anything else.
inline std::size_t replies_in(const std::vector<effect>& effects) {
  return static_cast<std::size_t>(std::count_if(effects.begin(), effects.end(), [](const effect& e) {
    return std::holds_alternative<reply_effect>(e) || std::holds_alternative<refuse_effect>(e);
  }));
}

/// The settings hardly ever change, so they are parsed once for all entities.
struct parsed_settings {
  std::string text;
  std::shared_ptr<const json> value;

  static std::shared_ptr<const parsed_settings> of(std::string_view text) {
    static std::mutex mutex;
    static std::map<std::string, std::shared_ptr<const parsed_settings>, std::less<>> known;
    const std::lock_guard hold{mutex};
    if (const auto found = known.find(text); found != known.end())
      return found->second;
    auto parsed = text.empty() ? expected<json>{json::object()} : parse_json(text);
    if (!parsed || !parsed->is_object())
      throw std::runtime_error("settings are not a JSON object");
    auto made = std::make_shared<const parsed_settings>(
        parsed_settings{std::string{text}, std::make_shared<const json>(*std::move(parsed))});
    known.emplace(text, made);
    return made;
  }
};

template <class Type>
struct state_of;
template <class State>
struct state_of<const entity_type<State>& (*)()> {
  using type = State;
};

/// The C functions of one type. `Type` is a function `const entity_type<State>& ()`: the ABI has no room for more.
template <auto Type>
class binding {
  using state = typename state_of<decltype(Type)>::type;

  struct instance {
    std::optional<state> now;
    std::shared_ptr<const parsed_settings> settings;

    const std::shared_ptr<const json>& settings_from(sb_bytes text) {
      const std::string_view given{text.data, text.size};
      if (!settings || given != settings->text)
        settings = parsed_settings::of(given);
      return settings->value;
    }
  };

  static void* open(sb_bytes bytes, std::uint32_t version, sb_sink* why_not) {
    try {
      auto made = std::make_unique<instance>();
      if (bytes.size)
        made->now = read_state({bytes.data, bytes.size}, version);
      return made.release();
    } catch (const std::exception& e) {
      if (why_not)
        why_not->write(why_not->self, bytes_of(e.what()));
      return nullptr;
    }
  }

  static state read_state(std::string_view text, std::uint32_t version) {
    const auto& type = Type();
    if (version > type.version)
      throw std::runtime_error("the state is of a newer version: " + std::to_string(version));
    auto parsed = parse_json(text, std::size_t{64} << 20);
    if (!parsed)
      throw std::runtime_error("the state can't be read: " + parsed.error().what);
    if (version < type.version && type.upgrade)
      return type.load(type.upgrade(*std::move(parsed), version));
    return type.load(*parsed);
  }

  static int decide(void* self, const sb_message* from, const sb_context* where, sb_outcome* out) {
    try {
      auto& live = *static_cast<instance*>(self);
      auto msg = message_of(*from);
      const context ctx{string_of(where->entity_id), time_point{milliseconds{where->now_ms}}, where->random,
                        live.settings_from(where->settings)};
      auto made = Type().behavior.decide(live.now ? &*live.now : nullptr, msg, ctx);
      if (const auto replies = replies_in(made.effects()); replies != (msg.kind == message_kind::request ? 1U : 0U))
        throw std::logic_error(msg.name + " was answered " + std::to_string(replies) + " times");
      write(live, msg, ctx, made, *out);
      if (made.ended())
        live.now.reset();
      else if (made.next_state())
        live.now = made.next_state();
      return 0;
    } catch (const transient_error& e) {
      fail_as(*out, SB_TRANSIENT, e.what());
    } catch (const permanent_error& e) {
      fail_as(*out, SB_PERMANENT, e.what());
    } catch (const std::exception& e) {
      out->fail(out->self, bytes_of(e.what()));
    } catch (...) {
      out->fail(out->self, bytes_of("an exception of an unknown type"));
    }
    return 1;
  }

  /// A host of minor 0 knows one kind of failure.
  static void fail_as(sb_outcome& out, sb_failure kind, const char* text) {
    if (out.size >= sizeof(sb_outcome))
      out.fail_as(out.self, kind, bytes_of(text));
    else
      out.fail(out.self, bytes_of(text));
  }

  static void write(const instance& live, const message& msg, const context& ctx, const outcome<state>& made,
                    sb_outcome& out) {
    const auto& next = made.next_state() ? made.next_state() : live.now;
    const auto& customer_id = next ? next->customer_id : msg.customer_id;
    for (const auto& one : made.effects())
      std::visit(effect_writer{out, customer_id, ctx.id()}, one);
    if (made.ended())
      out.end(out.self);
    else if (made.next_state())
      out.state(out.self, Type().version, bytes_of(customer_id), bytes_of(dump(Type().save(*made.next_state()))));
  }

  static void view(void* self, sb_sink* sink) {
    try {
      const auto& live = *static_cast<const instance*>(self);
      sink->write(sink->self, bytes_of(live.now ? dump(Type().view(*live.now)) : "null"));
    } catch (const std::exception&) { // a view that throws shows nothing; the entity itself is not at fault
      sink->write(sink->self, bytes_of("null"));
    }
  }

  static void close(void* self) { delete static_cast<instance*>(self); }

  static int downgrade(sb_bytes bytes, std::uint32_t version, std::uint32_t older, sb_sink* out) {
    try {
      const auto& type = Type();
      // Through today's state, so that one of a version between the two is understood as well.
      const auto now = type.save(read_state({bytes.data, bytes.size}, version));
      out->write(out->self, bytes_of(dump(type.downgrade(now, older))));
      return 0;
    } catch (const std::exception& e) {
      out->write(out->self, bytes_of(e.what()));
      return 1;
    }
  }

  struct tables {
    std::vector<sb_route> routes;
    std::vector<sb_subscription> subscriptions;
    sb_entity_type type{};
  };

  static tables make_tables() {
    const auto& from = Type();
    tables made;
    for (const auto& one : from.behavior.rows()) {
      if (one.kind == message_kind::request)
        made.routes.push_back({one.name, one.pattern, one.target, one.key});
      if (one.kind == message_kind::event)
        made.subscriptions.push_back({one.name, one.key});
    }
    made.type = {sizeof(sb_entity_type),
                 from.type,
                 from.service,
                 from.version,
                 made.routes.data(),
                 made.routes.size(),
                 made.subscriptions.data(),
                 made.subscriptions.size(),
                 &open,
                 &decide,
                 &view,
                 &close,
                 from.downgrade ? &downgrade : nullptr};
    return made;
  }

public:
  static const sb_entity_type& get() {
    static const tables made = make_tables(); // moving a vector keeps its elements where they are
    return made.type;
  }
};

} // namespace detail

/// The C description of a type: `sdk::abi_of<&call::type>()`.
template <auto Type>
const sb_entity_type& abi_of() {
  return detail::binding<Type>::get();
}

} // namespace switchboard::sdk
