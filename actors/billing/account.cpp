// The map of this file: state and view, steps that several handlers share, requests, what it hears, what billings ask.
#include "actors/billing/account.hpp"

#include <algorithm>
#include <utility>

#include "actors/billing/rate_json.hpp"

namespace switchboard::telephony {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(account, id, customer_id, currency, level, balance_micro, reserved_micro,
                                   credit_limit_micro, low_balance_micro, charged_micro, rates, created, updated)

namespace {

using account_result = sdk::outcome<account>;
using sdk::body_reader;
using sdk::context;
using sdk::message;

constexpr std::size_t rates_max = 200; // they are written with every change of the balance

/// What may still be promised.
micros available(const account& a) { return a.balance_micro + a.credit_limit_micro - a.reserved_micro; }

json summary(const account& a) {
  return {{"id", a.id},
          {"customer_id", a.customer_id},
          {"currency", a.currency},
          {"status", sdk::text(a.level)},
          {"balance_micro", a.balance_micro},
          {"reserved_micro", a.reserved_micro},
          {"available_micro", available(a)},
          {"credit_limit_micro", a.credit_limit_micro},
          {"low_balance_micro", a.low_balance_micro},
          {"charged_micro", a.charged_micro},
          {"tm_create", sdk::shown(a.created)},
          {"tm_update", sdk::shown(a.updated)}};
}

json view_of_account(const account& a) {
  auto shown = summary(a);
  shown["rates"] = a.rates;
  return shown;
}

// -- steps that several handlers share --------------------------------------------------------------------------------

account_level level_by_balance(const account& a) {
  const auto left = a.balance_micro + a.credit_limit_micro;
  return left <= 0 ? account_level::exhausted : left <= a.low_balance_micro ? account_level::low : account_level::good;
}

/// Worse is announced, once; better is not: whoever made it so knows.
void set_level(account& a, account_level next, account_result& out) {
  const auto last = std::exchange(a.level, next);
  if (next <= last)
    return;
  out.event(next == account_level::low ? "account.low_balance" : "account.exhausted", summary(a));
}

sdk::entity_ref billing_of(const std::string& id) { return {"billing", id}; }

// -- requests ---------------------------------------------------------------------------------------------------------

/// Nobody fills his own purse: balances, limits and rates are set by inside callers, who act for no tenant.
std::optional<account_result> refuse_tenant(const message& msg) {
  if (msg.customer_id.empty())
    return std::nullopt;
  return sdk::refused<account>(403, "PERMISSION_DENIED", "accounts are kept by the operator: act for no customer");
}

void read_terms(body_reader& in, account& a) {
  a.credit_limit_micro = in.integer("credit_limit_micro", a.credit_limit_micro, 0, money_max);
  a.low_balance_micro = in.integer("low_balance_micro", a.low_balance_micro, 0, money_max);
  const auto* rates = in.find("rates");
  if (!rates)
    return;
  if (!rates->is_array() || rates->size() > rates_max)
    return in.complain_of("rates", "must be a list of at most 200 rates");
  a.rates.clear();
  for (std::size_t n = 0; n < rates->size(); ++n)
    a.rates.push_back(read_rate(in, "rates[" + std::to_string(n) + "]", (*rates)[n]));
}

account_result create_account(const message& msg, const context& ctx) {
  if (auto refusal = refuse_tenant(msg))
    return *refusal;
  body_reader in{msg};
  account a;
  a.id = ctx.id();
  a.customer_id = in.text("customer_id", in.text("id"));
  if (a.customer_id != a.id)
    in.complain("id must be the customer's id: an account has its customer's");
  a.currency = in.text("currency", a.currency);
  if (a.currency.size() != 3 ||
      !std::all_of(a.currency.begin(), a.currency.end(), [](char c) { return c >= 'A' && c <= 'Z'; }))
    in.complain_of("currency", "must be three capital letters (ISO 4217)");
  a.balance_micro = in.integer("balance_micro", 0, 0, money_max);
  read_terms(in, a);
  if (in.wrong())
    return sdk::refused<account>(*in.wrong());
  a.level = level_by_balance(a);
  a.created = a.updated = ctx.now();
  account_result out;
  out.event("account.created", summary(a)).reply(200, view_of_account(a)).next(std::move(a));
  return out;
}

account_result show_account(account a, const message&, const context&) {
  account_result out;
  out.reply(200, view_of_account(a));
  return out;
}

account_result update_account(account a, const message& msg, const context& ctx) {
  if (auto refusal = refuse_tenant(msg))
    return *refusal;
  body_reader in{msg};
  read_terms(in, a);
  a.balance_micro += in.integer("add_micro", 0, -money_max, money_max);
  if (in.wrong())
    return sdk::refused<account>(*in.wrong());
  if (available(a) < 0 || a.balance_micro > money_max)
    return sdk::refused<account>(409, "FAILED_PRECONDITION",
                                 "the balance would be out of its bounds: " + std::to_string(a.reserved_micro) +
                                     " micro units are reserved for calls");
  a.level = level_by_balance(a);
  a.updated = ctx.now();
  account_result out;
  out.event("account.updated", summary(a)).reply(200, view_of_account(a)).next(std::move(a));
  return out;
}

account_result remove_account(account a, const message& msg, const context&) {
  if (auto refusal = refuse_tenant(msg))
    return *refusal;
  if (a.reserved_micro > 0)
    return sdk::refused<account>(409, "FAILED_PRECONDITION", "calls are going on");
  account_result out;
  out.event("account.deleted", summary(a)).reply(200, view_of_account(a)).end();
  return out;
}

/// What is asked about, in the body or in the query.
struct inquiry {
  std::optional<rate_kind> kind;
  std::string destination;
  std::int64_t segments = 1;
};

inquiry read_inquiry(body_reader& in, const message& msg) {
  inquiry asked;
  const auto kind = msg.query_parameter("kind");
  asked.kind = sdk::from_text<rate_kind>(in.text("kind", kind.empty() ? "call" : kind));
  asked.destination = in.text("destination", msg.query_parameter("destination"));
  asked.segments = in.integer("segments", 1, 1, 1000);
  if (!asked.kind)
    in.complain("kind must be call, incoming or sms");
  if (asked.destination.empty())
    in.complain_of("destination", "is missing");
  return asked;
}

/// Can a call to that number be begun, a message be sent? 402 if the money is not there.
account_result check(account a, const message& msg, const context&) {
  body_reader in{msg};
  const auto asked = read_inquiry(in, msg);
  if (in.wrong())
    return sdk::refused<account>(*in.wrong());
  const auto* found = find_rate(a.rates, *asked.kind, asked.destination);
  json answer{{"allowed", true}, {"currency", a.currency}, {"available_micro", available(a)}};
  account_result out;
  if (!found) {
    answer["rate"] = nullptr;
    out.reply(200, answer);
    return out;
  }
  const bool sms = *asked.kind == rate_kind::sms;
  const auto cost = sms ? sms_cost(*found, asked.segments) : call_cost(*found, milliseconds{1});
  if (cost > available(a))
    return sdk::refused<account>(402, "PAYMENT_REQUIRED",
                                 "the balance is insufficient: " + std::to_string(cost) + " micro units are needed, " +
                                     std::to_string(available(a)) + " are available");
  answer["rate"] = *found;
  answer["cost_micro"] = cost;
  const auto time = affordable(*found, available(a));
  if (!sms)
    answer["affordable_s"] = time ? json(time->count() / 1000) : json{};
  out.reply(200, answer);
  return out;
}

// -- what it hears ----------------------------------------------------------------------------------------------------

/// A call's event: our tenant's, with a usable id.
bool is_ours(const account& a, const message& msg, const std::string& id) {
  return msg.customer_id == a.customer_id && is_identity(id);
}

std::string call_in(body_reader& in) { return in.text("call_id", in.text("id")); }

rate_kind kind_of_call(body_reader& in) {
  return in.text("direction") == "incoming" ? rate_kind::incoming : rate_kind::call;
}

time_point time_in(const body_reader& in, const char* name) {
  const auto* found = in.find(name);
  const auto* text = found ? found->get_ptr<const std::string*>() : nullptr;
  if (!text)
    return {};
  const auto read = from_iso8601(*text);
  return read ? *read : time_point{};
}

/// A call that can't even be begun is stopped while it still rings.
account_result call_created(account a, const message& msg, const context& ctx) {
  body_reader in{msg};
  const auto id = call_in(in);
  account_result out;
  const auto* found = find_rate(a.rates, kind_of_call(in), in.text("destination"));
  if (!is_ours(a, msg, id) || !found || call_cost(*found, milliseconds{1}) <= available(a))
    return out;
  out.send({"call", id}, "hang_up", {{"reason", "insufficient_balance"}});
  set_level(a, account_level::exhausted, out);
  a.updated = ctx.now();
  out.next(std::move(a));
  return out;
}

account_result call_answered(account a, const message& msg, const context& ctx) {
  body_reader in{msg};
  const auto id = call_in(in);
  const auto destination = in.text("destination");
  const auto* found = find_rate(a.rates, kind_of_call(in), destination);
  account_result out;
  if (!is_ours(a, msg, id) || !found)
    return out;
  const auto answered = time_in(in, "tm_progressing");
  out.send(billing_of(id), "open",
           {{"customer_id", a.customer_id},
            {"destination", destination},
            {"rate", *found},
            {"started", answered == time_point{} ? ctx.now() : answered}});
  return out;
}

/// Both call.ended and call.record: the billing takes whichever comes first. The rate is for a call whose answer was
/// never heard of.
account_result call_over(account a, const message& msg, const context&) {
  body_reader in{msg};
  const auto id = call_in(in);
  const auto destination = in.text("destination");
  account_result out;
  if (!is_ours(a, msg, id))
    return out;
  const auto answered = time_in(in, "tm_progressing"), hung_up = time_in(in, "tm_hangup");
  if (answered == time_point{})
    return out; // never answered: nothing was opened, nothing is charged
  const auto* found = find_rate(a.rates, kind_of_call(in), destination);
  out.send(billing_of(id), "close",
           {{"customer_id", a.customer_id},
            {"destination", destination},
            {"rate", found ? json(*found) : json{}},
            {"started", answered},
            {"length_ms", std::max(hung_up - answered, milliseconds{0})}});
  return out;
}

account_result sms_sent(account a, const message& msg, const context&) {
  body_reader in{msg};
  const auto id = in.text("target_id");
  const auto destination = in.text("destination");
  const auto* found = find_rate(a.rates, rate_kind::sms, destination);
  account_result out;
  if (is_ours(a, msg, id) && found)
    out.send(billing_of(id), "charge",
             {{"customer_id", a.customer_id},
              {"destination", destination},
              {"rate", *found},
              {"started", time_in(in, "tm_create")},
              {"segments", in.integer("segments", 1, 0, 1000)}});
  return out;
}

// -- what billings ask ------------------------------------------------------------------------------------------------

account_result refuse_money(const message& msg, std::string_view reason) {
  account_result out;
  out.send(msg.sender(), "refused", {{"reason", reason}});
  return out;
}

/// All that is asked for, or what there is if that is at least `least_micro`, or nothing.
account_result reserve(account a, const message& msg, const context& ctx) {
  body_reader in{msg};
  const auto wanted = in.integer("amount_micro", -1, 0, money_max);
  const auto least = in.integer("least_micro", wanted, 0, money_max);
  if (in.wrong() || wanted < 0 || in.text("customer_id") != a.customer_id)
    return refuse_money(msg, "not_understood");
  const auto given = std::min(wanted, available(a));
  if (given < least || given < 0) {
    auto out = refuse_money(msg, "insufficient_balance");
    set_level(a, account_level::exhausted, out);
    out.next(std::move(a));
    return out;
  }
  account_result out;
  a.reserved_micro += given;
  a.updated = ctx.now();
  set_level(a, level_by_balance(a), out);
  out.send(msg.sender(), "granted", {{"amount_micro", given}});
  out.next(std::move(a));
  return out;
}

/// The end of a reservation and the price of what it was for. No more is taken than is there.
account_result settle(account a, const message& msg, const context& ctx) {
  body_reader in{msg};
  const auto cost = in.integer("amount_micro", 0, 0, INT64_MAX);
  const auto granted = in.integer("granted_micro", 0, 0, money_max);
  account_result out;
  if (in.wrong() || in.text("customer_id") != a.customer_id)
    return out;
  a.reserved_micro -= std::min(granted, a.reserved_micro);
  const auto taken = std::min(cost, available(a));
  a.balance_micro -= taken;
  a.charged_micro += taken;
  a.updated = ctx.now();
  set_level(a, taken < cost ? account_level::exhausted : std::max(a.level, level_by_balance(a)), out);
  if (taken > 0)
    out.event("account.updated", summary(a));
  out.send(msg.sender(), "settled", {{"amount_micro", taken}});
  out.next(std::move(a));
  return out;
}

account_result reserve_nowhere(const message& msg, const context&) { return refuse_money(msg, "no_account"); }
account_result settle_nowhere(const message& msg, const context&) {
  account_result out;
  out.send(msg.sender(), "settled", {{"amount_micro", 0}});
  return out;
}

} // namespace

const sdk::entity_type<account>& account_type() {
  using namespace sdk;
  using a = account;
  static const entity_type<a> made{"account",
                                   "billing",
                                   1,
                                   view_of_account,
                                   {
                                       creates<a>("POST", "/v1/billing_accounts", create_account),
                                       lists<a>("GET", "/v1/billing_accounts"),
                                       answers<a>("GET", "/v1/billing_accounts/{id}", show_account),
                                       answers<a>("PUT", "/v1/billing_accounts/{id}", update_account),
                                       answers<a>("DELETE", "/v1/billing_accounts/{id}", remove_account),
                                       answers<a>("GET", "/v1/billing_accounts/{id}/check", check),
                                       answers<a>("POST", "/v1/billing_accounts/{id}/check", check),
                                       hears<a>("call.created", "customer_id", call_created),
                                       hears<a>("call.answered", "customer_id", call_answered),
                                       hears<a>("call.ended", "customer_id", call_over),
                                       hears<a>("call.record", "customer_id", call_over),
                                       hears<a>("sms.sent", "customer_id", sms_sent),
                                       told<a>("reserve", reserve, reserve_nowhere),
                                       told<a>("settle", settle, settle_nowhere),
                                   }};
  return made;
}

} // namespace switchboard::telephony
