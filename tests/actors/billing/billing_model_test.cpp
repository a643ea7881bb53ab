// One purse, several calls and text messages at once, in random order: events that come twice or late, answers that
// take their time, calls that ignore a hang-up. At every moment no more is promised than there is and nobody talks
// unpaid; at the end an independent recount of the calls must give what was charged, to the micro unit.
#include "tests/actors/lone_entity.hpp"

#include <deque>

#include "actors/billing/account.hpp"
#include "actors/billing/billing.hpp"

namespace switchboard::telephony {
namespace {

constexpr const char* purse = "t";

/// What a call costs, in the test's own words: time is bought in steps until it lasts.
micros recount_call(micros setup, micros per_minute, std::int64_t minimum_s, std::int64_t step_s,
                    std::int64_t length_ms) {
  std::int64_t bought_s = minimum_s;
  while (bought_s * 1000 < length_ms)
    bought_s += step_s;
  const auto price = bought_s * per_minute;
  return setup + price / 60 + (price % 60 ? 1 : 0);
}

struct played_call {
  std::string id;
  std::string number;
  time_point answered{};
  time_point ended{};
  bool told_to_end = false;
  bool silent = false; // neither hangs up when told nor says that it is over
};

class billing_model {
public:
  explicit billing_model(std::mt19937_64& dice) : dice_(dice), account_(account_type(), purse) {
    rich_ = roll(2) == 0;
    filled_ = rich_ ? 100'000'000 : static_cast<micros>(roll(400'000));
    account_.request(
        "POST", "/v1/billing_accounts",
        {{"id", purse},
         {"balance_micro", filled_},
         {"low_balance_micro", 50'000},
         {"rates",
          {{{"prefix", "+1"}, {"price_micro", 60'000}, {"increment_s", 1}},
           {{"prefix", "+2"}, {"price_micro", 50'001}, {"setup_micro", 999}, {"minimum_s", 30}, {"increment_s", 7}},
           {{"kind", "sms"}, {"price_micro", 7'500}}}}},
        "");
  }

  void run() {
    const auto steps = 6 + roll(14);
    for (std::size_t i = 0; i < steps && !failed(); ++i)
      act();
    for (auto& one : calls_)
      if (one.answered != time_point{} && one.ended == time_point{} && !one.silent)
        end(one);
    deliver_all();
    for (int i = 0; i < 2000 && !failed() && fire_next(); ++i)
      deliver_all();
    if (!failed())
      recount();
  }

private:
  static bool failed() { return ::testing::Test::HasFailure(); }
  std::size_t roll(std::size_t sides) { return dice_() % sides; }

  // -- the world: clocks and posts --------------------------------------------------------------------------------

  struct letter {
    bool event = false;
    std::string name;
    json body;
    sdk::entity_ref from;
  };

  lone_entity<billing>& bill(const std::string& id) {
    auto& found = bills_[id];
    if (!found)
      found = std::make_unique<lone_entity<billing>>(billing_type(), id,
                                                     json{{"follow_after_ms", 60'000}, {"overdue_ms", 3'600'000}});
    found->set_now(now_);
    return *found;
  }

  /// Each pair of entities has a post of its own, which keeps its order.
  void post(const std::string& to, letter what) {
    posts_[to + " from " + what.from.type + what.from.id].push_back({to, std::move(what)});
  }

  template <class State>
  void take_sends(const sdk::outcome<State>& made, const sdk::entity_ref& from) {
    for (const auto& one : sends_of(made)) {
      if (one.to.type == "call")
        told_call(one);
      else
        post(one.to.type == "account" ? "account" : one.to.id, {false, one.name, one.body, from});
    }
    check();
  }

  bool deliver_one() {
    std::vector<std::string> full;
    for (const auto& [name, letters] : posts_)
      if (!letters.empty())
        full.push_back(name);
    if (full.empty())
      return false;
    auto& from = posts_[full[roll(full.size())]];
    const auto [to, what] = from.front();
    from.pop_front();
    if (to == "account") {
      account_.set_now(now_);
      take_sends(what.event ? account_.hear(what.name, what.body, purse)
                            : account_.tell(what.name, what.body, what.from),
                 {"account", purse});
    } else {
      take_sends(bill(to).tell(what.name, what.body, what.from), {"billing", to});
    }
    return true;
  }
  void deliver_all() {
    while (!failed() && deliver_one()) {
    }
  }

  /// The earliest timer of all, but for those that only forget. False if there is none.
  bool fire_next() {
    std::string whose, which;
    time_point due = time_point::max();
    for (const auto& [id, one] : bills_)
      for (const auto& name : one->armed())
        if (name != "forget" && one->due(name) < due)
          whose = id, which = name, due = one->due(name);
    if (whose.empty())
      return false;
    now_ = std::max(now_, due);
    take_sends(bill(whose).expire(which), {"billing", whose});
    return true;
  }

  void let_time_pass(milliseconds span) {
    const auto until = now_ + span;
    for (bool more = true; more && !failed();) {
      if (rich_)
        deliver_all(); // who is in no hurry may be late; who must be served in time is
      more = false;
      for (const auto& [id, one] : bills_)
        for (const auto& name : one->armed())
          more = more || (name != "forget" && one->due(name) <= until);
      if (more)
        fire_next();
    }
    now_ = std::max(now_, until);
  }

  // -- what happens -------------------------------------------------------------------------------------------------

  json call_data(const played_call& one) {
    json data{{"id", one.id}, {"customer_id", purse}, {"direction", "outgoing"}, {"destination", one.number}};
    data["tm_progressing"] = sdk::shown(one.answered);
    data["tm_hangup"] = sdk::shown(one.ended);
    return data;
  }
  void announce(const char* event, const json& data) { post("account", {true, event, data, {"event", "s"}}); }

  void told_call(const sdk::send_effect& what) {
    const auto found = std::find_if(calls_.begin(), calls_.end(), [&](const auto& c) { return c.id == what.to.id; });
    ASSERT_NE(found, calls_.end());
    if (what.name == "follow" && found->ended != time_point{})
      post(found->id,
           {false, "call_refused", {{"call_id", found->id}, {"reason", "call_is_over"}}, {"call", found->id}});
    if (what.name != "hang_up")
      return;
    EXPECT_FALSE(rich_) << "there is money for everything";
    found->told_to_end = true;
    if (!found->silent && found->ended == time_point{} && roll(3) == 0)
      end(*found);
  }

  void end(played_call& one) {
    one.ended = std::max(now_, one.answered);
    if (one.silent)
      return;
    const auto times = 1 + roll(3);
    for (std::size_t i = 0; i < times; ++i)
      announce(roll(2) ? "call.ended" : "call.record", call_data(one));
  }

  void act() {
    switch (roll(9)) {
    case 0:
    case 1: {
      calls_.push_back({"c" + std::to_string(calls_.size()), roll(2) ? "+1555" : roll(4) ? "+2555" : "+3555"});
      calls_.back().silent = roll(12) == 0;
      return announce("call.created", call_data(calls_.back()));
    }
    case 2:
    case 3: {
      auto* one = some_call();
      if (!one || one->answered != time_point{} || one->ended != time_point{})
        return;
      one->answered = now_;
      for (std::size_t i = roll(8) == 0 ? 0 : 1 + roll(2); i > 0; --i) // now and then nobody hears of it
        announce("call.answered", call_data(*one));
      return;
    }
    case 4: {
      auto* one = some_call();
      if (one && one->answered != time_point{} && one->ended == time_point{})
        end(*one);
      return;
    }
    case 5: {
      const auto id = "m" + std::to_string(texts_.size());
      texts_.push_back(static_cast<std::int64_t>(1 + roll(3)));
      for (auto i = 1 + roll(2); i > 0; --i)
        announce("sms.sent",
                 {{"customer_id", purse}, {"target_id", id}, {"destination", "+9"}, {"segments", texts_.back()}});
      return;
    }
    case 6: {
      const auto more = static_cast<micros>(roll(100'000));
      account_.set_now(now_);
      if (std::holds_alternative<sdk::reply_effect>(
              account_.request("PUT", std::string{"/v1/billing_accounts/"} + purse, {{"add_micro", more}}, "")
                  .effects()
                  .back()))
        filled_ += more;
      return;
    }
    case 7:
      return let_time_pass(milliseconds{roll(90'000)});
    default:
      for (auto i = roll(6); i > 0 && deliver_one(); --i) {
      }
    }
  }
  played_call* some_call() { return calls_.empty() ? nullptr : &calls_[roll(calls_.size())]; }

  // -- the rules ----------------------------------------------------------------------------------------------------

  void check() {
    const auto& a = *account_.state();
    EXPECT_GE(a.reserved_micro, 0);
    EXPECT_LE(a.reserved_micro, a.balance_micro);
    EXPECT_EQ(a.balance_micro + a.charged_micro, filled_);
    for (const auto& [id, one] : bills_) {
      if (!one->state())
        continue;
      const auto& b = *one->state();
      // Open: somebody owes an answer, or a timer is set. Nobody is left with neither.
      const auto any = [&](std::initializer_list<const char*> names) {
        return std::any_of(names.begin(), names.end(), [&](const char* name) { return one->is_armed(name); });
      };
      EXPECT_TRUE(b.status != billing_status::open || (b.asked ? any({"grant"}) : any({"renew", "used_up"}))) << id;
      EXPECT_TRUE(b.status != billing_status::hanging_up || any({"silence"})) << id;
      EXPECT_TRUE(b.status != billing_status::settled || any({"forget"})) << id;
    }
  }

  void recount() {
    micros all = 0;
    for (const auto& [id, one] : bills_) {
      if (!one->state())
        continue;
      const auto& b = *one->state();
      EXPECT_EQ(sdk::text(b.status), "settled") << id;
      all += b.amount_micro;
      EXPECT_GE(b.uncollected_micro, 0);
    }
    EXPECT_EQ(all, account_.state()->charged_micro) << "every charge has its bill";
    EXPECT_EQ(account_.state()->reserved_micro, 0);

    for (const auto& one : calls_) {
      const auto found = bills_.find(one.id);
      const bool billed = found != bills_.end() && found->second->state();
      if (one.answered == time_point{} || one.number == "+3555") {
        EXPECT_FALSE(billed) << one.id << " never talked, or has no rate";
        continue;
      }
      if (one.silent)
        continue; // nobody knows how long it was
      ASSERT_TRUE(billed) << one.id;
      const auto& b = *found->second->state();
      const auto length = (one.ended - one.answered).count();
      const auto cost =
          one.number == "+1555" ? recount_call(0, 60'000, 0, 1, length) : recount_call(999, 50'001, 30, 7, length);
      if (b.reason == "lost")
        continue; // its end came later than we were ready to wait
      if (b.reason == "insufficient_balance" || b.reason == "billing_failed") {
        EXPECT_TRUE(one.told_to_end);
        EXPECT_LE(b.amount_micro, b.granted_micro);
      } else {
        EXPECT_EQ(b.amount_micro + b.uncollected_micro, cost) << one.id << " of " << length << " ms";
      }
      EXPECT_TRUE(!rich_ || b.amount_micro == cost) << one.id << " of " << length << " ms: " << b.amount_micro;
    }
    for (std::size_t i = 0; i < texts_.size(); ++i) {
      const auto& b = *bills_.at("m" + std::to_string(i))->state();
      EXPECT_EQ(b.amount_micro + b.uncollected_micro, texts_[i] * 7'500);
      EXPECT_TRUE(!rich_ || b.uncollected_micro == 0);
    }
  }

  std::mt19937_64& dice_;
  bool rich_ = false;
  micros filled_ = 0;
  time_point now_{std::chrono::hours{24 * 365 * 56}};
  lone_entity<account> account_;
  std::map<std::string, std::unique_ptr<lone_entity<billing>>> bills_;
  std::map<std::string, std::deque<std::pair<std::string, letter>>> posts_;
  std::vector<played_call> calls_;
  std::vector<std::int64_t> texts_; // segments
};

TEST(billing_model, random_orders) {
  for_each_order([](std::mt19937_64& dice) { billing_model{dice}.run(); });
}

} // namespace
} // namespace switchboard::telephony
