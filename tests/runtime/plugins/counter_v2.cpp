// The counter's next version: it saves its state in another form, adds ten at a time, doubles on request, and listens
// to storms instead of the weather. Two others are made of it:
//   COUNTER_ONE_WAY   can't be taken back, and refuses the state 666
//   COUNTER_FAULTY    fails when it adds
#define SWITCHBOARD_COUNTER_V2
#include "tests/runtime/plugins/counter.cpp"

namespace switchboard::test {

namespace {

json save_v2(const counter& c) { return {{"customer_id", c.customer_id}, {"count", c.value}, {"heard", c.heard}}; }
counter load_v2(const json& saved) {
  const counter c{saved.at("customer_id"), saved.at("count"), saved.at("heard")};
#ifdef COUNTER_ONE_WAY
  if (c.value == 666)
    throw std::runtime_error("a number it does not like");
#endif
  return c;
}
json renamed(json from, const char* before, const char* after) {
  auto value = from.at(before);
  from.erase(before);
  from[after] = std::move(value);
  return from;
}
json upgrade(json older, std::uint32_t) { return renamed(std::move(older), "value", "count"); }
json downgrade(json newer, std::uint32_t) { return renamed(std::move(newer), "count", "value"); }

result changed(counter c, const context& ctx) {
  result out;
  out.next(c).event("counter.changed", shown(c, ctx)).reply(200, shown(c, ctx));
  return out;
}
result add_ten(counter c, const message&, const context& ctx) {
#ifdef COUNTER_FAULTY
  if (c.value >= 0)
    throw std::runtime_error("it can't add");
#endif
  c.value += 10;
  return changed(c, ctx);
}
result double_it(counter c, const message&, const context& ctx) {
  c.value *= 2;
  return changed(c, ctx);
}

} // namespace

const sdk::entity_type<counter>& counter_type_v2() {
  using namespace sdk;
  static const entity_type<counter> made{"counter",
                                         "counter",
                                         2,
                                         view,
                                         {
                                             creates<counter>("POST", "/v1/counters", create),
                                             lists<counter>("GET", "/v1/counters"),
                                             answers<counter>("GET", "/v1/counters/{id}", show),
                                             answers<counter>("DELETE", "/v1/counters/{id}", end),
                                             answers<counter>("POST", "/v1/counters/{id}/add", add_ten),
                                             answers<counter>("POST", "/v1/counters/{id}/double", double_it),
                                             answers<counter>("POST", "/v1/counters/{id}/remind", remind),
                                             answers<counter>("POST", "/v1/counters/{id}/tell", tell),
                                             told<counter>("bump", bump, bump_new),
                                             timer<counter>("remind", reminded),
                                             hears<counter>("storm.changed", "counter_id", hear),
                                         },
                                         upgrade,
#ifdef COUNTER_ONE_WAY
                                         nullptr,
#else
                                         downgrade,
#endif
                                         save_v2,
                                         load_v2};
  return made;
}

} // namespace switchboard::test

#if defined(COUNTER_ONE_WAY)
SWITCHBOARD_PLUGIN("counter", "3.0.0", &switchboard::test::counter_type_v2)
#elif defined(COUNTER_FAULTY)
SWITCHBOARD_PLUGIN("counter", "4.0.0", &switchboard::test::counter_type_v2)
#else
SWITCHBOARD_PLUGIN("counter", "2.0.0", &switchboard::test::counter_type_v2)
#endif
