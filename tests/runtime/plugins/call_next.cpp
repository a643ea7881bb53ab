// The call's next version, for upgrades under load: the same decisions, its state in another form.
#include "actors/call/call.hpp"

#include "sdk/plugin.hpp"

namespace switchboard::test {

using telephony::call;

namespace {

json wrapped(json state) { return {{"saved_by", "3.0.0"}, {"call", std::move(state)}}; }

json save(const call& state) { return wrapped(telephony::call_type().save(state)); }
call load(const json& saved) { return telephony::call_type().load(saved.at("call")); }
json upgrade(json older, std::uint32_t version) {
  const auto& before = telephony::call_type();
  return wrapped(version < before.version && before.upgrade ? before.upgrade(std::move(older), version)
                                                            : std::move(older));
}
json downgrade(json newer, std::uint32_t older) {
  const auto& before = telephony::call_type();
  auto state = newer.at("call");
  return older < before.version && before.downgrade ? before.downgrade(std::move(state), older) : state;
}

} // namespace

const sdk::entity_type<call>& call_type_next() {
  static const auto made = [] {
    auto next = telephony::call_type();
    ++next.version;
    next.save = save;
    next.load = load;
    next.upgrade = upgrade;
    next.downgrade = downgrade;
    return next;
  }();
  return made;
}

} // namespace switchboard::test

SWITCHBOARD_PLUGIN("call", "3.0.0", &switchboard::test::call_type_next)
