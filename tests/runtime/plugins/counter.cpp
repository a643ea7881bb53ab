// The entity that the tests of the runtime run: it counts, and does on request whatever an entity can do.
#include <stdexcept>
#include <thread>

#include "sdk/plugin.hpp"

namespace switchboard::test {

struct counter {
  std::string customer_id;
  std::int64_t value = 0;
  std::string heard; ///< of the last event
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(counter, customer_id, value, heard)

namespace {

using result = sdk::outcome<counter>;
using sdk::context;
using sdk::message;

json view(const counter& c) { return {{"customer_id", c.customer_id}, {"value", c.value}, {"heard", c.heard}}; }

json shown(const counter& c, const context& ctx) {
  auto body = view(c);
  body["id"] = ctx.id();
  return body;
}

result create(const message& msg, const context& ctx) {
  sdk::body_reader in{msg};
  counter c{msg.customer_id, in.integer("value", 0, -1000, 1000), {}};
  if (in.wrong())
    return sdk::refused<counter>(400, "INVALID", in.wrong()->what);
  result out;
  out.next(c).event("counter.created", shown(c, ctx)).reply(200, shown(c, ctx));
  return out;
}

result show(counter c, const message&, const context& ctx) {
  result out;
  out.reply(200, shown(c, ctx));
  return out;
}

result add(counter c, const message&, const context& ctx) {
  ++c.value;
  result out;
  out.next(c).event("counter.changed", shown(c, ctx)).reply(200, shown(c, ctx));
  return out;
}

result remind(counter, const message& msg, const context&) {
  result out;
  out.arm("remind", sdk::body_reader{msg}.duration("delay_ms", milliseconds{0})).reply(200, nullptr);
  return out;
}
result forget(counter, const message&, const context&) {
  result out;
  out.cancel("remind").reply(200, nullptr);
  return out;
}
result reminded(counter c, const message&, const context& ctx) {
  result out;
  out.event("counter.reminded", shown(c, ctx));
  return out;
}

/// Tells another counter, which may not exist yet.
result tell(counter, const message& msg, const context&) {
  sdk::body_reader in{msg};
  result out;
  const auto until = in.integer("until_ms", 0, 0, std::int64_t{1} << 50);
  out.send({"counter", in.identity("to")}, in.text("what", "bump"), {{"until_ms", until}}).reply(200, nullptr);
  return out;
}
result bump(counter c, const message&, const context& ctx) {
  ++c.value;
  result out;
  out.next(c).event("counter.bumped", shown(c, ctx));
  return out;
}
result bump_new(const message& msg, const context& ctx) { return bump({msg.customer_id, 0, {}}, msg, ctx); }

result hear(counter c, const message& msg, const context& ctx) {
  c.heard = msg.from_id;
  ++c.value;
  result out;
  out.next(c).event("counter.heard", shown(c, ctx));
  return out;
}

result end(counter c, const message&, const context& ctx) {
  result out;
  out.end().event("counter.ended", shown(c, ctx)).reply(200, nullptr);
  return out;
}

/// Can't do it before the time it is told.
result wait_for(counter c, const message& msg, const context& ctx) {
  ++c.value;
  if (ctx.now() < time_point{milliseconds{sdk::body_reader{msg}.integer("until_ms", 0, 0, std::int64_t{1} << 50)}})
    throw sdk::transient_error("it is not time yet");
  result out;
  out.next(c).event("counter.changed", shown(c, ctx));
  if (msg.kind == sdk::message_kind::request)
    out.reply(200, shown(c, ctx));
  return out;
}
result never(counter, const message&, const context&) { throw sdk::permanent_error("it never works"); }

result fail(counter, const message&, const context&) { throw std::runtime_error("asked to fail"); }

/// What no decision may do: it holds its thread for so long.
result block(counter, const message& msg, const context&) {
  std::this_thread::sleep_for(sdk::body_reader{msg}.duration("ms", milliseconds{0}));
  result out;
  out.reply(200, nullptr);
  return out;
}

} // namespace

const sdk::entity_type<counter>& counter_type() {
  using namespace sdk;
  static const entity_type<counter> made{"counter",
                                         "counter",
                                         1,
                                         view,
                                         {
                                             creates<counter>("POST", "/v1/counters", create),
                                             lists<counter>("GET", "/v1/counters"),
                                             answers<counter>("GET", "/v1/counters/{id}", show),
                                             answers<counter>("DELETE", "/v1/counters/{id}", end),
                                             answers<counter>("POST", "/v1/counters/{id}/add", add),
                                             answers<counter>("POST", "/v1/counters/{id}/remind", remind),
                                             answers<counter>("POST", "/v1/counters/{id}/forget", forget),
                                             answers<counter>("POST", "/v1/counters/{id}/tell", tell),
                                             answers<counter>("POST", "/v1/counters/{id}/fail", fail),
                                             answers<counter>("POST", "/v1/counters/{id}/wait", wait_for),
                                             answers<counter>("POST", "/v1/counters/{id}/never", never),
                                             answers<counter>("POST", "/v1/counters/{id}/block", block),
                                             answers_by<counter>("counter_id", "POST", "/v1/additions", add),
                                             told<counter>("bump", bump, bump_new),
                                             told<counter>("fail", fail),
                                             told<counter>("never", never),
                                             told<counter>("wait", wait_for),
                                             timer<counter>("fail", fail),
                                             timer<counter>("remind", reminded),
                                             hears<counter>("weather.changed", "counter_id", hear),
                                         }};
  return made;
}

} // namespace switchboard::test

#ifndef SWITCHBOARD_COUNTER_V2 // which is made of this
SWITCHBOARD_PLUGIN("counter", "1.0.0", &switchboard::test::counter_type)
#endif
