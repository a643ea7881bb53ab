// What routing and binding cost with 1, 1,000 and 100,000 queues and bindings. The keys asked for are taken in turn
// from all of them ("cold": most of the table is outside the caches at 100,000) or always the same ("warm").
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "broker/routing_table_builder.hpp"
#include "broker/topology.hpp"

namespace {

using namespace switchboard;
using namespace switchboard::broker;

std::string queue_name(std::int64_t i) { return "bin-manager.call-" + std::to_string(i) + ".request"; }
std::string topic_of(std::int64_t i) { return "call." + std::to_string(i) + ".ended"; }

/// `count` queues, each bound once to an exchange of that type: directly by its name, or by "call.<i>.*".
routing_table_builder bound(const std::string& type, std::int64_t count) {
  routing_table_builder made;
  made.add_exchange({.name = "calls", .type = type});
  for (std::int64_t i = 0; i < count; ++i) {
    made.add_queue(std::make_shared<const endpoint>(static_cast<queue_number>(i), queue_name(i), true));
    binding_spec spec{.source = "calls", .destination = queue_name(i), .routing_key = queue_name(i)};
    if (type == "topic")
      spec.routing_key = "call." + std::to_string(i) + ".*";
    if (type == "headers")
      spec.arguments.set("tenant", static_cast<std::int64_t>(i));
    made.bind(spec);
  }
  return made;
}

std::vector<std::string> keys(std::int64_t count, std::string (*name)(std::int64_t)) {
  std::vector<std::string> all;
  for (std::int64_t i = 0; i < count; ++i)
    all.push_back(name(i * 7919 % count));
  return all;
}

void route_all(benchmark::State& state, const routing_table& table, const char* exchange,
               const std::vector<std::string>& asked) {
  std::vector<const endpoint*> found;
  std::size_t next = 0;
  for (auto _ : state) {
    found.clear();
    table.route(exchange, asked[next], {}, found);
    benchmark::DoNotOptimize(found.data());
    next = next + 1 == asked.size() ? 0 : next + 1;
  }
  if (found.size() != 1)
    state.SkipWithError("not routed to one queue");
}

void route_default_warm(benchmark::State& state) {
  route_all(state, *bound("direct", state.range(0)).snapshot(), "", {queue_name(state.range(0) / 2)});
}
void route_default_cold(benchmark::State& state) {
  route_all(state, *bound("direct", state.range(0)).snapshot(), "", keys(state.range(0), queue_name));
}
void route_direct_warm(benchmark::State& state) {
  route_all(state, *bound("direct", state.range(0)).snapshot(), "calls", {queue_name(state.range(0) / 2)});
}
void route_direct_cold(benchmark::State& state) {
  route_all(state, *bound("direct", state.range(0)).snapshot(), "calls", keys(state.range(0), queue_name));
}
void route_topic_warm(benchmark::State& state) {
  route_all(state, *bound("topic", state.range(0)).snapshot(), "calls", {topic_of(state.range(0) / 2)});
}
void route_topic_cold(benchmark::State& state) {
  route_all(state, *bound("topic", state.range(0)).snapshot(), "calls", keys(state.range(0), topic_of));
}

void route_fanout(benchmark::State& state) {
  const auto table = bound("fanout", state.range(0)).snapshot();
  std::vector<const endpoint*> found;
  for (auto _ : state) {
    found.clear();
    table->route("calls", "", {}, found);
    benchmark::DoNotOptimize(found.data());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void route_headers(benchmark::State& state) {
  const auto table = bound("headers", state.range(0)).snapshot();
  field_table headers;
  headers.set("tenant", std::int64_t{0});
  headers.set("kind", "call");
  std::string bytes;
  encode_fields(headers, bytes);
  std::vector<const endpoint*> found;
  for (auto _ : state) {
    found.clear();
    table->route("calls", "", bytes, found);
    benchmark::DoNotOptimize(found.data());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

/// "#.a.#.a…", the longest hostile pattern, against keys of so many words, up to the longest.
void route_topic_bomb(benchmark::State& state) {
  routing_table_builder made;
  made.add_exchange({.name = "calls", .type = "topic"});
  made.add_queue(std::make_shared<const endpoint>(1, "q", false));
  std::string pattern = "#";
  for (int i = 0; i < 62; ++i)
    pattern += ".a.#";
  made.bind({.source = "calls", .destination = "q", .routing_key = pattern});
  std::string key = "a";
  for (std::int64_t i = 1; i < state.range(0); ++i)
    key += ".a";
  route_all(state, *made.snapshot(), "calls", {key});
}

/// One binding more and one less, with a snapshot after each, as the topology actor does it.
void bind_and_unbind(benchmark::State& state, const std::string& type) {
  auto table = bound(type, state.range(0));
  binding_spec spec{.source = "calls", .destination = queue_name(0), .routing_key = "call.another.key"};
  for (auto _ : state) {
    table.bind(spec);
    benchmark::DoNotOptimize(table.snapshot());
    table.unbind(spec);
    benchmark::DoNotOptimize(table.snapshot());
  }
}
void bind_direct(benchmark::State& state) { bind_and_unbind(state, "direct"); }
void bind_topic(benchmark::State& state) { bind_and_unbind(state, "topic"); }
void bind_fanout(benchmark::State& state) { bind_and_unbind(state, "fanout"); }

/// The whole way: rules, indexes, records, routes. A durable queue is declared, bound, unbound and deleted.
void declare_bind_delete(benchmark::State& state) {
  topology all;
  queue_number number = 0;
  const auto make = [&](const queue_spec& spec) {
    return std::make_shared<const endpoint>(++number, spec.name, spec.durable);
  };
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    static_cast<void>(all.declare_queue({.name = queue_name(i), .durable = true, .owner = "me"}, false, make));
    static_cast<void>(
        all.bind({.source = "amq.topic", .destination = queue_name(i), .routing_key = topic_of(i)}, "me"));
  }
  for (auto _ : state) {
    static_cast<void>(all.declare_queue({.name = "one more", .durable = true, .owner = "me"}, false, make));
    static_cast<void>(all.bind({.source = "amq.topic", .destination = "one more", .routing_key = "a.*.c"}, "me"));
    benchmark::DoNotOptimize(all.snapshot());
    static_cast<void>(all.delete_queue("one more", "me", false, false, {}));
    benchmark::DoNotOptimize(all.snapshot());
  }
}

#define SWITCHBOARD_SIZES(name) BENCHMARK(name)->Arg(1)->Arg(1000)->Arg(100000)
SWITCHBOARD_SIZES(route_default_warm);
SWITCHBOARD_SIZES(route_default_cold);
SWITCHBOARD_SIZES(route_direct_warm);
SWITCHBOARD_SIZES(route_direct_cold);
SWITCHBOARD_SIZES(route_topic_warm);
SWITCHBOARD_SIZES(route_topic_cold);
SWITCHBOARD_SIZES(route_fanout);
SWITCHBOARD_SIZES(route_headers);
BENCHMARK(route_topic_bomb)->Arg(62)->Arg(95)->Arg(127);
SWITCHBOARD_SIZES(bind_direct);
SWITCHBOARD_SIZES(bind_topic);
SWITCHBOARD_SIZES(bind_fanout);
SWITCHBOARD_SIZES(declare_bind_delete);

} // namespace
