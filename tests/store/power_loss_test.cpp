// The machine loses power at any moment: what was synced is on the disk, of what was only written any part may be. The
// disk of the test (disk.hpp) writes down all that the store and LMDB write; each directory that a power loss could
// leave is opened again, and everything that was confirmed until then is in it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "power_loss.hpp"
#include "temporary_store.hpp"

namespace switchboard::store {
namespace {

/// What one run of the store left: the directory before it, what it wrote, and when each batch was confirmed.
struct recorded_run {
  static constexpr int batches = 60;
  files before;
  std::vector<disk_event> events;
  std::vector<std::size_t> confirmed_at = std::vector<std::size_t>(batches); // events until then
};

/// Batch i puts message i, takes message i - 3, and says i in a state, so that the parts of a batch can be told apart.
batch numbered_batch(int i) {
  batch made;
  const auto at = static_cast<position>(i) + 1;
  made.put_message(1, at, text_message(std::to_string(i) + std::string(i % 7 == 0 ? 20'000 : 20, '.')));
  if (i >= 3)
    made.delete_message(1, at - 3);
  made.put_entity(an_entity("c1", 1, std::to_string(i)));
  made.put_entity(an_entity("c2", 1, std::to_string(i)));
  made.append_journal(a_line("c1", static_cast<std::uint64_t>(i) + 1, i));
  return made;
}

/// Small logs come round several times; some batches are asked to LMDB by a visit, some are too large for the log.
recorded_run record_a_run(const std::string& directory, std::uint64_t log_bytes_max) {
  recorded_run run;
  auto how = small_store(directory);
  how.log_bytes_max = log_bytes_max;
  must_open(how)->flush(); // the files are there and synced
  run.before = read_store_files(directory);
  the_disk.events.clear();
  the_disk.is_recording = true;
  {
    auto store = must_open(how);
    for (int i = 0; i < recorded_run::batches; ++i) {
      auto what = numbered_batch(i);
      if (i % 20 == 19)
        what.put_topology("large", std::string(1'500'000, 'l'));
      store->submit(std::move(what), [&run, i] {
        const std::lock_guard hold{the_disk.mutex};
        run.confirmed_at[static_cast<std::size_t>(i)] = the_disk.events.size();
      });
      if (i % 4 != 0) { // some batches form groups
        EXPECT_TRUE(store->flush());
      }
      if (i % 15 == 14)
        journal_sequences(*store, "c1");
    }
  }
  the_disk.is_recording = false;
  run.events.swap(the_disk.events);
  return run;
}

void open_after_power_loss(const recorded_run& run, const files& disk, std::size_t lost_at) {
  temporary_directory directory;
  write_store_files(disk, directory.path());
  auto how = small_store(directory.path());
  how.sync = false; // nobody will ask
  how.on_damage =
      how.on_tables_damaged = [&](const error& why) { ADD_FAILURE() << why.what << ", power lost at " << lost_at; };
  const auto store = must_open(how);

  int confirmed = 0; // batches
  while (confirmed < recorded_run::batches && run.confirmed_at[static_cast<std::size_t>(confirmed)] <= lost_at)
    ++confirmed;
  const auto state = store->find_entity("call", "c1");
  ASSERT_TRUE(state);
  const int last = *state ? std::stoi((*state)->state) : -1;
  ASSERT_GE(last + 1, confirmed) << "power lost at " << lost_at;
  // Whatever batch it ends with, it is there as a whole, with all before it and nothing after it.
  if (last >= 0) {
    ASSERT_EQ((*store->find_entity("call", "c2"))->state, std::to_string(last));
  }
  const auto lines = journal_sequences(*store, "c1");
  ASSERT_EQ(lines.size(), static_cast<std::size_t>(last + 1)) << "power lost at " << lost_at;
  std::vector<std::string> left;
  for (const auto& body : bodies(*store, 1))
    left.push_back(body.substr(0, body.find('.')));
  std::vector<std::string> expected;
  for (int i = std::max(0, last - 2); i <= last; ++i)
    expected.push_back(std::to_string(i));
  ASSERT_EQ(left, expected) << "power lost at " << lost_at;
  ASSERT_GT(store->take_positions(), static_cast<position>(last + 1));
}

class power_loss : public testing::TestWithParam<std::uint64_t> {};

TEST_P(power_loss, at_every_write_and_sync_leaves_all_that_was_confirmed) {
  temporary_directory directory;
  const auto run = record_a_run(directory.path(), GetParam());
  ASSERT_GT(run.events.size(), 50u);
  std::set<std::string> written;
  for (const auto& event : run.events)
    written.insert(event.path.substr(directory.path().size()));
  ASSERT_EQ(written, (std::set<std::string>{"/data.mdb", "/write_ahead.log"}));
  std::mt19937 dice{20260123};
  for (std::size_t lost_at = 0; lost_at <= run.events.size(); ++lost_at)
    for (int variant = 0; variant < 3; ++variant) {
      const auto disk = after_power_loss(run.before, run.events, lost_at, dice);
      open_after_power_loss(run, disk, lost_at);
      if (HasFatalFailure())
        return;
    }
}

INSTANTIATE_TEST_SUITE_P(log, power_loss, testing::Values(64u << 10, 4u << 20));

} // namespace
} // namespace switchboard::store
