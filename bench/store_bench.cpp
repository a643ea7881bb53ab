// The store with its real sync: how fast durable messages go in and out, in groups of 64 and 512, and what the lookups
// of the request path cost. SWITCHBOARD_BENCH_DIR names a directory on the disk that is to be measured (default: here).
#include <benchmark/benchmark.h>

#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>

#include "store/store.hpp"

namespace {

using namespace switchboard;
using namespace switchboard::store;

/// A store of its own for each run.
class bench_store {
public:
  bench_store() {
    const char* wanted = ::getenv("SWITCHBOARD_BENCH_DIR");
    directory_ = std::string{wanted ? wanted : "."} + "/store-bench-XXXXXX";
    if (!::mkdtemp(directory_.data()))
      return;
    options how;
    how.directory = directory_;
    if (auto opened = environment::open(how))
      store_ = std::move(*opened);
  }
  bench_store(const bench_store&) = delete;
  ~bench_store() {
    store_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  explicit operator bool() const { return store_ != nullptr; }
  environment* operator->() const { return store_.get(); }

private:
  std::string directory_;
  std::unique_ptr<environment> store_;
};

const message_ptr& body_of_256_bytes() {
  static const auto made = make_message("call.events", "call.created", "", std::string(256, 'x'), true);
  return made;
}

/// Each iteration is one synced group: `size` messages in, and the `size` of `depth` groups ago out.
void put_and_delete(benchmark::State& state) {
  const auto size = static_cast<position>(state.range(0));
  const auto depth = static_cast<position>(state.range(1));
  bench_store store;
  if (!store)
    return state.SkipWithError("can't open a store");
  position oldest = store->take_positions(0);
  position next = oldest;
  for (auto _ : state) {
    batch group;
    next = store->take_positions(size);
    for (position i = 0; i < size; ++i)
      group.put_message(1, next + i, body_of_256_bytes());
    for (; oldest + depth * size <= next; oldest += size)
      for (position i = 0; i < size; ++i)
        group.delete_message(1, oldest + i);
    store->submit(std::move(group));
    store->flush();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(size));
}
BENCHMARK(put_and_delete)->ArgNames({"group", "depth"})->ArgsProduct({{64, 512}, {1, 100}})->UseRealTime();

/// A publisher that waits for nothing but its credit: the writer makes the groups.
void stream(benchmark::State& state) {
  constexpr std::uint64_t credit_bytes = 4u << 20;
  bench_store store;
  if (!store)
    return state.SkipWithError("can't open a store");
  std::atomic<std::uint64_t> used{0};
  for (auto _ : state) {
    batch one;
    one.put_message(1, store->take_positions(), body_of_256_bytes());
    const auto bytes = one.footprint();
    for (auto now = used.load(); now > credit_bytes; now = used.load())
      used.wait(now);
    used += bytes;
    store->submit(std::move(one), [&used, bytes] {
      used -= bytes;
      used.notify_one();
    });
  }
  store->flush();
  state.SetItemsProcessed(state.iterations());
  state.counters["per_commit"] = static_cast<double>(state.iterations()) / static_cast<double>(store->stats().commits);
}
BENCHMARK(stream)->UseRealTime()->MinTime(2);

/// One batch at a time, each with its own sync: what a lone request waits for.
void serial_commit(benchmark::State& state) {
  bench_store store;
  if (!store)
    return state.SkipWithError("can't open a store");
  for (auto _ : state) {
    batch one;
    one.put_message(1, store->take_positions(), body_of_256_bytes());
    store->submit(std::move(one));
    store->flush();
  }
}
BENCHMARK(serial_commit)->UseRealTime()->Unit(benchmark::kMicrosecond);

constexpr int lookups = 10'000;

void find_reply(benchmark::State& state) {
  bench_store store;
  if (!store)
    return state.SkipWithError("can't open a store");
  batch all;
  for (int i = 0; i < lookups; ++i)
    all.put_reply({"bin-manager.call.request", "message-" + std::to_string(i), {}, std::string(500, 'r')});
  store->submit(std::move(all));
  store->flush();
  int next = 0;
  for (auto _ : state) {
    next = (next + 7919) % lookups;
    benchmark::DoNotOptimize(store->find_reply("bin-manager.call.request", "message-" + std::to_string(next)));
  }
}
BENCHMARK(find_reply);

void find_no_reply(benchmark::State& state) {
  bench_store store;
  if (!store)
    return state.SkipWithError("can't open a store");
  for (auto _ : state)
    benchmark::DoNotOptimize(store->find_reply("bin-manager.call.request", "never seen"));
}
BENCHMARK(find_no_reply);

void find_entity(benchmark::State& state) {
  bench_store store;
  if (!store)
    return state.SkipWithError("can't open a store");
  batch all;
  for (int i = 0; i < lookups; ++i) {
    entity_record one;
    one.type = "call";
    one.id = "entity-" + std::to_string(i);
    one.state = std::string(700, 's');
    all.put_entity(one);
  }
  store->submit(std::move(all));
  store->flush();
  int next = 0;
  for (auto _ : state) {
    next = (next + 7919) % lookups;
    benchmark::DoNotOptimize(store->find_entity("call", "entity-" + std::to_string(next)));
  }
}
BENCHMARK(find_entity);

} // namespace
