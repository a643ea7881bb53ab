// The map of this file: views, requests of customers, the bridge's question and reports.
#include "actors/webhook/webhook.hpp"

#include <algorithm>
#include <utility>

#include "messages/event_pattern.hpp"
#include "messages/http_url.hpp"

namespace switchboard::telephony {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(webhook, id, customer_id, name, uri, secret, event_types, enabled, status,
                                   last_error, dead_letters, status_since, created, updated)

namespace {

using result = sdk::outcome<webhook>;
using sdk::body_reader;
using sdk::context;
using sdk::message;

constexpr std::size_t patterns_max = 50;

/// Without the secret: it goes to event streams and to whoever may read webhooks.
json view(const webhook& w) {
  return {{"id", w.id},
          {"customer_id", w.customer_id},
          {"name", w.name},
          {"uri", w.uri},
          {"event_types", w.event_types},
          {"enabled", w.enabled},
          {"status", sdk::text(w.status)},
          {"last_error", w.last_error},
          {"dead_letters", w.dead_letters},
          {"tm_status", sdk::shown(w.status_since)},
          {"tm_create", sdk::shown(w.created)},
          {"tm_update", sdk::shown(w.updated)}};
}

// -- requests of customers --------------------------------------------------------------------------------------------

void read_target(body_reader& in, webhook& w) {
  w.uri = in.text("uri", w.uri);
  if (const auto read = parse_http_url(w.uri); !read)
    in.complain_of("uri", read.error().what);
  w.secret = in.text("secret", w.secret);
  if (!is_webhook_secret(w.secret))
    in.complain_of("secret", "must be of 16 to 256 visible ASCII characters");
}

/// What may be given at creation and changed later; members that are not there stay as they are.
void read_webhook(body_reader& in, webhook& w) {
  w.name = in.text("name", w.name);
  w.enabled = in.flag("enabled", w.enabled);
  read_target(in, w);
  if (!in.find("event_types"))
    return;
  w.event_types = in.texts("event_types", patterns_max);
  if (w.event_types.empty() || !std::all_of(w.event_types.begin(), w.event_types.end(), is_event_pattern))
    in.complain_of("event_types", R"(must be a list of types such as "call.ended", "call.*" or "*")");
}

result create(const message& msg, const context& ctx) {
  body_reader in{msg};
  webhook w;
  w.id = ctx.id();
  w.customer_id = sdk::read_customer(in, msg);
  read_webhook(in, w);
  if (in.wrong())
    return sdk::refused<webhook>(*in.wrong());
  w.created = w.updated = ctx.now();
  result out;
  out.event("webhook.created", view(w)).reply(200, view(w)).next(std::move(w));
  return out;
}

result show(webhook w, const message&, const context&) {
  result out;
  out.reply(200, view(w));
  return out;
}

result update(webhook w, const message& msg, const context& ctx) {
  body_reader in{msg};
  const auto before = w.uri;
  read_webhook(in, w);
  if (in.wrong())
    return sdk::refused<webhook>(*in.wrong());
  if (w.uri != before) { // what is known is of another target
    w.status = webhook_status::unknown;
    w.last_error.clear();
  }
  w.updated = ctx.now();
  result out;
  out.event("webhook.updated", view(w)).reply(200, view(w)).next(std::move(w));
  return out;
}

result remove(webhook w, const message&, const context&) {
  result out;
  out.event("webhook.deleted", view(w)).reply(200, view(w)).end();
  return out;
}

// -- the bridge -------------------------------------------------------------------------------------------------------

/// With the secret, so only for inside callers; for anybody else there is no such route.
result show_target(webhook w, const message& msg, const context&) {
  if (!msg.customer_id.empty())
    return sdk::refused<webhook>(404, "NOT_FOUND", "no such route: GET " + msg.route);
  result out;
  out.reply(200, {{"id", w.id},
                  {"customer_id", w.customer_id},
                  {"uri", w.uri},
                  {"secret", w.secret},
                  {"event_types", w.event_types},
                  {"enabled", w.enabled}});
  return out;
}

/// The status changes here only, and is announced when it does.
void enter(webhook& w, webhook_status next, const context& ctx, result& out) {
  if (w.status == next)
    return;
  const bool was_failing = std::exchange(w.status, next) == webhook_status::failing;
  w.status_since = ctx.now();
  if (next == webhook_status::failing)
    out.event("webhook.failing", view(w));
  else if (was_failing)
    out.event("webhook.recovered", view(w));
}

result delivered(webhook w, const message&, const context& ctx) {
  result out;
  enter(w, webhook_status::delivering, ctx, out);
  out.next(std::move(w));
  return out;
}

/// The first failure after successes, or one that was given up (`dead`).
result delivery_failed(webhook w, const message& msg, const context& ctx) {
  body_reader in{msg};
  w.last_error = in.text("error", "unknown");
  result out;
  enter(w, webhook_status::failing, ctx, out);
  if (in.flag("dead", false)) {
    ++w.dead_letters;
    auto data = view(w);
    for (const char* name : {"event_id", "event_type", "http_status", "attempts", "transient"})
      if (const auto* value = in.find(name))
        data[name] = *value;
    out.event("webhook.delivery_dead", std::move(data));
  }
  out.next(std::move(w));
  return out;
}

} // namespace

const sdk::entity_type<webhook>& webhook_type() {
  using namespace sdk;
  using w = webhook;
  static const entity_type<w> made{"webhook",
                                   "webhook",
                                   1,
                                   view,
                                   {
                                       creates<w>("POST", "/v1/webhooks", create),
                                       lists<w>("GET", "/v1/webhooks"),
                                       answers<w>("GET", "/v1/webhooks/{id}", show),
                                       answers<w>("PUT", "/v1/webhooks/{id}", update),
                                       answers<w>("DELETE", "/v1/webhooks/{id}", remove),
                                       answers<w>("GET", "/v1/webhooks/{id}/target", show_target),
                                       told<w>("delivered", delivered),
                                       told<w>("delivery_failed", delivery_failed),
                                   }};
  return made;
}

} // namespace switchboard::telephony
