// The map of this file: state and view, steps that several handlers share, requests, the account's orders and answers,
// the call's, timers.
#include "actors/billing/billing.hpp"

#include <algorithm>
#include <utility>

#include "actors/billing/rate_json.hpp"

namespace switchboard::telephony {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(billing, id, customer_id, status, destination, priced_by, granted_micro, asked, over,
                                   followed, length, segments, amount_micro, uncollected_micro, reason, started, ended,
                                   created, updated)

namespace {

using billing_result = sdk::outcome<billing>;
using sdk::body_reader;
using sdk::context;
using sdk::message;

constexpr milliseconds quota_default = std::chrono::seconds{60};           // of talk, reserved at a time
constexpr milliseconds ahead_default = std::chrono::seconds{1};            // so long before its end more is asked for
constexpr milliseconds account_timeout_default = std::chrono::seconds{30}; // an account that does not answer
constexpr milliseconds release_default = std::chrono::seconds{30};      // a call that was told to hang up and is silent
constexpr milliseconds follow_after_default = std::chrono::minutes{10}; // a long call is asked whether it still is
constexpr milliseconds overdue_default = std::chrono::hours{24 * 8};    // longer than the longest call
constexpr milliseconds keep_billing_default = std::chrono::hours{24 * 7};

json view_of_billing(const billing& b) {
  return {{"id", b.id},
          {"customer_id", b.customer_id},
          {"status", sdk::text(b.status)},
          {"kind", sdk::text(b.priced_by.kind)},
          {"destination", b.destination},
          {"rate", b.priced_by},
          {"reserved_micro", b.status == billing_status::settled ? 0 : b.granted_micro},
          {"length_ms", b.length.count()},
          {"rated_s", b.priced_by.kind == rate_kind::sms ? 0 : rated_seconds(b.priced_by, b.length)},
          {"segments", b.segments},
          {"amount_micro", b.amount_micro},
          {"uncollected_micro", b.uncollected_micro},
          {"reason", b.reason},
          {"tm_start", sdk::shown(b.started)},
          {"tm_end", sdk::shown(b.ended)},
          {"tm_create", sdk::shown(b.created)},
          {"tm_update", sdk::shown(b.updated)}};
}

// -- steps that several handlers share --------------------------------------------------------------------------------

sdk::entity_ref account_of(const billing& b) { return {"account", b.customer_id}; }

/// The call may still cost something.
bool is_running(const billing& b) {
  return !b.over && (b.status == billing_status::open || b.status == billing_status::hanging_up);
}

/// When what is granted is used up; nothing: never.
std::optional<time_point> paid_until(const billing& b) {
  const auto span = affordable(b.priced_by, b.granted_micro);
  return span ? std::optional{b.started + *span} : std::nullopt;
}

/// Asks the account for one more slice of talk; nothing if what there is lasts for ever.
void ask(billing& b, const context& ctx, billing_result& out) {
  const auto paid = affordable(b.priced_by, b.granted_micro);
  if (!paid)
    return;
  const auto talked = std::max(ctx.now() - b.started, milliseconds{0});
  const auto slice = std::max(ctx.setting("quota_ms", quota_default), milliseconds{1});
  const auto least = call_cost(b.priced_by, *paid + milliseconds{1}) - b.granted_micro;
  const auto wanted = std::max(call_cost(b.priced_by, std::max(talked, *paid) + slice) - b.granted_micro, least);
  b.asked = true;
  out.send(account_of(b), "reserve",
           {{"customer_id", b.customer_id}, {"amount_micro", wanted}, {"least_micro", least}});
  out.arm("grant", ctx.setting("account_timeout_ms", account_timeout_default));
}

void tell_call_to_hang_up(billing& b, std::string reason, const context& ctx, billing_result& out) {
  b.status = billing_status::hanging_up;
  b.reason = std::move(reason);
  out.send({"call", b.id}, "hang_up", {{"reason", b.reason}});
  out.arm("silence", ctx.setting("release_ms", release_default));
}

void send_settlement(billing& b, micros cost, billing_result& out) {
  b.status = billing_status::settling;
  b.amount_micro = cost;
  for (const char* timer : {"grant", "renew", "used_up", "silence", "overdue"})
    out.cancel(timer);
  out.send(account_of(b), "settle",
           {{"customer_id", b.customer_id}, {"amount_micro", cost}, {"granted_micro", b.granted_micro}});
}

/// The length is known. If we made the call end, the customer does not pay for the moment that took.
void settle_call(billing& b, billing_result& out) {
  const auto full = call_cost(b.priced_by, b.length);
  const auto cost = b.status == billing_status::hanging_up ? std::min(full, b.granted_micro) : full;
  b.uncollected_micro = full - cost;
  b.over = true;
  send_settlement(b, cost, out);
}

/// The call is over. While the account still owes an answer, that is waited for: what it grants is ours to give back.
void end_call(billing& b, milliseconds length, const context& ctx, billing_result& out) {
  b.length = std::clamp(length, milliseconds{0}, rated_max);
  b.ended = b.started + b.length;
  b.updated = ctx.now();
  b.over = true;
  if (!b.asked)
    settle_call(b, out);
}

// -- requests ---------------------------------------------------------------------------------------------------------

billing_result show_billing(billing b, const message&, const context&) {
  billing_result out;
  out.reply(200, view_of_billing(b));
  return out;
}

// -- the account orders and answers -----------------------------------------------------------------------------------

/// What all orders say; nothing if it isn't an account's, or has no rate.
std::optional<billing> read_order(body_reader& in, const message& msg, const context& ctx) {
  const auto* priced_by = in.find("rate");
  if (msg.from_type != "account" || !priced_by)
    return std::nullopt;
  billing b;
  b.id = ctx.id();
  b.customer_id = in.text("customer_id");
  b.destination = in.text("destination");
  b.priced_by = priced_by->get<rate>();
  b.started = time_point{milliseconds{in.integer("started", ctx.now().time_since_epoch().count(), 0, INT64_MAX)}};
  b.created = b.updated = ctx.now();
  return b;
}

billing_result open(const message& msg, const context& ctx) {
  body_reader in{msg};
  billing_result out;
  auto b = read_order(in, msg, ctx);
  if (!b)
    return out;
  out.arm("overdue", ctx.setting("overdue_ms", overdue_default));
  ask(*b, ctx, out);
  out.event("billing.created", view_of_billing(*b)).next(std::move(*b));
  return out;
}

/// Ids are the customer's to choose, and may be used again once a call was deleted: what begins later than the one we
/// know, which is paid, is another one.
bool is_another(const billing& known, body_reader& in) {
  const time_point started{milliseconds{in.integer("started", 0, 0, INT64_MAX)}};
  const bool is_paid = known.status == billing_status::settling || known.status == billing_status::settled;
  return is_paid && started > known.started;
}

billing_result open_again(billing b, const message& msg, const context& ctx) {
  body_reader in{msg};
  return is_another(b, in) ? open(msg, ctx) : billing_result{};
}

milliseconds length_in(body_reader& in) { return milliseconds{in.integer("length_ms", 0, 0, rated_max.count())}; }

/// Its answer was never heard of, or the account is younger than the call.
billing_result close_unopened(const message& msg, const context& ctx) {
  body_reader in{msg};
  billing_result out;
  auto b = read_order(in, msg, ctx);
  if (!b)
    return out;
  end_call(*b, length_in(in), ctx, out);
  out.event("billing.created", view_of_billing(*b)).next(std::move(*b));
  return out;
}

billing_result close(billing b, const message& msg, const context& ctx) {
  body_reader in{msg};
  billing_result out;
  if (msg.from_type != "account")
    return out;
  if (!is_running(b))
    return is_another(b, in) ? close_unopened(msg, ctx) : out;
  end_call(b, length_in(in), ctx, out);
  out.next(std::move(b));
  return out;
}

billing_result charge(const message& msg, const context& ctx) {
  body_reader in{msg};
  billing_result out;
  auto b = read_order(in, msg, ctx);
  if (!b)
    return out;
  b->segments = in.integer("segments", 1, 0, 1000);
  b->over = true;
  b->ended = b->started;
  send_settlement(*b, sms_cost(b->priced_by, b->segments), out);
  out.event("billing.created", view_of_billing(*b)).next(std::move(*b));
  return out;
}
/// A call of that very id is under way: then there is no record of it, but it is paid for.
billing_result charge_again(billing b, const message& msg, const context& ctx) {
  body_reader in{msg};
  if (is_another(b, in))
    return charge(msg, ctx);
  billing_result out;
  if (const auto ordered = is_running(b) ? read_order(in, msg, ctx) : std::nullopt)
    out.send(account_of(*ordered), "settle",
             {{"customer_id", ordered->customer_id},
              {"amount_micro", sms_cost(ordered->priced_by, in.integer("segments", 1, 0, 1000))},
              {"granted_micro", 0}});
  return out;
}

billing_result granted(billing b, const message& msg, const context& ctx) {
  const auto amount = body_reader{msg}.integer("amount_micro", 0, 0, money_max);
  billing_result out;
  if (msg.from_type != "account")
    return out;
  if (b.status == billing_status::settling || b.status == billing_status::settled) { // too late: given back
    out.send(account_of(b), "settle", {{"customer_id", b.customer_id}, {"amount_micro", 0}, {"granted_micro", amount}});
    return out;
  }
  b.asked = false;
  b.granted_micro += amount;
  b.updated = ctx.now();
  out.cancel("grant");
  const auto until = paid_until(b);
  if (b.over)
    settle_call(b, out);
  else if (until && b.status == billing_status::open)
    out.arm("renew", std::max(*until - ctx.now() - ctx.setting("ahead_ms", ahead_default), milliseconds{0}));
  out.next(std::move(b));
  return out;
}

billing_result refused_money(billing b, const message& msg, const context& ctx) {
  billing_result out;
  if (msg.from_type != "account" || !b.asked)
    return out;
  b.asked = false;
  b.updated = ctx.now();
  out.cancel("grant");
  const auto until = paid_until(b);
  if (b.over)
    settle_call(b, out);
  else if (until && *until > ctx.now())
    out.arm("used_up", *until - ctx.now());
  else
    tell_call_to_hang_up(b, "insufficient_balance", ctx, out);
  out.next(std::move(b));
  return out;
}

billing_result settled(billing b, const message& msg, const context& ctx) {
  billing_result out;
  if (msg.from_type != "account" || b.status != billing_status::settling)
    return out;
  const auto taken = body_reader{msg}.integer("amount_micro", 0, 0, INT64_MAX);
  b.uncollected_micro += b.amount_micro - taken;
  b.amount_micro = taken;
  b.status = billing_status::settled;
  b.updated = ctx.now();
  out.event("billing.updated", view_of_billing(b)).arm("forget", ctx.setting("keep_ms", keep_billing_default));
  out.next(std::move(b));
  return out;
}

// -- the call ---------------------------------------------------------------------------------------------------------

/// It says itself that it is over, or that there is no such call. Its events tell the length, and are on their way; if
/// not, this moment is taken.
billing_result call_is_gone(billing b, const message& msg, const context& ctx) {
  billing_result out;
  if (msg.from_type != "call" || msg.from_id != b.id || !is_running(b) || b.ended != time_point{})
    return out;
  const auto why = body_reader{msg}.text("reason");
  if (msg.name == "call_refused" && why != "not_found" && why != "call_is_over")
    return out; // it goes on
  b.ended = ctx.now();
  out.arm("silence", ctx.setting("release_ms", release_default)).next(std::move(b));
  return out;
}

// -- timers -----------------------------------------------------------------------------------------------------------

billing_result renew(billing b, const message&, const context& ctx) {
  billing_result out;
  if (b.status != billing_status::open || !is_running(b) || b.asked)
    return out;
  ask(b, ctx, out);
  if (!b.followed && ctx.now() - b.started >= ctx.setting("follow_after_ms", follow_after_default)) {
    b.followed = true;
    out.send({"call", b.id}, "follow", {{"customer_id", b.customer_id}});
  }
  out.next(std::move(b));
  return out;
}

billing_result used_up(billing b, const message&, const context& ctx) {
  billing_result out;
  if (b.status != billing_status::open || !is_running(b) || b.asked)
    return out;
  tell_call_to_hang_up(b, "insufficient_balance", ctx, out);
  out.next(std::move(b));
  return out;
}

/// Nobody talks for nothing because an account fails.
billing_result no_answer_of_account(billing b, const message&, const context& ctx) {
  billing_result out;
  if (!b.asked)
    return out;
  b.asked = false;
  if (b.over)
    settle_call(b, out);
  else
    tell_call_to_hang_up(b, "billing_failed", ctx, out);
  out.next(std::move(b));
  return out;
}

/// The end of a call that nobody tells us of.
billing_result end_unheard(billing b, const message&, const context& ctx) {
  billing_result out;
  if (!is_running(b))
    return out;
  if (b.reason.empty())
    b.reason = "lost";
  const auto last = b.ended == time_point{} ? ctx.now() : b.ended;
  end_call(b, last - b.started, ctx, out);
  out.next(std::move(b));
  return out;
}

billing_result forget_billing(billing b, const message&, const context&) {
  billing_result out;
  if (b.status == billing_status::settled)
    out.end();
  return out;
}

} // namespace

const sdk::entity_type<billing>& billing_type() {
  using namespace sdk;
  using b = billing;
  static const entity_type<b> made{"billing",
                                   "billing",
                                   1,
                                   view_of_billing,
                                   {
                                       lists<b>("GET", "/v1/billings"),
                                       answers<b>("GET", "/v1/billings/{id}", show_billing),
                                       told<b>("open", open_again, open),
                                       told<b>("close", close, close_unopened),
                                       told<b>("charge", charge_again, charge),
                                       told<b>("granted", granted),
                                       told<b>("refused", refused_money),
                                       told<b>("settled", settled),
                                       told<b>("call_ended", call_is_gone),
                                       told<b>("call_refused", call_is_gone),
                                       timer<b>("grant", no_answer_of_account),
                                       timer<b>("renew", renew),
                                       timer<b>("used_up", used_up),
                                       timer<b>("silence", end_unheard),
                                       timer<b>("overdue", end_unheard),
                                       timer<b>("forget", forget_billing),
                                   }};
  return made;
}

} // namespace switchboard::telephony
