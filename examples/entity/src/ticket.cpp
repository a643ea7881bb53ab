// A ticket: something that is to be done for a customer. It reminds, by an event, until it is closed. Keep decisions
// pure: what a handler returns depends on the state, the message and the context, on nothing else.
#include "sdk/plugin.hpp"

namespace {

using namespace switchboard;
using sdk::context, sdk::message;

/// Saved after each change. A member that is added has its default in older states; when one changes its meaning, raise
/// the version below and give entity_type an upgrade.
struct state {
  std::string customer_id;
  std::string id;
  std::string text;
  std::int64_t reminders = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(state, customer_id, id, text, reminders)
using outcome = sdk::outcome<state>;

/// What others see of it, also in lists. It knows only the state, so the id is kept there.
json view(const state& now) { return {{"id", now.id}, {"text", now.text}, {"reminders", now.reminders}}; }

outcome create(const message& msg, const context& ctx) {
  sdk::body_reader in{msg};
  const state made{sdk::read_customer(in, msg), ctx.id(), in.text("text"), 0};
  if (in.wrong())
    return sdk::refused<state>(*in.wrong());
  outcome out;
  out.next(made).event("ticket.created", view(made)).reply(200, view(made));
  return out.arm("remind", ctx.setting("remind_ms", std::chrono::minutes{10}));
}
outcome show(state now, const message&, const context&) { return outcome{}.reply(200, view(now)); }
outcome close(state now, const message&, const context&) {
  return outcome{}.end().event("ticket.closed", view(now)).reply(200, view(now)); // its timer ends with it
}
outcome remind(state now, const message&, const context& ctx) {
  ++now.reminders;
  return outcome{}
      .next(now)
      .event("ticket.reminded", view(now))
      .arm("remind", ctx.setting("remind_ms", std::chrono::minutes{10}));
}

const sdk::entity_type<state>& type() {
  static const sdk::entity_type<state> made{
      "ticket", // the type, and the service its requests come to
      "ticket",
      1, // version of the saved state
      view,
      {sdk::creates<state>("POST", "/v1/tickets", create), sdk::lists<state>("GET", "/v1/tickets"),
       sdk::answers<state>("GET", "/v1/tickets/{id}", show), sdk::answers<state>("DELETE", "/v1/tickets/{id}", close),
       sdk::timer<state>("remind", remind)}};
  return made;
}

} // namespace

SWITCHBOARD_PLUGIN("ticket", "1.0.0", &type)
