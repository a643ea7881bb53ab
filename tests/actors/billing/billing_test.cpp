// Accounts and billings: requests, every status × message alone, and whole calls and messages with the real actors.
#include "tests/actors/scenario.hpp"

#include "actors/billing/account.hpp"
#include "actors/billing/billing.hpp"
#include "actors/loopback_gateway/loopback_gateway.hpp"
#include "actors/message/message.hpp"

namespace switchboard::telephony {
namespace {

const json minute_rate{{"prefix", "+1555"}, {"price_micro", 60'000}};
const json second_rate{{"prefix", "+1555"}, {"price_micro", 60'000}, {"increment_s", 1}};
const json sms_rate{{"kind", "sms"}, {"prefix", ""}, {"price_micro", 7'500}};

class account_alone : public ::testing::Test {
protected:
  account_alone() { world_.add(sdk::abi_of<&account_type>()); }
  ~account_alone() override { EXPECT_THAT(world_.failures(), IsEmpty()); }

  sdk::test_kit::answer make(json more = json::object()) {
    json body{{"id", tenant}, {"balance_micro", 100'000}, {"rates", {minute_rate, sms_rate}}};
    body.update(more);
    return world_.request("POST", "/v1/billing_accounts", body);
  }
  sdk::test_kit::answer put(const json& body, const char* as = "") {
    return world_.request("PUT", std::string{"/v1/billing_accounts/"} + tenant, body, as);
  }
  json account() const { return world_.view("account", tenant); }
  void tell(const char* name, json body, const char* from = "b") {
    body["customer_id"] = body.value("customer_id", tenant);
    world_.tell({"account", tenant}, name, body, {"billing", from});
    world_.settle();
  }
  std::string last_said() const { return world_.outside().empty() ? "" : world_.outside().back().name; }

  sdk::test_kit::world world_;
};

TEST_F(account_alone, is_kept_by_the_operator_and_seen_by_its_tenant) {
  const auto made = make();
  ASSERT_EQ(made.status, 200) << made.text;
  EXPECT_EQ(made.body["available_micro"], 100'000);
  EXPECT_EQ(made.body["rates"][0]["increment_s"], 60);
  EXPECT_EQ(make().status, 409);
  const std::string route = std::string{"/v1/billing_accounts/"} + tenant;
  EXPECT_EQ(world_.request("GET", route, nullptr, tenant).status, 200);
  EXPECT_EQ(world_.request("GET", route, nullptr, "another").status, 404);
  EXPECT_EQ(world_.request("POST", "/v1/billing_accounts", {{"id", "mine"}}, "mine").status, 403);
  EXPECT_EQ(put({{"add_micro", 1}}, tenant).status, 403);
  EXPECT_EQ(world_.request("DELETE", route, nullptr, tenant).status, 403);
  EXPECT_EQ(put({{"add_micro", 50}}).body["balance_micro"], 100'050);
  EXPECT_EQ(put({{"add_micro", -50}}).body["balance_micro"], 100'000);
  EXPECT_EQ(put({{"rates", json::array()}}).body["rates"].size(), 0U);
  EXPECT_EQ(world_.request("DELETE", route).status, 200);
  EXPECT_THAT(world_.event_types("account."), ElementsAre("account.created", "account.updated", "account.updated",
                                                          "account.updated", "account.deleted"));
}

TEST_F(account_alone, says_what_is_wrong) {
  json many = json::array();
  for (int i = 0; i < 201; ++i)
    many.push_back(minute_rate);
  const std::pair<json, const char*> table[] = {
      {{{"customer_id", "x"}}, "id must be the customer's"},
      {{{"currency", "euro"}}, "currency must be"},
      {{{"balance_micro", -1}}, "balance_micro must be"},
      {{{"balance_micro", 1.5}}, "balance_micro must be"},
      {{{"rates", 7}}, "rates must be"},
      {{{"rates", many}}, "rates must be"},
      {{{"rates", {7}}}, "rates[0] must be"},
      {{{"rates", {{{"prefix", "+1"}}}}}, "price_micro is missing"},
      {{{"rates", {{{"prefix", "abc"}, {"price_micro", 1}}}}}, "prefix must be"},
      {{{"rates", {{{"kind", "fax"}, {"price_micro", 1}}}}}, "kind must be"},
      {{{"rates", {{{"price_micro", 1}, {"increment_s", 0}}}}}, "increment_s must be"},
  };
  for (const auto& [more, why] : table) {
    const auto answer = make(more);
    EXPECT_EQ(answer.status, 400) << more.dump();
    EXPECT_THAT(answer.text, ::testing::HasSubstr(why)) << more.dump();
  }
  EXPECT_FALSE(world_.exists("account", tenant));
}

TEST_F(account_alone, the_check_is_a_business_error_when_the_money_is_not_there) {
  make();
  const auto check = [&](const json& body) {
    return world_.request("POST", std::string{"/v1/billing_accounts/"} + tenant + "/check", body, tenant);
  };
  const auto good = check({{"destination", "+15559876543"}});
  EXPECT_EQ(good.status, 200);
  EXPECT_EQ(good.body["cost_micro"], 60'000);
  EXPECT_EQ(good.body["affordable_s"], 60);
  EXPECT_EQ(check({{"destination", "+15559876543"}, {"kind", "sms"}, {"segments", 3}}).body["cost_micro"], 22'500);
  EXPECT_EQ(check({{"destination", "+4930123456"}}).body["rate"], nullptr) << "no rate, no charge";
  EXPECT_EQ(check({{"kind", "sms"}}).status, 400);
  EXPECT_EQ(check({{"destination", "+1"}, {"kind", "fax"}}).status, 400);
  put({{"add_micro", -50'000}});
  const auto bad = check({{"destination", "+15559876543"}});
  EXPECT_EQ(bad.status, 402);
  EXPECT_EQ(bad.reason, "PAYMENT_REQUIRED");
  const auto get = world_.request(
      "GET", std::string{"/v1/billing_accounts/"} + tenant + "/check?destination=%2B15559876543", nullptr, tenant);
  EXPECT_EQ(get.status, 402);
  put({{"credit_limit_micro", 10'000}});
  EXPECT_EQ(check({{"destination", "+15559876543"}}).status, 200) << "on credit";
}

TEST_F(account_alone, promises_no_more_than_there_is_and_takes_no_more_than_is_left) {
  make();
  tell("reserve", {{"amount_micro", 70'000}, {"least_micro", 60'000}});
  EXPECT_EQ(last_said(), "granted");
  EXPECT_EQ(account()["available_micro"], 30'000);
  tell("reserve", {{"amount_micro", 70'000}, {"least_micro", 20'000}}, "c");
  EXPECT_EQ(json::parse(world_.outside().back().body)["amount_micro"], 30'000) << "less than wanted, but enough";
  tell("reserve", {{"amount_micro", 1}, {"least_micro", 1}}, "d");
  EXPECT_EQ(last_said(), "refused");
  EXPECT_EQ(account()["status"], "exhausted");
  EXPECT_EQ(put({{"add_micro", -1}}).status, 409) << "all of it is promised";
  EXPECT_EQ(world_.request("DELETE", std::string{"/v1/billing_accounts/"} + tenant).status, 409);
  tell("settle", {{"amount_micro", 60'000}, {"granted_micro", 70'000}});
  EXPECT_EQ(account()["balance_micro"], 40'000);
  EXPECT_EQ(account()["reserved_micro"], 30'000);
  tell("settle", {{"amount_micro", 50'000}, {"granted_micro", 30'000}}, "c");
  EXPECT_EQ(json::parse(world_.outside().back().body)["amount_micro"], 40'000);
  EXPECT_EQ(account()["balance_micro"], 0);
  EXPECT_EQ(account()["charged_micro"], 100'000);
  EXPECT_EQ(put({{"add_micro", 5}}).body["status"], "good");
  EXPECT_THAT(world_.event_types("account.e"), ElementsAre("account.exhausted"));
}

TEST_F(account_alone, warns_once_when_the_balance_is_low) {
  make({{"low_balance_micro", 50'000}});
  for (int i = 0; i < 3; ++i)
    tell("settle", {{"amount_micro", 25'000}, {"granted_micro", 0}});
  EXPECT_EQ(account()["status"], "low");
  EXPECT_THAT(world_.event_types("account.l"), ElementsAre("account.low_balance"));
  put({{"add_micro", 75'000}});
  tell("settle", {{"amount_micro", 60'000}, {"granted_micro", 0}});
  EXPECT_EQ(world_.event_types("account.l").size(), 2U) << "and once more after it was filled";
}

TEST_F(account_alone, another_tenants_billing_gets_nothing) {
  make();
  tell("reserve", {{"customer_id", "another"}, {"amount_micro", 1}});
  EXPECT_EQ(last_said(), "refused");
  tell("settle", {{"customer_id", "another"}, {"amount_micro", 1}});
  EXPECT_EQ(account()["balance_micro"], 100'000);
  world_.tell({"account", "nobody"}, "reserve", {{"customer_id", "nobody"}, {"amount_micro", 1}}, {"billing", "b"});
  world_.tell({"account", "nobody"}, "settle", {{"customer_id", "nobody"}, {"amount_micro", 1}}, {"billing", "b"});
  world_.settle();
  EXPECT_EQ(last_said(), "settled") << "so that the billing comes to its end";
  EXPECT_FALSE(world_.exists("account", "nobody"));
}

class billing_alone : public ::testing::Test {
protected:
  billing_alone() { world_.add(sdk::abi_of<&billing_type>()); }
  ~billing_alone() override { EXPECT_THAT(world_.failures(), IsEmpty()); }

  /// "asking": open, the account has not answered; "ending": that, and the call is over.
  void put(std::string status) {
    const bool asked = status == "asking" || status == "ending", over = status == "ending";
    if (asked)
      status = "open";
    const auto now = world_.now().time_since_epoch().count();
    world_.put("billing", "c",
               {{"id", "c"},
                {"customer_id", tenant},
                {"status", status},
                {"destination", "+15559876543"},
                {"priced_by",
                 {{"kind", "call"},
                  {"prefix", "+1555"},
                  {"price_micro", 60'000},
                  {"setup_micro", 0},
                  {"minimum_s", 0},
                  {"increment_s", 60}}},
                {"granted_micro", 60'000},
                {"asked", asked},
                {"over", over || status == "settling" || status == "settled"},
                {"followed", false},
                {"length", 30'000},
                {"segments", 0},
                {"amount_micro", 60'000},
                {"uncollected_micro", 0},
                {"reason", ""},
                {"started", now - 30'000},
                {"ended", 0},
                {"created", 1},
                {"updated", 1}});
  }
  std::string shown() const {
    const auto state = world_.state("billing", "c");
    if (state.is_null())
      return "gone";
    if (state["status"] == "open" && state["asked"] == true)
      return state["over"] == true ? "ending" : "asking";
    return state["status"];
  }

  sdk::test_kit::world world_;
};

const std::vector<std::string> statuses{"open", "asking", "ending", "hanging_up", "settling", "settled"};

TEST_F(billing_alone, every_status_and_message_has_one_outcome) {
  const std::string o = "open", a = "asking", e = "ending", h = "hanging_up", s = "settling", d = "settled";
  struct {
    const char *name, *from;
    json body;
    std::vector<std::string> next;
  } const table[] = {
      {"open", "account", {{"rate", nullptr}}, {o, a, e, h, s, d}},
      {"charge", "account", {{"rate", nullptr}}, {o, a, e, h, s, d}},
      {"close", "account", {{"length_ms", 30'000}}, {s, e, e, s, s, d}},
      {"close", "call", {{"length_ms", 30'000}}, {o, a, e, h, s, d}},
      {"granted", "account", {{"amount_micro", 60'000}}, {o, o, s, h, s, d}},
      {"granted", "call", {{"amount_micro", 60'000}}, {o, a, e, h, s, d}},
      {"refused", "account", json::object(), {o, o, s, h, s, d}},
      {"refused", "call", json::object(), {o, a, e, h, s, d}},
      {"settled", "account", {{"amount_micro", 60'000}}, {o, a, e, h, d, d}},
      {"settled", "call", {{"amount_micro", 60'000}}, {o, a, e, h, s, d}},
      {"call_ended", "call", json::object(), {o, a, e, h, s, d}}, // its figures are on their way
      {"call_refused", "call", json::object(), {o, a, e, h, s, d}},
      {"no such message", "account", json::object(), {o, a, e, h, s, d}},
  };
  for (const auto& row : table) {
    for (std::size_t i = 0; i < statuses.size(); ++i) {
      put(statuses[i]);
      world_.tell({"billing", "c"}, row.name, row.body, {row.from, row.from == std::string{"call"} ? "c" : tenant});
      world_.settle();
      EXPECT_EQ(shown(), row.next[i]) << row.name << " of the " << row.from << " while " << statuses[i];
    }
  }
}

TEST_F(billing_alone, timers_of_another_time_do_nothing) {
  const std::string o = "open", a = "asking", e = "ending", h = "hanging_up", s = "settling", d = "settled";
  struct {
    const char* name;
    std::vector<std::string> next;
  } const table[] = {
      {"grant", {o, h, s, h, s, d}},   {"renew", {a, a, e, h, s, d}},   {"used_up", {h, a, e, h, s, d}},
      {"silence", {s, e, e, s, s, d}}, {"overdue", {s, e, e, s, s, d}}, {"forget", {o, a, e, h, s, "gone"}},
  };
  for (const auto& row : table) {
    for (std::size_t i = 0; i < statuses.size(); ++i) {
      put(statuses[i]);
      world_.expire({"billing", "c"}, row.name);
      world_.settle();
      EXPECT_EQ(shown(), row.next[i]) << row.name << " while " << statuses[i];
    }
  }
}

TEST_F(billing_alone, what_is_granted_too_late_is_given_back) {
  for (const auto* status : {"settling", "settled"}) {
    put(status);
    world_.tell({"billing", "c"}, "granted", {{"amount_micro", 7}}, {"account", tenant});
    world_.settle();
    const auto back = world_.outside().back();
    EXPECT_EQ(back.name, "settle");
    EXPECT_EQ(json::parse(back.body)["granted_micro"], 7);
    EXPECT_EQ(json::parse(back.body)["amount_micro"], 0);
  }
}

TEST_F(billing_alone, an_order_without_a_rate_or_from_a_stranger_opens_nothing) {
  for (const auto* name : {"open", "close", "charge"}) {
    world_.tell({"billing", "x"}, name, {{"customer_id", tenant}, {"rate", nullptr}}, {"account", tenant});
    world_.tell({"billing", "x"}, name, {{"customer_id", tenant}, {"rate", json::object()}}, {"call", "x"});
  }
  world_.settle();
  EXPECT_FALSE(world_.exists("billing", "x"));
}

class billing_scenario : public scenario {
protected:
  billing_scenario() {
    world_.add(sdk::abi_of<&account_type>());
    world_.add(sdk::abi_of<&billing_type>());
    world_.add(sdk::abi_of<&message_type>());
    world_.add(sdk::abi_of<&loopback_gateway_type>());
  }
  void fill(micros balance, json rates) {
    const auto made = world_.request("POST", "/v1/billing_accounts",
                                     {{"id", tenant}, {"balance_micro", balance}, {"rates", std::move(rates)}});
    ASSERT_EQ(made.status, 200) << made.text;
  }
  json account() { return world_.view("account", tenant); }
  json bill(const std::string& id) { return world_.view("billing", id); }
};

TEST_F(billing_scenario, a_call_is_paid_ahead_and_settled_by_its_length) {
  fill(1'000'000, {second_rate});
  const auto id = place_call("+15559870190"); // 90 s
  EXPECT_FALSE(world_.exists("billing", id));
  world_.advance(2s);
  EXPECT_EQ(account()["reserved_micro"], 60'000) << "one minute";
  world_.advance(70s);
  EXPECT_GE(account()["reserved_micro"], 120'000) << "two";
  world_.advance(30s);
  EXPECT_EQ(call(id)["status"], "hangup");
  EXPECT_EQ(bill(id)["status"], "settled");
  EXPECT_EQ(bill(id)["rated_s"], 90);
  EXPECT_EQ(bill(id)["amount_micro"], 90'000);
  EXPECT_EQ(account()["balance_micro"], 910'000);
  EXPECT_EQ(account()["reserved_micro"], 0);
  EXPECT_THAT(world_.event_types("billing.", id), ElementsAre("billing.created", "billing.updated"));
  EXPECT_EQ(ask("GET", "/v1/billings")["result"].size(), 1U);
  EXPECT_EQ(ask("GET", "/v1/billings/" + id)["amount_micro"], 90'000);
  world_.advance(24h * 7);
  EXPECT_FALSE(world_.exists("billing", id));
}

TEST_F(billing_scenario, an_id_used_again_is_another_call_and_paid_for) {
  fill(1'000'000, {second_rate});
  for (int i = 1; i <= 3; ++i) {
    post("/v1/calls", {{"id", "x"}, {"source", "+15551234567"}, {"destination", stays}});
    world_.advance(11s);
    post("/v1/calls/x/hangup");
    world_.advance(1s);
    ask("DELETE", "/v1/calls/x");
    world_.advance(1s);
    EXPECT_EQ(bill("x")["status"], "settled");
    EXPECT_EQ(account()["balance_micro"], 1'000'000 - i * 10'000);
  }
}

TEST_F(billing_scenario, the_call_is_hung_up_the_moment_its_money_is_used_up) {
  fill(150'000, {second_rate}); // 150 s
  const auto id = place_call(stays);
  world_.advance(1s + 149s);
  EXPECT_EQ(call(id)["status"], "progressing");
  world_.advance(1100ms);
  EXPECT_EQ(call(id)["status"], "hangup");
  EXPECT_EQ(call(id)["hangup_reason"], "insufficient_balance");
  EXPECT_EQ(bill(id)["amount_micro"], 150'000);
  EXPECT_EQ(account()["balance_micro"], 0);
  EXPECT_EQ(account()["status"], "exhausted");
  EXPECT_EQ(world_.event_types("account.exhausted").size(), 1U);
}

TEST_F(billing_scenario, a_call_nobody_can_pay_is_stopped_while_it_rings) {
  fill(59'999, {minute_rate});
  const auto id = place_call(stays);
  world_.advance(10s);
  EXPECT_EQ(call(id)["status"], "hangup");
  EXPECT_EQ(call(id)["hangup_reason"], "insufficient_balance");
  EXPECT_EQ(account()["balance_micro"], 59'999);
  EXPECT_THAT(world_.event_types("call.answered"), IsEmpty());
}

TEST_F(billing_scenario, two_calls_share_one_purse) {
  fill(120'000, {second_rate});
  const auto one = place_call(stays), two = place_call(stays);
  world_.advance(5min);
  EXPECT_EQ(bill(one)["amount_micro"].get<micros>() + bill(two)["amount_micro"].get<micros>(), 120'000);
  EXPECT_EQ(account()["balance_micro"], 0);
  EXPECT_EQ(call(one)["status"], "hangup");
  EXPECT_EQ(call(two)["status"], "hangup");
}

TEST_F(billing_scenario, money_that_comes_in_time_keeps_the_call_up) {
  fill(60'000, {second_rate});
  const auto id = place_call(stays);
  world_.advance(30s);
  world_.request("PUT", std::string{"/v1/billing_accounts/"} + tenant, {{"add_micro", 60'000}});
  world_.advance(60s);
  EXPECT_EQ(call(id)["status"], "progressing");
  world_.advance(31s + 1s);
  EXPECT_EQ(call(id)["status"], "hangup");
}

TEST_F(billing_scenario, nothing_is_charged_for_calls_that_were_not_answered_or_have_no_rate) {
  fill(1'000'000, {{{"prefix", "+49"}, {"price_micro", 60'000}}});
  for (const auto* number : {busy, rings, unreachable, rejects, "+15559870103"})
    place_call(number);
  arrive();
  world_.advance(2min);
  EXPECT_EQ(account()["balance_micro"], 1'000'000);
  EXPECT_THAT(world_.ids("billing"), IsEmpty());
}

TEST_F(billing_scenario, incoming_calls_have_rates_of_their_own) {
  fill(1'000'000, {minute_rate, {{"kind", "incoming"}, {"prefix", "+15551234567"}, {"price_micro", 6'000}}});
  const auto id = arrive("+15557770105");
  post("/v1/calls/" + id + "/answer");
  world_.advance(10s);
  EXPECT_EQ(bill(id)["amount_micro"], 6'000);
}

TEST_F(billing_scenario, what_is_told_twice_is_charged_once) {
  fill(1'000'000, {minute_rate});
  const auto id = place_call("+15559870103");
  world_.advance(10s);
  auto record = world_.last_event("call.ended")->data;
  record["call_id"] = id;
  for (const auto* name : {"open", "close", "open", "close"})
    world_.tell({"billing", id}, name, {{"customer_id", tenant}, {"rate", minute_rate}, {"length_ms", 3000}},
                {"account", tenant});
  world_.advance(10s);
  EXPECT_EQ(account()["balance_micro"], 940'000);
}

TEST_F(billing_scenario, a_call_that_vanished_is_noticed_and_settled) {
  fill(100'000'000, {second_rate});
  const auto id = place_call(stays);
  world_.advance(5s);
  world_.put("call", id, [&] { // its end was lost with it
    auto gone = world_.state("call", id);
    gone["status"] = "hangup";
    return gone;
  }());
  world_.advance(15min);
  EXPECT_EQ(bill(id)["status"], "settled");
  EXPECT_EQ(bill(id)["reason"], "lost");
  EXPECT_LE(bill(id)["length_ms"], 11 * 60'000) << "it was asked after ten minutes";
  EXPECT_EQ(account()["reserved_micro"], 0);
}

TEST_F(billing_scenario, a_text_message_is_charged_when_it_is_sent) {
  fill(20'000, {sms_rate});
  const auto send = [&](const char* number) {
    return post("/v1/messages", {{"source", "Shop"}, {"destinations", {number, "+15559870200"}}, {"text", "x"}})
        .value("id", "");
  };
  const auto id = send("+15559876543");
  world_.advance(5s);
  EXPECT_EQ(account()["balance_micro"], 12'500) << "the second target was refused and costs nothing";
  EXPECT_EQ(bill(id + ".1")["status"], "settled");
  EXPECT_EQ(bill(id + ".1")["segments"], 1);
  send("+15559876543");
  const auto last = send("+15559876543");
  world_.advance(5s);
  EXPECT_EQ(account()["balance_micro"], 0) << "no more is taken than is there";
  EXPECT_EQ(bill(last + ".1")["amount_micro"], 5'000);
  EXPECT_EQ(bill(last + ".1")["uncollected_micro"], 2'500);
  EXPECT_EQ(world_.event_types("account.exhausted").size(), 1U);
}

} // namespace
} // namespace switchboard::telephony
