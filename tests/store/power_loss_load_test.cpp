// Power is lost again and again under load: several threads, each with a queue and an entity of its own and one queue
// of all, put, delete, remember. Each time the disk stops at a random write or sync and the next life begins with what
// it left, its recovery included. A model says what must be there.
//
// SWITCHBOARD_POWER_LOSS_CYCLES, SWITCHBOARD_POWER_LOSS_SEED: `./dev faults power-loss` sets them. The threads are
// real, so a seed repeats the load and the cuts' dice, not the groups.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <thread>

#include "power_loss.hpp"
#include "temporary_store.hpp"

namespace switchboard::store {
namespace {

constexpr queue_number shared_queue = 100;
constexpr int threads_max = 4;
constexpr int lives_of_a_disk = 20; ///< then a new one, so that files stay small

/// One batch as the model remembers it.
struct step {
  std::vector<std::pair<position, std::string>> own, shared; ///< put; the names of the messages
  std::vector<position> own_gone, shared_gone;
};

/// What one thread has submitted, in order. The store must have a prefix of it, and no less than what was confirmed.
struct history {
  std::vector<step> steps;                              ///< from `base` on
  std::vector<std::optional<std::size_t>> confirmed_at; ///< of each: events of the disk until then
  std::size_t base = 0;                                 ///< steps that earlier lives are known to have left
  std::map<position, std::string> own, shared;          ///< what those left in the queues
};

std::string name_of(int thread, std::size_t number, std::size_t part) {
  return std::to_string(thread) + ":" + std::to_string(number) + ":" + std::to_string(part) + ";";
}

std::string entity_of(int thread) { return "e" + std::to_string(thread); }

/// Batches of one thread: random parts, each of which says the batch's number.
class author {
public:
  author(environment& store, int thread, history& past, std::uint32_t seed)
      : store_(store), thread_(thread), past_(past), dice_(seed) {
    for (const auto& [at, name] : past.own)
      own_.push_back(at);
    for (const auto& [at, name] : past.shared)
      shared_.push_back(at);
  }

  void run(int batches) {
    for (int i = 0; i < batches; ++i) {
      const auto index = past_.steps.size();
      auto what = next(past_.base + index);
      past_.confirmed_at.emplace_back();
      if (dice_() % 5 == 0)
        store_.submit(std::move(what));
      else
        store_.submit(std::move(what), [this, index] {
          const std::lock_guard hold{the_disk.mutex};
          confirmed_.emplace_back(index, the_disk.events.size());
        });
      if (dice_() % 6 == 0) {
        EXPECT_TRUE(store_.flush());
      }
      if (dice_() % 25 == 0)
        journal_sequences(store_, entity_of(thread_)); // wants a checkpoint
    }
  }

  /// Once the store is closed.
  void finish() {
    for (const auto& [index, at] : confirmed_)
      past_.confirmed_at[index] = at;
  }

private:
  batch next(std::size_t number) {
    batch made;
    step remembered;
    const auto put = [&](queue_number queue, std::size_t part) {
      const auto at = store_.take_positions();
      auto name = name_of(thread_, number, part);
      made.put_message(queue, at, text_message(name + std::string(padding(), '.')));
      return std::pair{at, std::move(name)};
    };
    for (std::size_t part = 0; part < dice_() % 4; ++part) {
      remembered.own.push_back(put(static_cast<queue_number>(thread_) + 1, part));
      own_.push_back(remembered.own.back().first);
    }
    if (dice_() % 2 == 0) {
      remembered.shared.push_back(put(shared_queue, 9));
      shared_.push_back(remembered.shared.back().first);
    }
    take_some(own_, [&](position at) {
      made.delete_message(static_cast<queue_number>(thread_) + 1, at);
      remembered.own_gone.push_back(at);
    });
    take_some(shared_, [&](position at) {
      made.delete_message(shared_queue, at);
      remembered.shared_gone.push_back(at);
    });
    const auto text = std::to_string(number);
    made.put_entity(an_entity(entity_of(thread_), thread_, text));
    made.put_entity(an_entity(entity_of(thread_) + "b", thread_, text));
    made.append_journal(a_line(entity_of(thread_), number + 1, static_cast<std::int64_t>(number)));
    made.put_reply(a_reply(entity_of(thread_) + "/" + text, 5'000, text));
    made.put_topology("t" + std::to_string(thread_), text);
    past_.steps.push_back(std::move(remembered));
    return made;
  }

  std::size_t padding() {
    const auto kind = dice_() % 40;
    return kind == 0 ? 200'000 : kind < 5 ? 10'000 : dice_() % 300;
  }

  /// About as many as come: queues stay short.
  template <class Take>
  void take_some(std::vector<position>& from, Take take) {
    while (from.size() > 3 && dice_() % 4 != 0) {
      const auto which = from.begin() + static_cast<std::ptrdiff_t>(dice_() % from.size());
      take(*which);
      from.erase(which);
    }
  }

  environment& store_;
  const int thread_;
  history& past_;
  std::mt19937 dice_;
  std::vector<position> own_, shared_;
  std::vector<std::pair<std::size_t, std::size_t>> confirmed_; ///< of the writer thread until the store is closed
};

/// What a check has found. Empty `wrong`: all is well.
struct verdict {
  std::size_t confirmed = 0, unconfirmed_kept = 0;
  std::vector<std::string> wrong;
};

using contents = std::vector<std::pair<position, std::string>>;

contents contents_of(environment& store, queue_number queue) {
  contents found;
  const auto visited = store.each_message(queue, 0, [&](stored_message&& one) {
    const auto body = one.message->body();
    return found.emplace_back(one.at, body.substr(0, body.find(';') + 1)), true;
  });
  if (!visited)
    found.emplace_back(0, visited.error().what);
  return found;
}

void apply_step(const step& what, std::map<position, std::string>& own, std::map<position, std::string>& shared) {
  own.insert(what.own.begin(), what.own.end());
  shared.insert(what.shared.begin(), what.shared.end());
  for (const auto at : what.own_gone)
    own.erase(at);
  for (const auto at : what.shared_gone)
    shared.erase(at);
}

/// How many batches of the thread the store has, by its entity; what is left of `past` is what is there.
void check_thread(environment& store, int thread, history& past, std::size_t lost_at, verdict& all) {
  const auto accuse = [&](const std::string& what) {
    all.wrong.push_back("thread " + std::to_string(thread) + ": " + what + ", power lost at " +
                        std::to_string(lost_at));
  };
  std::size_t confirmed = 0;
  for (std::size_t i = 0; i < past.steps.size(); ++i)
    if (past.confirmed_at[i] && *past.confirmed_at[i] <= lost_at) {
      confirmed = i + 1; // and all before it
      ++all.confirmed;
    }
  const auto entity = store.find_entity("call", entity_of(thread));
  if (!entity)
    return accuse(entity.error().what);
  const std::size_t there = *entity ? std::stoull((*entity)->state) + 1 : 0;
  if (there < past.base + confirmed || there > past.base + past.steps.size())
    return accuse("has batches up to " + std::to_string(there) + " of " + std::to_string(past.base + confirmed) +
                  " confirmed and " + std::to_string(past.base + past.steps.size()) + " submitted");
  all.unconfirmed_kept += there - past.base - confirmed;
  for (std::size_t i = 0; past.base + i < there; ++i)
    apply_step(past.steps[i], past.own, past.shared);
  past.base = there;
  past.steps.clear();
  past.confirmed_at.clear();

  // Whatever batch it ends with is there as a whole, and nothing after it.
  if (contents_of(store, static_cast<queue_number>(thread) + 1) != contents{past.own.begin(), past.own.end()})
    accuse("its queue has other messages");
  if (there == 0)
    return;
  const auto text = std::to_string(there - 1);
  const auto second = store.find_entity("call", entity_of(thread) + "b");
  if (!second || !*second || (*second)->state != text)
    accuse("its second entity is not of the last batch");
  const auto reply = store.find_reply("bin-manager.call.request", entity_of(thread) + "/" + text);
  const auto next_reply = store.find_reply("bin-manager.call.request", entity_of(thread) + "/" + std::to_string(there));
  if (!reply || !*reply || (*reply)->bytes != text || !next_reply || *next_reply)
    accuse("its reply is not of the last batch");
  std::vector<std::uint64_t> lines;
  const auto visited = store.each_journal("call", entity_of(thread), 0,
                                          [&](journal_record&& one) { return lines.push_back(one.sequence), true; });
  std::vector<std::uint64_t> expected(there);
  std::generate(expected.begin(), expected.end(), [n = std::uint64_t{0}]() mutable { return ++n; });
  if (!visited || lines != expected)
    accuse("its journal has gaps or too much");
  std::string topology;
  if (!store.each_topology([&](std::string_view key, std::string_view bytes) {
        if (key == "t" + std::to_string(thread))
          topology = bytes;
        return true;
      }) ||
      topology != text)
    accuse("its topology is not of the last batch");
}

verdict check_store(environment& store, std::vector<history>& pasts, std::size_t lost_at) {
  verdict all;
  std::map<position, std::string> shared;
  for (std::size_t thread = 0; thread < pasts.size(); ++thread) {
    check_thread(store, static_cast<int>(thread), pasts[thread], lost_at, all);
    shared.insert(pasts[thread].shared.begin(), pasts[thread].shared.end());
  }
  if (all.wrong.empty() && contents_of(store, shared_queue) != contents{shared.begin(), shared.end()})
    all.wrong.push_back("the queue of all has other messages, power lost at " + std::to_string(lost_at));
  const auto highest = shared.empty() ? 0 : shared.rbegin()->first;
  if (store.take_positions() <= highest)
    all.wrong.push_back("a position was given again");
  return all;
}

/// A disk that loses power once in each life. `cheat` may forget what the disk was told.
class unlucky_disk {
public:
  using cheat = void (*)(std::vector<disk_event>&);
  unlucky_disk(std::uint32_t seed, cheat how = nullptr) : dice_(seed), cheat_(how) { renew(); }

  verdict live_once() {
    if (life_++ == lives_of_a_disk)
      renew();
    temporary_directory directory;
    write_store_files(disk_, directory.path());
    auto how = small_store(directory.path());
    how.log_bytes_max = log_bytes_max_;
    the_disk.events.clear();
    the_disk.is_recording = true;
    work(how);
    the_disk.is_recording = false;
    auto events = std::exchange(the_disk.events, {});
    if (cheat_)
      cheat_(events);
    const auto lost_at = dice_() % (events.size() + 1);
    files before;
    for (const auto& [path, bytes] : disk_)
      before[directory.path() + '/' + std::filesystem::path{path}.filename().string()] = bytes;
    disk_ = after_power_loss(before, events, lost_at, dice_);
    return look(lost_at);
  }

private:
  void renew() {
    temporary_directory directory;
    constexpr std::uint64_t sizes[] = {64u << 10, 1u << 20, 4u << 20};
    log_bytes_max_ = sizes[dice_() % 3];
    auto how = small_store(directory.path());
    how.log_bytes_max = log_bytes_max_;
    must_open(how)->flush(); // the files are there and synced
    disk_ = read_store_files(directory.path());
    pasts_.assign(1 + dice_() % threads_max, {});
    life_ = 1;
  }

  void work(const options& how) {
    auto store = must_open(how);
    std::vector<std::unique_ptr<author>> authors;
    for (std::size_t i = 0; i < pasts_.size(); ++i)
      authors.push_back(std::make_unique<author>(*store, static_cast<int>(i), pasts_[i], dice_()));
    std::vector<std::thread> threads;
    for (auto& one : authors)
      threads.emplace_back([&one, batches = 20 + static_cast<int>(dice_() % 150)] { one->run(batches); });
    for (auto& one : threads)
      one.join();
    store.reset();
    for (auto& one : authors)
      one->finish();
  }

  /// With a copy: looking must not change what the next life finds.
  verdict look(std::size_t lost_at) {
    temporary_directory directory;
    write_store_files(disk_, directory.path());
    auto how = small_store(directory.path());
    how.log_bytes_max = log_bytes_max_;
    how.sync = false; // nobody will ask
    std::vector<std::string> damage;
    how.on_damage = [&](const error& why) { damage.push_back(why.what); };
    auto store = environment::open(how);
    if (!store)
      return {0, 0, {store.error().what}};
    auto found = check_store(**store, pasts_, lost_at);
    found.wrong.insert(found.wrong.end(), damage.begin(), damage.end());
    return found;
  }

  std::mt19937 dice_;
  const cheat cheat_;
  files disk_;
  std::uint64_t log_bytes_max_ = 0;
  std::vector<history> pasts_;
  int life_ = 0;
};

std::uint32_t number_from(const char* variable, std::uint32_t otherwise) {
  const char* set = std::getenv(variable);
  return set ? static_cast<std::uint32_t>(std::strtoul(set, nullptr, 10)) : otherwise;
}

TEST(power_loss_under_load, loses_nothing_confirmed_and_leaves_no_batch_half) {
  const auto cycles = number_from("SWITCHBOARD_POWER_LOSS_CYCLES", 10);
  const auto seed = number_from("SWITCHBOARD_POWER_LOSS_SEED", 20260120);
  unlucky_disk disk{seed};
  verdict all;
  for (std::uint32_t cycle = 0; cycle < cycles && all.wrong.empty(); ++cycle) {
    auto found = disk.live_once();
    all.confirmed += found.confirmed;
    all.unconfirmed_kept += found.unconfirmed_kept;
    all.wrong = std::move(found.wrong);
    for (const auto& what : all.wrong)
      ADD_FAILURE() << what << ", cycle " << cycle << ", seed " << seed;
  }
  std::cout << "{\"power_loss\": {\"cycles\": " << cycles << ", \"seed\": " << seed
            << ", \"confirmed_batches\": " << all.confirmed
            << ", \"unconfirmed_batches_kept\": " << all.unconfirmed_kept << ", \"violations\": " << all.wrong.size()
            << "}}" << std::endl;
  EXPECT_GT(all.confirmed, cycles);
}

TEST(power_loss_under_load, is_noticed_when_the_disk_only_says_that_it_synced_the_log) {
  unlucky_disk disk{20260120, [](std::vector<disk_event>& events) {
                      std::erase_if(events, [](const disk_event& each) {
                        return each.bytes.empty() && each.path.ends_with("/write_ahead.log");
                      });
                    }};
  int noticed = 0;
  for (int cycle = 0; cycle < 10 && noticed == 0; ++cycle)
    noticed += !disk.live_once().wrong.empty();
  EXPECT_EQ(noticed, 1);
}

} // namespace
} // namespace switchboard::store
