#include "actors/flow/flow.hpp"

#include <utility>

namespace switchboard::telephony {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(flow, id, customer_id, name, detail, actions, created, updated)

namespace flows {
namespace {

using result = sdk::outcome<flow>;
using sdk::body_reader;
using sdk::context;
using sdk::message;

json view(const flow& f) {
  return {{"id", f.id},
          {"customer_id", f.customer_id},
          {"name", f.name},
          {"detail", f.detail},
          {"actions", f.actions},
          {"tm_create", sdk::shown(f.created)},
          {"tm_update", sdk::shown(f.updated)}};
}

result create(const message& msg, const context& ctx) {
  body_reader in{msg};
  flow f;
  f.id = ctx.id();
  f.customer_id = sdk::read_customer(in, msg);
  f.name = in.text("name");
  f.detail = in.text("detail");
  f.actions = read_actions(in, "actions");
  if (in.wrong())
    return sdk::refused<flow>(*in.wrong());
  f.created = f.updated = ctx.now();
  result out;
  out.event("flow.created", view(f)).reply(200, view(f)).next(std::move(f));
  return out;
}

result show(flow f, const message&, const context&) {
  result out;
  out.reply(200, view(f));
  return out;
}

/// Runs that have begun go on with the actions they began with.
result update(flow f, const message& msg, const context& ctx) {
  body_reader in{msg};
  f.name = in.text("name", f.name);
  f.detail = in.text("detail", f.detail);
  if (in.find("actions"))
    f.actions = read_actions(in, "actions");
  if (in.wrong())
    return sdk::refused<flow>(*in.wrong());
  f.updated = ctx.now();
  result out;
  out.event("flow.updated", view(f)).reply(200, view(f)).next(std::move(f));
  return out;
}

result remove(flow f, const message&, const context&) {
  result out;
  out.event("flow.deleted", view(f)).reply(200, view(f)).end();
  return out;
}

// -- a run asks for the actions ---------------------------------------------------------------------------------------

result no_such_flow(const message& msg, const context&) {
  result out;
  out.send(msg.sender(), "flow_refused", {{"reason", "not_found"}});
  return out;
}

result tell_actions(flow f, const message& msg, const context& ctx) {
  if (body_reader{msg}.text("customer_id") != f.customer_id)
    return no_such_flow(msg, ctx); // another tenant must not learn that there is one
  result out;
  out.send(msg.sender(), "flow_actions", {{"flow_id", f.id}, {"actions", f.actions}});
  return out;
}

} // namespace
} // namespace flows

const sdk::entity_type<flow>& flow_type() {
  using namespace sdk;
  using namespace flows;
  using f = flow;
  static const entity_type<f> made{"flow",
                                   "flow",
                                   1,
                                   view,
                                   {
                                       creates<f>("POST", "/v1/flows", create),
                                       lists<f>("GET", "/v1/flows"),
                                       answers<f>("GET", "/v1/flows/{id}", show),
                                       answers<f>("PUT", "/v1/flows/{id}", update),
                                       answers<f>("DELETE", "/v1/flows/{id}", remove),
                                       told<f>("fetch_flow", tell_actions, no_such_flow),
                                   }};
  return made;
}

} // namespace switchboard::telephony
