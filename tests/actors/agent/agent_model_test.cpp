// An agent against a reference model: random orders of what people, queues and timers do. The model knows nothing of
// the agent's rules; it is the README written once more. After each input: the same status, the same places, everybody
// told what he must be told, every transition in the table, never more calls than fit, and each state has its way out
// armed.
#include <set>

#include "actors/agent/agent.hpp"
#include "tests/actors/orders.hpp"

namespace switchboard::telephony {
namespace {

using namespace std::chrono_literals;

constexpr milliseconds pause_for_no_answer = 60s, rest_after_fault = 1s, rest_after_no_answer = 700ms,
                       busy_lease = 600s, longest_pause = 1000s, grace = 15s;

struct model_slot {
  std::uint64_t epoch;
  std::string queue, channel, phase;
  bool checked = false;
};

struct agent_model {
  std::map<std::string, int> capacity{{"voice", 1}};
  std::string presence = "offline";
  std::map<std::string, model_slot> slots;      ///< by offer
  std::map<std::string, std::uint64_t> settled; ///< of the queues that watch
  int no_answers = 0;
  time_point resting_until{}, paused_until{};
  bool comes_back = true;

  bool any(const char* phase) const {
    for (const auto& [id, one] : slots)
      if (one.phase == phase)
        return true;
    return false;
  }
  std::string status() const {
    for (const auto& [phase, shown] : {std::pair{"ringing", "ringing"}, {"talking", "busy"}, {"wrap_up", "wrap_up"}})
      if (any(phase))
        return shown;
    return presence;
  }
  int room(const std::string& channel) const {
    const auto found = capacity.find(channel);
    int left = found == capacity.end() ? 0 : found->second;
    for (const auto& [id, one] : slots)
      left -= one.channel == channel ? 1 : 0;
    return left;
  }
  int free(const std::string& channel, time_point now) const {
    const bool open = presence == "available" && now >= resting_until && !any("ringing") && !any("returning");
    return open ? std::max(0, room(channel)) : 0;
  }

  void by_hand(const std::string& wanted) {
    const auto now_is = status();
    const bool on_call = any("ringing") || any("talking");
    if (!on_call && now_is == wanted)
      return;
    if (now_is == "ringing" && wanted == "available")
      return;
    no_answers = 0;
    if (now_is == "ringing") {
      for (auto& [id, one] : slots)
        if (one.phase == "ringing")
          one.phase = "returning";
    }
    if (!on_call || now_is == "ringing")
      std::erase_if(slots, [](const auto& one) { return one.second.phase == "wrap_up"; });
    presence = on_call && now_is != "ringing" && wanted == "busy" ? "available" : wanted;
  }
  void pause(milliseconds how_long, time_point now) {
    comes_back = how_long > 0ms;
    paused_until = now + (how_long > 0ms ? std::min(how_long, longest_pause) : longest_pause);
    if (how_long > longest_pause)
      comes_back = true;
  }
};

/// Written out, so that a new transition is a decision.
const std::set<std::pair<std::string, std::string>>& legal() {
  static const auto made = [] {
    std::set<std::pair<std::string, std::string>> all;
    const std::vector<std::string> by_hand{"offline", "available", "away", "busy", "paused"};
    for (const auto& from : {"offline", "available", "away", "busy", "paused", "ringing", "wrap_up"})
      for (const auto& to : by_hand)
        all.emplace(from, to);
    for (const auto* from : {"available", "busy", "wrap_up"})
      all.emplace(from, "ringing");
    for (const auto* from : {"busy", "ringing"})
      all.emplace(from, "wrap_up");
    return all;
  }();
  return made;
}

class agent_order {
public:
  explicit agent_order(std::uint64_t seed)
      : dice_(seed), entity_(agent_type(), "a", seed,
                             {{"no_answer_most", 2},
                              {"no_answer_pause_ms", pause_for_no_answer.count()},
                              {"no_answer_rest_ms", rest_after_no_answer.count()},
                              {"fault_rest_ms", rest_after_fault.count()},
                              {"busy_lease_ms", busy_lease.count()},
                              {"pause_most_ms", longest_pause.count()}}) {}

  void run() {
    json body{{"id", "a"}, {"customer_id", "customer-1"}};
    if (roll(2)) {
      model_.capacity = {{"voice", 1 + static_cast<int>(roll(2))}, {"chat", static_cast<int>(roll(3))}};
      body["capacity"] = model_.capacity;
    }
    entity_.request("POST", "/v1/agents", body);
    for (const auto* queue : {"q1", "q2"}) {
      entity_.tell({"queue", queue}, "watch", {{"customer_id", "customer-1"}});
      model_.settled[queue] = 0;
    }
    hand("POST", "/login", "available");
    check();
    const auto steps = 6 + roll(10);
    for (std::uint64_t i = 0; i < steps && !::testing::Test::HasFailure(); ++i) {
      step();
      check();
    }
    // By itself, with nobody's help, the agent comes to rest.
    for (int i = 0; !entity_.timers.empty() && !::testing::Test::HasFailure(); ++i) {
      ASSERT_LT(i, 50) << "timers without end";
      timer_fires();
      check();
    }
    EXPECT_TRUE(entity_.state->slots.empty()) << "a place is never free again";
    EXPECT_NE(entity_.state->presence, agent_status::paused) << "paused for ever";
  }

private:
  std::uint64_t roll(std::uint64_t sides) { return dice_.roll(sides); }
  std::string queue() { return roll(2) ? "q1" : "q2"; }
  std::string known_offer() {
    if (model_.slots.empty() || roll(6) == 0)
      return "unknown";
    auto one = model_.slots.begin();
    std::advance(one, roll(model_.slots.size()));
    return one->first;
  }

  void hand(const char* method, const std::string& path, const std::string& wanted, const json& body = nullptr) {
    const auto was = model_.status();
    if (!(path == "/login" && was == "wrap_up"))
      model_.by_hand(wanted);
    entity_.request(method, "/v1/agents/a" + path, body);
    EXPECT_EQ(entity_.answered, 200) << path;
  }

  void step() {
    switch (roll(12)) {
    case 0:
      return hand("POST", roll(2) ? "/login" : "/logout", "");
    case 1: {
      const auto wanted = std::vector<std::string>{"available", "away", "busy", "offline"}[roll(4)];
      return hand("PUT", "/status", wanted, {{"status", wanted}});
    }
    case 2:
      return pauses();
    case 3:
    case 4:
    case 5:
      return offer();
    case 6:
    case 7:
      return connected();
    case 8:
    case 9:
      return release();
    case 10:
      entity_.now += milliseconds{roll(3000)};
      while (!entity_.timers.empty() && entity_.timers.at(entity_.next_timer()).due <= entity_.now)
        timer_fires();
      return;
    default:
      return roll(3) && !entity_.timers.empty() ? timer_fires() : late_timer();
    }
  }

  void hand(const char* method, const char* path, const char*) {
    const bool in = std::string{path} == "/login";
    hand(method, std::string{path}, std::string{in ? "available" : "offline"});
  }

  void pauses() {
    if (roll(3) == 0) {
      if (model_.presence == "paused")
        model_.by_hand("available");
      entity_.request("DELETE", "/v1/agents/a/pause");
      EXPECT_EQ(entity_.answered, 200);
      return;
    }
    const milliseconds how_long{roll(2) ? 0 : 1000 + roll(5000)};
    const bool refused = model_.presence == "offline";
    if (!refused) {
      model_.by_hand("paused");
      model_.pause(how_long, entity_.now);
    }
    entity_.request("POST", "/v1/agents/a/pause", {{"reason", "lunch"}, {"duration_ms", how_long.count()}});
    EXPECT_EQ(entity_.answered, refused ? 409 : 200);
    // Setting it while it rings or is set already keeps what was there; only the time is new.
    if (!refused && model_.presence != "paused")
      model_.presence = "paused";
  }

  void offer() {
    const bool repeat = !model_.slots.empty() && roll(5) == 0;
    const auto id = repeat ? known_offer() : "offer-" + std::to_string(++offers_);
    const auto known = model_.slots.find(id);
    const auto from = known == model_.slots.end() ? queue() : known->second.queue;
    const auto epoch = known != model_.slots.end() ? known->second.epoch
                       : roll(6) == 0              ? 1 + roll(epochs_ + 1)
                                                   : ++epochs_;
    const auto channel = known != model_.slots.end() ? known->second.channel : roll(4) ? "voice" : "chat";
    std::string wanted = "offer_rejected";
    if (known != model_.slots.end()) {
      wanted = known->second.phase == "ringing" || known->second.phase == "talking" ? "offer_accepted" : wanted;
    } else if (epoch > model_.settled[from] && model_.free(channel, entity_.now) > 0) {
      wanted = "offer_accepted";
      model_.slots[id] = {epoch, from, channel, "ringing"};
    }
    entity_.tell({"queue", from}, "offer",
                 {{"offer_id", id},
                  {"epoch", epoch},
                  {"call_id", "c"},
                  {"customer_id", "customer-1"},
                  {"channel", channel},
                  {"ring_timeout_ms", 5000}});
    std::string answer;
    for (const auto& one : entity_.sent)
      if (one.name != "agent_status")
        answer += one.name;
    EXPECT_EQ(answer, wanted) << id << " epoch " << epoch;
  }

  void connected() {
    const auto id = known_offer();
    const auto known = model_.slots.find(id);
    const auto from = known == model_.slots.end() ? queue() : known->second.queue;
    const auto epoch = known == model_.slots.end() ? ++epochs_ : known->second.epoch;
    const auto channel = known == model_.slots.end() ? std::string{"voice"} : known->second.channel;
    bool refused = false;
    if (known != model_.slots.end() && known->second.phase != "wrap_up") {
      known->second.phase = "talking";
      known->second.checked = false;
      model_.no_answers = 0;
    } else if (known == model_.slots.end() && epoch > model_.settled[from]) { // else: over, this comes late
      refused = model_.room(channel) <= 0;
      if (!refused) {
        model_.slots[id] = {epoch, from, channel, "talking"};
        model_.no_answers = 0;
      }
    }
    entity_.tell({"queue", from}, "connected",
                 {{"offer_id", id}, {"epoch", epoch}, {"call_id", "c"}, {"channel", channel}});
    EXPECT_EQ(count_sent("offer_withdrawn"), refused ? 1 : 0);
  }

  void release() {
    const auto id = known_offer();
    const auto known = model_.slots.find(id);
    const auto from = known == model_.slots.end() ? queue() : known->second.queue;
    const auto epoch = known == model_.slots.end() ? roll(epochs_ + 2) : known->second.epoch;
    const milliseconds wrap_up{roll(2) ? 0 : 5000};
    const auto reason = std::vector<std::string>{"noanswer", "noanswer", "busy", "over", "failed"}[roll(5)];
    model_.settled[from] = std::max(model_.settled[from], epoch);
    if (known != model_.slots.end() && known->second.phase != "wrap_up") {
      const bool rang = known->second.phase == "ringing";
      if (known->second.phase == "talking" && model_.presence == "available" && wrap_up > 0ms)
        known->second.phase = "wrap_up";
      else
        model_.slots.erase(known);
      if (rang)
        charge(reason);
    }
    entity_.tell({"queue", from}, "release",
                 {{"offer_id", id}, {"epoch", epoch}, {"wrap_up_ms", wrap_up.count()}, {"reason", reason}});
  }

  void charge(const std::string& reason) {
    if (reason == "noanswer") {
      if (++model_.no_answers >= 2 && model_.presence == "available") {
        model_.presence = "paused";
        model_.no_answers = 0;
        model_.pause(pause_for_no_answer, entity_.now);
      } else {
        model_.resting_until = entity_.now + rest_after_no_answer;
      }
    } else if (reason == "busy" || reason == "failed") {
      model_.resting_until = entity_.now + rest_after_fault;
    }
  }

  void timer_fires() {
    const auto name = entity_.next_timer();
    const auto id = name.substr(name.find(':') + 1);
    entity_.now = std::max(entity_.now, entity_.timers.at(name).due);
    if (name.starts_with("lease:")) {
      auto& one = model_.slots.at(id);
      if (one.phase == "talking" && !one.checked)
        one.checked = true;
      else
        model_.slots.erase(id);
    } else if (name.starts_with("wrap_up:")) {
      model_.slots.erase(id);
    } else if (name == "pause" && model_.presence == "paused" && entity_.now >= model_.paused_until) {
      model_.presence = model_.comes_back ? "available" : "offline";
    }
    entity_.fire_next();
  }

  /// One of another time, that overtook its own cancelling.
  void late_timer() { entity_.fire(roll(2) ? "lease:gone" : "wrap_up:gone", {{"offer_id", "gone"}}); }

  int count_sent(const std::string& name) const {
    int count = 0;
    for (const auto& one : entity_.sent)
      count += one.name == name ? 1 : 0;
    return count;
  }

  void check() {
    const auto& a = *entity_.state;
    const std::string status{sdk::text(a.status)};
    ASSERT_EQ(status, model_.status());
    ASSERT_EQ(sdk::text(a.presence), model_.presence);
    if (status != last_status_) {
      ASSERT_TRUE(legal().contains({last_status_, status})) << last_status_ << " -> " << status;
      ASSERT_TRUE(may_change(*sdk::from_text<agent_status>(last_status_), a.status))
          << last_status_ << " -> " << status;
    }
    last_status_ = status;
    ASSERT_EQ(a.slots.size(), model_.slots.size());
    std::map<std::string, int> used;
    for (const auto& one : a.slots) {
      const auto found = model_.slots.find(one.offer_id);
      ASSERT_NE(found, model_.slots.end()) << one.offer_id;
      ASSERT_EQ(sdk::text(one.phase), found->second.phase);
      ASSERT_LE(++used[one.channel], model_.capacity[one.channel]) << "beyond capacity";
      const auto exit = (one.phase == slot_phase::wrap_up ? "wrap_up:" : "lease:") + one.offer_id;
      ASSERT_TRUE(entity_.timers.contains(exit)) << "no way out of " << found->second.phase;
    }
    if (model_.presence == "paused") {
      ASSERT_TRUE(entity_.timers.contains("pause")) << "no way out of the pause";
    }
    if (entity_.now < model_.resting_until) {
      ASSERT_TRUE(entity_.timers.contains("rest")) << "nobody would say that the rest is over";
    }
    for (const auto& one : entity_.sent) { // the last word each queue has
      if (one.name == "agent_status")
        news_[one.to.id] = one.body;
    }
    for (const auto& [queue, told] : news_) {
      ASSERT_EQ(told["status"], status) << queue << " believes something else";
      for (const auto& [channel, most] : model_.capacity)
        ASSERT_EQ(told["free"].value(channel, -1), model_.free(channel, entity_.now)) << queue << " " << channel;
    }
  }

  order_dice dice_;
  driven<agent> entity_;
  agent_model model_;
  std::string last_status_ = "offline";
  std::uint64_t offers_ = 0, epochs_ = 0;
  std::map<std::string, json> news_;
};

TEST(agent_model, does_what_the_reference_does_in_any_order) {
  run_orders([](std::uint64_t seed) { agent_order{seed}.run(); });
}

} // namespace
} // namespace switchboard::telephony
