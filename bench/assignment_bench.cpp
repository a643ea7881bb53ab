// What one assignment decision costs in a queue of 100,000 waiting callers and 10,000 agents: an agent becomes free,
// who is next is found, the agent is chosen, both leave, and a new caller joins. Prints p50, p99 and the longest.
//
// Agents have three of 20 skills at levels 1 to 10; callers want none, one or two at levels 1 to 5, have a priority of
// 0 to 3, and what they want relaxes as they wait. The clock goes on with each decision.
#include <algorithm>
#include <chrono>
#include <ctime>
#include <random>
#include <vector>

#include <benchmark/benchmark.h>

#include "actors/queue/waiting_line.hpp"

namespace {

using namespace switchboard;
using namespace switchboard::telephony;
using namespace std::chrono_literals;

constexpr std::uint32_t agents = 10000;
constexpr std::uint32_t callers = 100000;

struct centre {
  explicit centre(routing_method method) : line(method, 60s, {{30s, 1}, {60s, 3}, {120s, 5}}) {
    for (int i = 0; i < 20; ++i)
      skills.push_back("skill-" + std::to_string(i));
    for (std::uint32_t who = 0; who < agents; ++who)
      profiles.push_back({.place = {0, who + 1}, .penalty = static_cast<int>(dice() % 2), .skills = levels(3, 10)});
  }

  skill_levels levels(std::size_t count, int most) {
    skill_levels made;
    while (made.size() < count) {
      const auto& name = skills[dice() % skills.size()];
      if (std::none_of(made.begin(), made.end(), [&](const auto& one) { return one.first == name; }))
        made.emplace_back(name, 1 + static_cast<int>(dice() % static_cast<unsigned>(most)));
    }
    return made;
  }
  void join(std::uint32_t who) {
    line.put_caller(who, {++number, static_cast<int>(dice() % 4), now, false, levels(dice() % 3, 5)}, now);
  }
  void free(std::uint32_t who) {
    auto& profile = profiles[who];
    profile.idle_since = now;
    ++profile.calls;
    profile.talk_time += milliseconds{dice() % 100000};
    line.put_agent(who, profile);
  }
  /// True if somebody was assigned. A caller who leaves is followed by a new one, so that the line stays as long.
  bool assign() {
    const auto next = line.next(now);
    if (!next)
      return false;
    const auto chosen = line.choose(*next, 1, {}, last, [this] { return dice(); });
    last = profiles[chosen.front()].place;
    line.erase_agent(chosen.front());
    busy.push_back(chosen.front());
    line.erase_caller(*next);
    left = *next;
    return true;
  }

  std::mt19937_64 dice{1};
  std::vector<std::string> skills;
  std::vector<free_agent> profiles;
  waiting_line line;
  time_point now{24h};
  std::uint64_t number = 0;
  agent_place last;
  std::vector<std::uint32_t> busy;
  std::uint32_t left = 0;
};

/// Of this thread: the machine may be busy with others.
std::int64_t processor_ns() {
  timespec spent{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
  return spent.tv_sec * 1000000000 + spent.tv_nsec;
}

void report(benchmark::State& state, std::vector<std::int64_t> took) {
  std::sort(took.begin(), took.end());
  const auto at = [&](double part) {
    return static_cast<double>(took[static_cast<std::size_t>(part * (static_cast<double>(took.size()) - 1))]) / 1000;
  };
  state.counters["p50_us"] = at(0.5);
  state.counters["p99_us"] = at(0.99);
  state.counters["longest_us"] = at(1);
}

/// 100,000 wait, everybody is busy; agents become free one by one.
void callers_wait(benchmark::State& state) {
  centre all{static_cast<routing_method>(state.range(0))};
  for (std::uint32_t who = 0; who < callers; ++who) {
    all.now += 1ms;
    all.join(who);
  }
  static_cast<void>(all.line.next(all.now));
  for (std::uint32_t who = 0; who < agents; ++who)
    all.busy.push_back(who);
  std::vector<std::int64_t> took;
  for (auto _ : state) {
    all.now += 1ms;
    const auto at = all.dice() % all.busy.size();
    const auto who = all.busy[at];
    all.busy[at] = all.busy.back();
    all.busy.pop_back();
    const auto before = processor_ns();
    all.free(who);
    if (!all.assign())
      return state.SkipWithError("100,000 callers wait and none can be served");
    took.push_back(processor_ns() - before);
    all.join(all.left);
  }
  report(state, std::move(took));
}

/// All 10,000 agents are free and callers come one by one; who was assigned becomes free again.
void agents_wait(benchmark::State& state) {
  centre all{static_cast<routing_method>(state.range(0))};
  for (std::uint32_t who = 0; who < agents; ++who)
    all.free(who);
  static_cast<void>(all.line.next(all.now));
  std::vector<std::int64_t> took;
  std::uint32_t who = 0;
  for (auto _ : state) {
    all.now += 1ms;
    const auto before = processor_ns();
    all.join(who++ % callers);
    if (!all.assign())
      return state.SkipWithError("10,000 agents are free and nobody was assigned");
    took.push_back(processor_ns() - before);
    all.free(all.busy.back());
    all.busy.pop_back();
  }
  report(state, std::move(took));
}

void methods(benchmark::internal::Benchmark* bench) {
  for (const auto method : {routing_method::longest_idle, routing_method::fewest_calls, routing_method::round_robin,
                            routing_method::random, routing_method::weighted_random})
    bench->Arg(static_cast<int>(method));
  bench->Iterations(100000)->Unit(benchmark::kMicrosecond);
}
BENCHMARK(callers_wait)->Apply(methods);
BENCHMARK(agents_wait)->Apply(methods);

} // namespace
