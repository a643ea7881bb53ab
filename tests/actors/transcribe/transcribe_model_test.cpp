// Random orders of what the call, the engine, people and time may say, against a reference model; from wherever a
// transcription is, time alone brings it to its end, and the engine that was asked is told to stop.
#include "tests/actors/lone_entity.hpp"

#include "actors/transcribe/transcribe.hpp"

namespace switchboard::telephony {
namespace {

/// What the model knows: where it is, and which of its timers runs.
struct model {
  std::string at = "asking"; // asking, ringing, engaging, listening, ending, over, gone
  bool vanishes = false;     // deleted while it went on
  std::uint64_t heard = 0;

  bool is_early() const { return at == "asking" || at == "ringing"; }
  bool has_engine() const { return at == "engaging" || at == "listening"; }
  void finish() { at = vanishes ? "gone" : "over"; }
  void end() {
    if (is_early())
      finish();
    else if (has_engine())
      at = "ending";
  }

  void happens(const std::string& what) {
    if (at == "gone")
      return;
    if (what == "it rings" && is_early())
      at = "ringing";
    else if ((what == "it talks" || what == "answered") && is_early())
      at = "engaging";
    else if (what == "call over" || what == "refused" || what == "stop")
      end();
    else if (what == "engine ready" && (is_early() || at == "engaging"))
      at = "listening";
    else if (what == "speech" && at != "over")
      ++heard;
    else if (what == "engine gone" && at != "over")
      finish();
    else if (what == "delete")
      vanishes = true, at == "over" ? finish() : end();
    else if (what == "start" && (at == "asking" || at == "engaging"))
      finish();
    else if (what == "wait" && at == "ringing")
      finish();
    else if (what == "max_duration")
      end();
    else if (what == "stop timer" && at == "ending")
      finish();
    else if (what == "forget")
      at = "gone";
  }

  std::string status() const {
    return at == "listening" ? "progressing" : at == "ending" ? "stopping" : at == "over" ? "done" : "starting";
  }
  std::string timer() const {
    return at == "ringing"     ? "wait"
           : at == "listening" ? "max_duration"
           : at == "ending"    ? "stop"
           : at == "over"      ? "forget"
                               : "start";
  }
};

class transcribe_model {
public:
  explicit transcribe_model(std::mt19937_64& dice) : dice_(dice), entity_(transcribe_type(), "t") {
    entity_.request("POST", "/v1/transcribes", {{"reference_id", "c"}}, "tenant");
  }

  void run() {
    const auto steps = 3 + roll(14);
    for (std::size_t i = 0; i < steps && entity_.state() && !::testing::Test::HasFailure(); ++i)
      step();
    for (int i = 0; i < 10 && entity_.state() && !::testing::Test::HasFailure(); ++i)
      fire();
    EXPECT_FALSE(entity_.state()) << "it never ends";
    EXPECT_EQ(engine_runs_, false) << "the engine was not told to stop";
  }

private:
  std::size_t roll(std::size_t sides) { return dice_() % sides; }

  void step() {
    const sdk::entity_ref call{"call", roll(8) ? "c" : "other"}, engine{"transcriber", roll(8) ? "t" : "other"};
    const auto of = [](const sdk::entity_ref& who, const char* what) {
      return who.id == "other" ? std::string{"nothing"} : std::string{what};
    };
    switch (roll(12)) {
    case 0:
      return after(of(call, "it rings"), entity_.tell("call_followed", {{"status", "ringing"}}, call));
    case 1:
    case 2:
      return after(of(call, "it talks"), entity_.tell("call_followed", {{"status", "progressing"}}, call));
    case 3:
      return after(of(call, "answered"), entity_.tell("call_answered", json::object(), call));
    case 4:
      return after(of(call, roll(2) ? "call over" : "refused"),
                   entity_.tell(roll(2) ? "call_ended" : "call_refused", {{"reason", "not_found"}}, call));
    case 5:
    case 6:
      return after(of(engine, "engine ready"), entity_.tell("started", json::object(), engine));
    case 7:
    case 8:
      return after(of(engine, "speech"), entity_.tell("speech", {{"text", "x"}, {"direction", "in"}}, engine));
    case 9: {
      const auto made = entity_.tell("stopped", json::object(), engine);
      engine_runs_ = engine_runs_ && engine.id == "other";
      return after(of(engine, "engine gone"), made);
    }
    case 10:
      return roll(3) ? after("stop", entity_.request("POST", "/v1/transcribes/t/stop", nullptr, "tenant"))
                     : after("delete", entity_.request("DELETE", "/v1/transcribes/t", nullptr, "tenant"));
    default:
      return fire();
    }
  }

  void fire() {
    const auto name = entity_.next_timer();
    ASSERT_EQ(name, model_.timer()) << "while " << model_.at;
    const auto made = entity_.expire(name);
    after(name == "stop" ? "stop timer" : name, made);
  }

  void after(const std::string& what, const sdk::outcome<transcribe>& made) {
    const auto before = model_;
    model_.happens(what);
    for (const auto& one : sends_of(made)) {
      if (one.to.type == "transcriber")
        engine_runs_ = one.name == "start";
    }
    ASSERT_EQ(entity_.state().has_value(), model_.at != "gone") << what << " while " << before.at;
    EXPECT_EQ(announced(before), events_of(made)) << what << " while " << before.at;
    if (!entity_.state())
      return;
    EXPECT_EQ(sdk::text(entity_.state()->status), model_.status()) << what << " while " << before.at;
    EXPECT_EQ(entity_.state()->transcript_count, model_.heard);
    EXPECT_EQ(entity_.armed(), std::vector<std::string>{model_.timer()}) << what << " while " << before.at;
  }

  std::vector<std::string> announced(const model& before) const {
    std::vector<std::string> types;
    const auto is_over = [](const model& m) { return m.at == "over" || m.at == "gone"; };
    if (model_.at == "listening" && before.at != "listening")
      types.push_back("transcribe.started");
    if (model_.heard != before.heard)
      types.push_back("transcript.created");
    if (is_over(model_) && !is_over(before))
      types.push_back("transcribe.completed");
    if (model_.at == "gone" && model_.vanishes)
      types.push_back("transcribe.deleted");
    return types;
  }

  std::mt19937_64& dice_;
  lone_entity<transcribe> entity_;
  model model_;
  bool engine_runs_ = false;
};

TEST(transcribe_model, random_orders) {
  for_each_order([](std::mt19937_64& dice) { transcribe_model{dice}.run(); });
}

} // namespace
} // namespace switchboard::telephony
