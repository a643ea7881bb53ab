// Random orders of reports and timers against a reference model of a message with three targets. The model says in the
// test's own words what each target becomes; after each input it and the actor must agree, and every target that is not
// over must have a timer that leads out.
#include "tests/actors/lone_entity.hpp"

#include "actors/message/message.hpp"

namespace switchboard::telephony {
namespace {

struct model_target {
  std::string status = "queued";
  int attempts = 1;
  bool pauses = false; // between two attempts
};

/// What happens to one target; false if nothing does.
bool happens(model_target& t, const std::string& what) {
  const bool unknown = t.status == "queued" || t.status == "gw_timeout"; // the gateway's answer is not known
  const bool open = unknown || t.status == "sent" || t.status == "dlr_timeout";
  if (what == "taken" && unknown)
    return t = {"sent", t.attempts}, true;
  if (what == "refused for now" && t.status == "queued" && t.attempts < 7)
    return t.pauses = true, true;
  if ((what == "refused" || what == "refused for now" || what == "lost") && open)
    return t = {"failed", t.attempts}, true;
  if (what == "arrived" && open)
    return t = {"delivered", t.attempts}, true;
  if (what == "gateway silent" && t.status == "queued")
    return t = {"gw_timeout", t.attempts}, true;
  if (what == "pause over" && t.status == "queued")
    return t = {"queued", t.attempts + 1}, true;
  if (what == "no report" && t.status == "sent")
    return t = {"dlr_timeout", t.attempts}, true;
  return false;
}

class message_model {
public:
  explicit message_model(std::mt19937_64& dice) : dice_(dice), entity_(message_type(), "m") {
    entity_.request(
        "POST", "/v1/messages",
        {{"source", "Shop"}, {"destinations", {"+15550000001", "+15550000002", "+15550000003"}}, {"text", "x"}}, "t");
  }

  void run() {
    const auto steps = 4 + roll(16);
    for (std::size_t i = 0; i < steps && entity_.state() && !::testing::Test::HasFailure(); ++i)
      step();
    // From wherever it is, time alone brings it to its end.
    for (int i = 0; i < 40 && entity_.state() && !::testing::Test::HasFailure(); ++i)
      fire(entity_.next_timer());
    EXPECT_FALSE(entity_.state()) << "it never ends";
  }

private:
  std::size_t roll(std::size_t sides) { return dice_() % sides; }

  void step() {
    const auto n = roll(3);
    const sdk::entity_ref gateway{"sms_gateway", "m." + std::to_string(n + 1)};
    switch (roll(8)) {
    case 0:
    case 1:
      return after(n, "taken", entity_.tell("submitted", json::object(), gateway));
    case 2:
      return after(n, "refused for now", entity_.tell("refused", {{"transient", true}}, gateway));
    case 3:
      return after(n, "refused", entity_.tell("refused", {{"transient", false}}, gateway));
    case 4:
      return after(n, "arrived", entity_.tell("delivery_report", {{"delivered", true}}, gateway));
    case 5:
      return after(n, "lost", entity_.tell("delivery_report", {{"delivered", false}}, gateway));
    default:
      return fire(roll(2) ? entity_.next_timer() : entity_.armed()[roll(entity_.armed().size())]);
    }
  }

  void fire(const std::string& timer) {
    const auto made = entity_.expire(timer);
    if (timer == "forget") {
      EXPECT_TRUE(made.ended());
      return;
    }
    const auto kind = timer.substr(0, timer.find(':'));
    const auto what = kind == "gateway" ? "gateway silent" : kind == "retry" ? "pause over" : "no report";
    after(static_cast<std::size_t>(timer.back() - '0'), what, made);
  }

  void after(std::size_t n, const std::string& what, const sdk::outcome<text_message>& made) {
    const auto before = targets_[n].status;
    happens(targets_[n], what);
    const auto& state = *entity_.state();
    bool all_over = true;
    for (std::size_t i = 0; i < 3; ++i) {
      const auto& t = targets_[i];
      const auto at = std::to_string(i);
      EXPECT_EQ(sdk::text(state.targets[i].status), t.status) << what << " after " << before;
      EXPECT_EQ(state.targets[i].attempts, t.attempts) << what;
      EXPECT_EQ(entity_.is_armed("gateway:" + at), t.status == "queued" && !t.pauses) << what;
      EXPECT_EQ(entity_.is_armed("retry:" + at), t.status == "queued" && t.pauses) << what;
      EXPECT_EQ(entity_.is_armed("report:" + at), t.status == "sent") << what;
      all_over = all_over && t.status != "queued" && t.status != "sent";
    }
    EXPECT_EQ(entity_.is_armed("forget"), all_over);
    EXPECT_EQ(sends_of(made).size(), what == "pause over" && before == "queued" ? 1U : 0U);
    EXPECT_EQ(events_of(made), announced(before, targets_[n].status)) << what << " after " << before;
  }

  static std::vector<std::string> announced(const std::string& before, const std::string& after) {
    if (before == after)
      return {};
    if (after == "delivered" && (before == "queued" || before == "gw_timeout"))
      return {"sms.sent", "sms.delivered"};
    if (after == "sent" || after == "delivered")
      return {"sms." + after};
    return {after == "dlr_timeout" ? "message.updated" : "sms.failed"};
  }

  std::mt19937_64& dice_;
  lone_entity<text_message> entity_;
  model_target targets_[3];
};

TEST(message_model, random_orders) {
  for_each_order([](std::mt19937_64& dice) { message_model{dice}.run(); });
}

} // namespace
} // namespace switchboard::telephony
