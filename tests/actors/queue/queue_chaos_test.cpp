// The contact centre under chaos, in virtual time and from a seed: 600 callers, a tenth as many agents, five queues of
// different strategies. Phones ring out, are busy and fail; callers hang up, are kicked, ask to be called back,
// overflow; agents log out, pause and go away in the middle of it; messages of different senders overtake each other;
// and now and then a plugin crashes: a decision is thrown away, the instance opened again from its last saved state,
// and the message redelivered.
//
//   SWITCHBOARD_SEED=7         another run
//   SWITCHBOARD_CALLERS=2000   the whole size: 200 agents; takes minutes, for every decision reopens its instance
#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "tests/actors/scenario.hpp"

namespace switchboard::telephony {
namespace {

struct crash_dice {
  std::mt19937_64 dice{1};
  std::uint64_t one_in = 40;
  int crashes = 0;
};
crash_dice& crash() {
  static crash_dice one;
  return one;
}

/// At every moment no more calls than fit, and one phone at a time.
void check_capacity(const json& agent_view) {
  if (agent_view.is_null())
    return;
  std::map<std::string, int> used;
  int rings = 0;
  for (const auto& one : agent_view["calls"]) {
    ++used[one["channel"]];
    rings += one["phase"] == "ringing" ? 1 : 0;
  }
  EXPECT_LE(rings, 1) << agent_view;
  for (const auto& [channel, count] : used)
    EXPECT_LE(count, agent_view["capacity"][channel].get<int>()) << "beyond capacity: " << agent_view;
}

/// A type whose instances crash: what they decided is lost, and they decide again from the saved bytes.
template <auto Type>
class crashing {
  struct instance {
    void* live;
    std::string bytes;
    std::uint32_t version;
  };
  static const sb_entity_type& real() { return sdk::abi_of<Type>(); }

  static void* open(sb_bytes bytes, std::uint32_t version, sb_sink* why_not) {
    auto* live = real().open(bytes, version, why_not);
    return live ? new instance{live, {bytes.size ? bytes.data : "", bytes.size}, version} : nullptr;
  }
  static void nothing_of_it(sb_outcome& out) {
    out.size = sizeof(sb_outcome);
    out.reply = [](void*, int, sb_bytes) {};
    out.refuse = [](void*, int, sb_bytes, sb_bytes) {};
    out.state = [](void*, std::uint32_t, sb_bytes, sb_bytes) {};
    out.end = [](void*) {};
    out.event = [](void*, sb_bytes, sb_bytes, sb_bytes, sb_bytes) {};
    out.send = [](void*, sb_bytes, sb_bytes, sb_bytes, sb_bytes) {};
    out.arm_timer = [](void*, sb_bytes, std::int64_t, sb_bytes) {};
    out.cancel_timer = [](void*, sb_bytes) {};
    out.fail = [](void*, sb_bytes) {};
    out.fail_as = [](void*, std::int32_t, sb_bytes) {};
  }
  static int decide(void* self, const sb_message* msg, const sb_context* ctx, sb_outcome* out) {
    auto& mine = *static_cast<instance*>(self);
    if (crash().dice() % crash().one_in == 0) {
      ++crash().crashes;
      sb_outcome lost{};
      nothing_of_it(lost);
      real().decide(mine.live, msg, ctx, &lost);
      real().close(mine.live);
      mine.live = real().open({mine.bytes.data(), mine.bytes.size()}, mine.version, nullptr);
    }
    const auto done = real().decide(mine.live, msg, ctx, out);
    if (std::string_view{real().type} == "agent")
      check_capacity(shown(mine.live));
    return done;
  }
  static json shown(void* live) {
    std::string text;
    sb_sink sink{&text,
                 [](void* into, sb_bytes part) { static_cast<std::string*>(into)->append(part.data, part.size); }};
    real().view(live, &sink);
    return json::parse(text);
  }
  static void view(void* self, sb_sink* sink) { real().view(static_cast<instance*>(self)->live, sink); }
  static void close(void* self) {
    auto* mine = static_cast<instance*>(self);
    real().close(mine->live);
    delete mine;
  }

public:
  static const sb_entity_type& get() {
    static const auto made = [] {
      auto type = real();
      type.open = &open;
      type.decide = &decide;
      type.view = &view;
      type.close = &close;
      return type;
    }();
    return made;
  }
};

class acd_chaos : public scenario {
protected:
  acd_chaos()
      : acd_chaos(std::getenv("SWITCHBOARD_SEED") ? std::strtoull(std::getenv("SWITCHBOARD_SEED"), nullptr, 10) : 1) {}
  explicit acd_chaos(std::uint64_t seed) : scenario(seed), dice_(seed) {
    crash().dice.seed(seed);
    const json short_memory{{"keep_ms", 1000}};
    world_.add(crashing<&call_type>::get(), short_memory);
    world_.add(crashing<&conference_type>::get(), short_memory);
    world_.add(crashing<&agent_type>::get(), {{"no_answer_pause_ms", 20000}, {"no_answer_rest_ms", 500}});
    world_.add(crashing<&queue_type>::get());
    world_.add(crashing<&loopback_trunk_type>::get());
    world_.shuffled(true);
  }

  std::uint64_t roll(std::uint64_t sides) { return dice_() % sides; }
  template <class Some>
  const auto& one_of(const Some& some) {
    return some[roll(some.size())];
  }

  void make_queues() {
    const std::vector<json> configured{
        {{"routing_method", "longest_idle"}, {"wait_timeout", 40000}},
        {{"routing_method", "ring_all"},
         {"parallel_offers", 3},
         {"max_length", 30},
         {"overflow", {{"type", "queue"}, {"queue_id", "queue-0"}}}},
        {{"routing_method", "fewest_calls"},
         {"wait_timeout", 15000},
         {"overflow", {{"type", "queue"}, {"queue_id", "queue-4"}}}},
        {{"routing_method", "round_robin"},
         {"skill_relaxation", {{{"after_ms", 5000}, {"lower_by", 3}}, {{"after_ms", 12000}, {"lower_by", 10}}}},
         {"wait_timeout", 60000}},
        {{"routing_method", "weighted_random"},
         {"parallel_offers", 2},
         {"wait_timeout", 30000},
         {"service_timeout", 20000}}};
    for (std::size_t i = 0; i < configured.size(); ++i) {
      auto body = configured[i];
      body["id"] = queues_.emplace_back("queue-" + std::to_string(i));
      body["ring_timeout_ms"] = 4000;
      body["wrap_up_ms"] = 1000;
      body["callback_retry_ms"] = 3000;
      body["decisions_kept"] = 3;
      body["announce_interval_ms"] = i == 0 ? 10000 : 0;
      post("/v1/queues", body);
    }
  }

  void make_agents(int count) {
    const std::vector<std::string> phones{stays, stays, stays,   stays,       stays,
                                          busy,  rings, rejects, unreachable, "+15559870104"};
    for (int i = 0; i < count; ++i) {
      const auto& id = agents_.emplace_back("agent-" + std::to_string(i));
      json body{{"id", id}, {"addresses", {one_of(phones)}}};
      if (roll(2))
        body["skills"] = {{"french", 1 + roll(10)}};
      post("/v1/agents", body);
      std::set<std::string> mine{one_of(queues_)};
      if (roll(3) == 0)
        mine.insert(one_of(queues_));
      for (const auto& queue : mine)
        post("/v1/queues/" + queue + "/agents", {{"agent_id", id}, {"penalty", roll(3)}});
      post("/v1/agents/" + id + "/login");
    }
    world_.settle();
  }

  /// Patient for some seconds after the queue answered; then he hangs up, waiting or talking.
  void new_caller() {
    const std::vector<std::string> sources{"+15557770103", "+15557770106", "+15557770109", "+15557770112",
                                           "+15557770118", "+15557770125", "+15557770140"};
    const auto call = arrive(one_of(sources));
    const auto& queue = one_of(queues_);
    calls_.emplace_back(queue, call);
    json body{{"call_id", call}, {"priority", roll(3)}};
    if (roll(4) == 0)
      body["skills"] = {{"french", 1 + roll(9)}};
    ask_any("POST", "/v1/queues/" + queue + "/calls", body);
    world_.tell({"queue", one_of(queues_)}, "add_caller", {{"customer_id", "another"}, {"call_id", call}},
                {"queue", "queue-0"}); // not theirs
  }

  void ask_any(const char* method, const std::string& route, const json& body = nullptr) {
    const auto status = world_.request(method, route, body, tenant).status;
    EXPECT_TRUE(status == 200 || status == 404 || status == 409 || status == 429) << method << route << status;
  }

  void disturb() {
    const auto& agent = one_of(agents_);
    const auto [queue, call] = calls_.empty()
                                   ? std::pair<std::string, std::string>{"queue-0", "nobody"}
                                   : calls_[calls_.size() - 1 - roll(std::min<std::size_t>(calls_.size(), 60))];
    switch (roll(9)) {
    case 0:
      return ask_any("POST", "/v1/agents/" + agent + "/logout");
    case 1:
      return ask_any("PUT", "/v1/agents/" + agent + "/status", {{"status", "away"}});
    case 2:
      return ask_any("POST", "/v1/agents/" + agent + "/pause",
                     {{"reason", "coffee"}, {"duration_ms", 1000 + roll(9000)}});
    case 3:
      return ask_any("POST", "/v1/calls/" + call + "/hangup");
    case 4:
      return ask_any("DELETE", "/v1/queues/" + queue + "/calls/" + call);
    case 5:
      return ask_any("POST", "/v1/queues/" + queue + "/calls/" + call + "/callback",
                     {{"destination", roll(3) ? "+15559870105" : rings}});
    default:
      return ask_any("POST", "/v1/agents/" + agent + "/login");
    }
  }

  /// Of messages of different senders any may come first; now and then time goes on before all are delivered.
  void pass(milliseconds by) {
    if (roll(3) == 0) {
      for (int i = 0; i < 5; ++i)
        world_.step();
      world_.fire_next();
    }
    world_.advance(by);
  }

  // -- the judge
  // -------------------------------------------------------------------------------------------------------

  struct counted {
    std::uint64_t incoming = 0, answered = 0, in_time = 0, serviced = 0, abandoned = 0, overflowed = 0, callbacks = 0;
    std::int64_t wait_ms = 0, talk_ms = 0;
  };

  /// From the event log alone.
  void judge() {
    std::map<std::string, counted> of_queue;
    std::map<std::string, int> joined, left, talking;
    std::map<std::string, std::string> last_status;
    int decisions = 0, offered = 0;
    for (const auto& one : world_.events()) {
      const auto& data = one.data;
      if (one.type == "agent.status_change") {
        auto& last = last_status.try_emplace(one.resource_id, "offline").first->second;
        EXPECT_EQ(data["previous"], last) << one.resource_id;
        last = data["status"];
      }
      if (!one.type.starts_with("queue."))
        continue;
      auto& q = of_queue[one.resource_id];
      const auto caller = data.value("queuecall_id", "");
      if (one.type == "queue.caller_joined") {
        ++q.incoming;
        EXPECT_EQ(++joined[caller], 1) << caller;
      } else if (one.type == "queue.decision") {
        ++decisions;
        EXPECT_FALSE(data["chosen"].empty());
      } else if (one.type == "queue.offered") {
        ++offered;
      } else if (one.type == "queue.answered") {
        EXPECT_EQ(++talking[data["agent_id"]], 1) << "two calls at once: " << data["agent_id"];
      } else if (one.type == "queue.callback_failed") {
        --talking[data["agent_id"]];
      } else if (one.type == "queue.callback_requested") {
        ++q.callbacks;
      } else if (one.type == "queue.connected") {
        ++q.answered;
        q.wait_ms += data["waited_ms"].get<std::int64_t>();
        q.in_time += data["waited_ms"] <= 20000 ? 1 : 0;
      } else if (one.type == "queue.serviced" || one.type == "queue.abandoned" || one.type == "queue.overflowed") {
        EXPECT_EQ(++left[caller], 1) << caller << " left twice";
        const std::string agent = data["agent_id"];
        if (!agent.empty() && one.type != "queue.overflowed" && talking[agent] > 0)
          --talking[agent];
        q.serviced += one.type == "queue.serviced" ? 1 : 0;
        q.abandoned += one.type == "queue.abandoned" ? 1 : 0;
        q.overflowed += one.type == "queue.overflowed" ? 1 : 0;
        q.talk_ms += data.value("service_ms", std::int64_t{0});
      }
    }
    for (const auto& [caller, times] : joined)
      EXPECT_EQ(left[caller], 1) << "lost: " << caller;
    counted total;
    for (const auto& id : queues_) {
      const auto shown = ask("GET", "/v1/queues/" + id + "/stats");
      const auto& q = of_queue[id];
      EXPECT_EQ(shown["total_incoming"], q.incoming) << id;
      EXPECT_EQ(shown["total_answered"], q.answered) << id;
      EXPECT_EQ(shown["total_answered_in_time"], q.in_time) << id;
      EXPECT_EQ(shown["total_serviced"], q.serviced) << id;
      EXPECT_EQ(shown["total_abandoned"], q.abandoned) << id;
      EXPECT_EQ(shown["total_overflowed"], q.overflowed) << id;
      EXPECT_EQ(shown["total_callbacks"], q.callbacks) << id;
      EXPECT_EQ(shown["total_answer_wait_ms"], q.wait_ms) << id;
      EXPECT_EQ(shown["total_talk_ms"], q.talk_ms) << id;
      if (q.answered) {
        EXPECT_EQ(shown["asa_ms"], q.wait_ms / static_cast<std::int64_t>(q.answered)) << id;
      }
      EXPECT_EQ(shown["waiting"], 0) << id;
      EXPECT_EQ(shown["active"], 0) << id;
      EXPECT_THAT(world_.state("queue", id)["callers"], IsEmpty()) << id;
      total.incoming += q.incoming;
      total.serviced += q.serviced;
      total.abandoned += q.abandoned;
      total.overflowed += q.overflowed;
      total.callbacks += q.callbacks;
    }
    for (const auto& id : agents_) {
      EXPECT_THAT(world_.state("agent", id)["slots"], IsEmpty()) << id << " is stuck";
      EXPECT_THAT(world_.timers("agent", id), IsEmpty()) << id;
      EXPECT_THAT(this->status("agent", id), ::testing::AnyOf("available", "away", "offline")) << id;
    }
    EXPECT_THAT(world_.ids("trunk"), IsEmpty());
    for (const auto& id : world_.ids("call"))
      EXPECT_EQ(this->status("call", id), "hangup") << "a ghost";
    RecordProperty("callers", static_cast<int>(total.incoming));
    std::printf(
        "callers %llu: serviced %llu, abandoned %llu, overflowed %llu; callbacks %llu; offers %d, decisions %d, "
        "events %zu, crashes %d\n",
        static_cast<unsigned long long>(total.incoming), static_cast<unsigned long long>(total.serviced),
        static_cast<unsigned long long>(total.abandoned), static_cast<unsigned long long>(total.overflowed),
        static_cast<unsigned long long>(total.callbacks), offered, decisions, world_.events().size(), crash().crashes);
    EXPECT_GT(total.serviced, total.incoming / 5) << "hardly anybody was served: the test proves little";
    EXPECT_GT(total.abandoned, total.incoming / 50);
    EXPECT_GT(total.overflowed, total.incoming / 100);
    if (total.incoming >= 500) { // fewer need not have one
      EXPECT_GT(total.callbacks, total.incoming / 200);
    }
    EXPECT_GT(crash().crashes, 100);
  }

  std::mt19937_64 dice_;
  std::vector<std::string> queues_, agents_;
  std::vector<std::pair<std::string, std::string>> calls_;
};

TEST_F(acd_chaos, nobody_is_lost_no_agent_is_stuck_and_the_figures_are_those_of_the_log) {
  const auto* wanted = std::getenv("SWITCHBOARD_CALLERS");
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  const int callers = wanted ? std::atoi(wanted) : 200;
#else
  const int callers = wanted ? std::atoi(wanted) : 600;
#endif
  const int agents = callers / 10;
  make_queues();
  make_agents(agents);
  for (int came = 0; came < callers && !HasFailure();) {
    const auto together = 1 + roll(4);
    for (std::uint64_t i = 0; i < together && came < callers; ++i, ++came)
      new_caller();
    if (roll(2))
      disturb();
    pass(milliseconds{roll(50000 / static_cast<std::uint64_t>(agents))}); // as many to each agent at every size
  }
  world_.advance(3min); // everybody who is left gives up or is served; no call is longer than its caller's patience
  for (const auto& id : agents_)
    ask_any("DELETE", "/v1/agents/" + id + "/pause");
  world_.advance(2min);
  judge();
}

} // namespace
} // namespace switchboard::telephony
