// The disk says no, or not yet.
#include "disk.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <optional>
#include <thread>

#include "store/log_record.hpp"
#include "temporary_store.hpp"

namespace switchboard::store {

disk_seam the_disk;

namespace {

void run_hook() {
  std::function<void()> hook;
  {
    const std::lock_guard hold{the_disk.mutex};
    hook = std::exchange(the_disk.before_sync, {});
  }
  if (hook)
    hook();
}

void write_down(int file, std::uint64_t at, std::string bytes) {
  if (!the_disk.is_recording)
    return;
  std::array<char, 4096> path{};
  const auto name = "/proc/self/fd/" + std::to_string(file);
  if (::readlink(name.c_str(), path.data(), path.size() - 1) <= 0)
    return;
  const std::string_view written{path.data()};
  if (!written.ends_with("/data.mdb") && !written.ends_with("/write_ahead.log"))
    return;
  const bool is_synced = (::fcntl(file, F_GETFL) & O_DSYNC) != 0;
  const std::lock_guard hold{the_disk.mutex};
  the_disk.events.push_back({path.data(), at, std::move(bytes), is_synced});
}

int sync_with(long call, int file) {
  run_hook();
  if (const int cause = the_disk.fail_sync_with)
    return errno = cause, -1;
  const auto answer = ::syscall(call, file);
  ++the_disk.syncs;
  write_down(file, 0, {});
  return static_cast<int>(answer);
}

} // namespace
} // namespace switchboard::store

#define EXPORTED extern "C" __attribute__((visibility("default")))

EXPORTED int fdatasync(int file) { return switchboard::store::sync_with(SYS_fdatasync, file); }
EXPORTED int fsync(int file) { return switchboard::store::sync_with(SYS_fsync, file); }

EXPORTED ssize_t pwrite(int file, const void* bytes, size_t size, off_t at) {
  if (const int cause = switchboard::store::the_disk.fail_write_with)
    return errno = cause, -1;
  if (size > 1 && switchboard::store::the_disk.is_short())
    size /= 2;
  const auto done = ::syscall(SYS_pwrite64, file, bytes, size, at);
  if (done > 0)
    switchboard::store::write_down(file, static_cast<std::uint64_t>(at),
                                   {static_cast<const char*>(bytes), static_cast<std::size_t>(done)});
  return done;
}

EXPORTED ssize_t writev(int file, const iovec* parts, int count) {
  if (const int cause = switchboard::store::the_disk.fail_write_with)
    return errno = cause, -1;
  const auto at = ::lseek(file, 0, SEEK_CUR);
  const int most = count > 1 && switchboard::store::the_disk.is_short() ? count / 2 : count;
  const auto done = ::syscall(SYS_writev, file, parts, most);
  if (done > 0 && at >= 0 && switchboard::store::the_disk.is_recording) {
    std::string all;
    for (int i = 0; i < count; ++i)
      all.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
    all.resize(static_cast<std::size_t>(done));
    switchboard::store::write_down(file, static_cast<std::uint64_t>(at), std::move(all));
  }
  return done;
}

namespace switchboard::store {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// Whatever a test broke works again after it.
class disk : public testing::Test {
protected:
  disk() {
    how_.on_failure = [this](const error& why) { failures_.push_back(why); };
  }
  ~disk() override { mend(); }
  static void mend() { the_disk.mend(); }

  static batch one_message(position at, std::string_view body) {
    batch made;
    made.put_message(1, at, text_message(body));
    return made;
  }

  /// Flushed, and out of the log: a visit sees to it.
  static std::vector<std::string> bodies_of_flushed(environment& store) {
    EXPECT_TRUE(store.flush());
    return bodies(store, 1);
  }

  /// Everything that must hold once a store has failed.
  void expect_failed(temporary_store& store, const std::string& cause) {
    bool confirmed = false;
    const auto flushed = store->flush();
    ASSERT_FALSE(flushed);
    EXPECT_THAT(flushed.error().what, HasSubstr(cause));
    mend(); // the disk recovers, the store doesn't: the kernel may have dropped the pages it could not write
    store->submit(one_message(99, "late"), [&] { confirmed = true; });
    EXPECT_FALSE(store->flush());
    EXPECT_THAT(bodies(*store, 1), ElementsAre("before")); // reads go on
    EXPECT_EQ(store->stats().waiting_bytes, 0u);
    store.close();
    EXPECT_FALSE(confirmed);
    ASSERT_EQ(failures_.size(), 1u);
    EXPECT_EQ(failures_[0], flushed.error());
  }

  options how_ = small_store({});
  std::vector<error> failures_; // of the writer thread until the store is closed
};

TEST_F(disk, a_confirm_follows_a_sync_that_began_after_the_submit) {
  temporary_store store{how_};
  std::promise<void> in_sync, go_on;
  {
    const std::lock_guard hold{the_disk.mutex};
    the_disk.before_sync = [&] {
      in_sync.set_value();
      go_on.get_future().wait();
    };
  }
  const int syncs_before = the_disk.syncs;
  std::atomic<int> first{-1}, second{-1};
  store->submit(one_message(1, "first"), [&] { first = the_disk.syncs - syncs_before; });
  if (in_sync.get_future().wait_for(std::chrono::seconds{60}) != std::future_status::ready) {
    const std::lock_guard hold{the_disk.mutex};
    the_disk.before_sync = {};
    FAIL() << "nothing was synced";
  }
  store->submit(one_message(2, "second"), [&] { second = the_disk.syncs - syncs_before; }); // while the first one syncs
  EXPECT_EQ(first, -1);
  go_on.set_value();
  ASSERT_TRUE(store->flush());
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 2);
}

TEST_F(disk, a_failed_sync_confirms_nothing_ever_again) {
  temporary_store store{how_};
  bool confirmed = false;
  store->submit(one_message(1, "before"));
  ASSERT_THAT(bodies_of_flushed(*store), ElementsAre("before"));
  {
    held_writer held{*store};
    the_disk.fail_sync_with = EIO;
    for (position at = 2; at < 10; ++at)
      store->submit(one_message(at, "lost"), [&] { confirmed = true; });
  }
  expect_failed(store, "Input/output error");
  EXPECT_FALSE(confirmed);
  store.reopen(); // what was written and not confirmed may be there, all of its group or nothing
  EXPECT_THAT(bodies(*store, 1), ElementsAre("before", "lost", "lost", "lost", "lost", "lost", "lost", "lost", "lost"));
}

TEST_F(disk, a_full_disk_confirms_nothing_ever_again) {
  temporary_store store{how_};
  bool confirmed = false;
  store->submit(one_message(1, "before"));
  ASSERT_THAT(bodies_of_flushed(*store), ElementsAre("before"));
  the_disk.fail_write_with = ENOSPC;
  store->submit(one_message(2, std::string(100'000, 'x')), [&] { confirmed = true; });
  expect_failed(store, "No space left on device");
  EXPECT_FALSE(confirmed);
  store.reopen();
  EXPECT_THAT(bodies(*store, 1), ElementsAre("before"));
}

TEST_F(disk, a_full_disk_also_stops_a_group_that_is_too_large_for_the_log) {
  temporary_store store{how_};
  bool confirmed = false;
  store->submit(one_message(1, "before"));
  ASSERT_THAT(bodies_of_flushed(*store), ElementsAre("before"));
  the_disk.fail_write_with = ENOSPC;
  store->submit(one_message(2, std::string(5'000'000, 'x')), [&] { confirmed = true; });
  expect_failed(store, "data.mdb: No space left on device");
  EXPECT_FALSE(confirmed);
  store.reopen();
  EXPECT_THAT(bodies(*store, 1), ElementsAre("before"));
}

TEST_F(disk, what_a_short_write_left_of_the_log_is_written_too) {
  temporary_store store{how_};
  bool confirmed = false;
  the_disk.short_writes = 3;
  store->submit(one_message(1, std::string(100'000, 'x')), [&] { confirmed = true; });
  ASSERT_TRUE(store->flush());
  EXPECT_TRUE(confirmed);
  EXPECT_LE(the_disk.short_writes, 1) << "the file's growth and the record";
  mend();
  store.reopen();
  EXPECT_THAT(bodies(*store, 1), ElementsAre(std::string(100'000, 'x')));
}

TEST_F(disk, a_short_write_of_lmdb_confirms_nothing_ever_again) {
  temporary_store store{how_};
  bool confirmed = false;
  store->submit(one_message(1, "before"));
  ASSERT_THAT(bodies_of_flushed(*store), ElementsAre("before"));
  the_disk.short_writes = 1;
  store->submit(one_message(2, std::string(5'000'000, 'x')), [&] { confirmed = true; });
  expect_failed(store, "data.mdb: Input/output error");
  EXPECT_FALSE(confirmed);
  store.reopen();
  EXPECT_THAT(bodies(*store, 1), ElementsAre("before"));
}

TEST_F(disk, a_sync_that_fails_in_lmdb_confirms_nothing_ever_again) {
  temporary_store store{how_};
  bool confirmed = false;
  store->submit(one_message(1, "before"));
  ASSERT_THAT(bodies_of_flushed(*store), ElementsAre("before"));
  the_disk.fail_sync_with = EIO;
  store->submit(one_message(2, std::string(5'000'000, 'x')), [&] { confirmed = true; });
  expect_failed(store, "data.mdb: Input/output error");
  EXPECT_FALSE(confirmed);
  store.reopen();
  EXPECT_THAT(bodies(*store, 1), ElementsAre("before"));
}

TEST_F(disk, what_was_logged_before_a_failure_is_there_after_the_restart) {
  temporary_store store{how_};
  batch what;
  what.put_message(1, 1, text_message("logged"));
  what.put_entity(an_entity("c1", 1, "answered"));
  what.put_entity(an_entity("c2", 1));
  what.delete_entity("call", "c2");
  what.put_reply(a_reply("m1", 1000, "the call"));
  store->submit(std::move(what));
  ASSERT_TRUE(store->flush());
  the_disk.fail_sync_with = EIO;
  store->submit(one_message(2, "lost"));
  ASSERT_FALSE(store->flush());
  mend();
  // Lookups go on; a visit that would miss something says why it can't begin.
  EXPECT_EQ((*store->find_entity("call", "c1"))->state, "answered");
  EXPECT_FALSE(*store->find_entity("call", "c2"));
  EXPECT_EQ((*store->find_reply("bin-manager.call.request", "m1"))->bytes, "the call");
  const auto visited = store->each_message(1, 0, [](auto&&) { return ADD_FAILURE(), true; });
  ASSERT_FALSE(visited);
  EXPECT_EQ(visited.error().what, store.path() + "/write_ahead.log: Input/output error");
  EXPECT_EQ(timers(*store).size(), 0u);
  store.reopen();
  EXPECT_THAT(bodies(*store, 1), Contains("logged"));
  EXPECT_THAT(entity_ids(*store), ElementsAre("c1"));
}

TEST_F(disk, a_failure_of_lmdb_behind_the_log_loses_nothing) {
  temporary_store store{how_};
  int confirmed = 0;
  store->submit(one_message(1, "logged"), [&] { ++confirmed; });
  ASSERT_TRUE(store->flush());
  the_disk.fail_write_with = ENOSPC;
  EXPECT_FALSE(store->each_message(1, 0, [](auto&&) { return true; })); // wants it in LMDB
  const auto flushed = store->flush();
  ASSERT_FALSE(flushed);
  EXPECT_THAT(flushed.error().what, HasSubstr("data.mdb: No space left on device"));
  store.close();
  EXPECT_EQ(failures_.size(), 1u);
  EXPECT_EQ(confirmed, 1);
  mend();
  store.reopen();
  EXPECT_THAT(bodies(*store, 1), ElementsAre("logged"));
}

TEST_F(disk, a_visit_in_a_completion_that_fails_ends_the_store) {
  temporary_store store{how_};
  expected<void> visited;
  store->submit(one_message(1, "logged"), [&] {
    the_disk.fail_write_with = EIO;
    visited = store->each_message(1, 0, [](auto&&) { return true; });
    EXPECT_FALSE(store->each_message(1, 0, [](auto&&) { return true; }));
  });
  store->flush();
  store.close();
  ASSERT_FALSE(visited);
  ASSERT_EQ(failures_.size(), 1u);
  EXPECT_EQ(failures_[0], visited.error());
  mend();
  store.reopen();
  EXPECT_THAT(bodies(*store, 1), ElementsAre("logged"));
}

TEST_F(disk, a_confirm_costs_one_sync) {
  temporary_store store{how_};
  store->submit(one_message(1, "the log grows"));
  ASSERT_TRUE(store->flush());
  const int before = the_disk.syncs;
  for (position at = 2; at <= 21; ++at) {
    store->submit(one_message(at, "x"));
    ASSERT_TRUE(store->flush());
    batch taken; // nobody waits for it, so it goes with the next one
    taken.delete_message(1, at);
    store->submit(std::move(taken));
  }
  EXPECT_LE(the_disk.syncs - before, 20 + 10) << "a slow machine may add some: company_wait, lump_age_max";
}

/// A store with so small a map that a hundred messages fill it; they are put one after the other until one has no room.
class full_map : public disk {
protected:
  full_map() {
    how_.map_bytes_max = 2u << 20;
    store_.emplace(how_);
    while (confirmed_ == last_ && last_ < 100) {
      put(std::string(100'000, 'x'));
      static_cast<void>((*store_)->flush());
    }
  }
  void put(std::string_view body) {
    (*store_)->submit(one_message(++last_, body), [this] { ++confirmed_; });
  }
  void take(position first, position last) {
    batch made;
    for (auto at = first; at <= last; ++at)
      made.delete_message(1, at);
    (*store_)->submit(std::move(made));
  }
  void wait_until_not_full() {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    while ((*store_)->stats().is_full && std::chrono::steady_clock::now() < until)
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    ASSERT_TRUE((*store_)->flush());
  }

  std::optional<temporary_store> store_;
  std::atomic<position> confirmed_{0};
  position last_ = 0;
};

TEST_F(full_map, holds_puts_back_and_says_so) {
  EXPECT_TRUE((*store_)->stats().is_full);
  EXPECT_GT(confirmed_, 5u);
  EXPECT_EQ(confirmed_, last_ - 1);
  const auto flushed = (*store_)->flush();
  ASSERT_FALSE(flushed);
  EXPECT_EQ(flushed.error().code, errc::io_failed);
  EXPECT_THAT(flushed.error().what, HasSubstr("store full: map_bytes_max 2097152"));
  EXPECT_THAT(flushed.error().what, HasSubstr(store_->path()));
  EXPECT_EQ(bodies(**store_, 1).size(), confirmed_) << "reads go on";
  store_->close();
  EXPECT_THAT(failures_, IsEmpty()) << "it waits; that is no failure";
  const auto confirmed = confirmed_.load();
  store_->reopen();
  EXPECT_EQ(bodies(**store_, 1).size(), confirmed);
}

TEST_F(full_map, confirms_in_order_once_deletions_have_made_room) {
  put("behind it");
  put("and another one");
  EXPECT_EQ(confirmed_, last_ - 3);
  take(1, 5);
  wait_until_not_full();
  EXPECT_EQ(confirmed_, last_);
  const auto left = bodies(**store_, 1);
  ASSERT_EQ(left.size(), last_ - 5);
  EXPECT_THAT((std::vector<std::string>{left.end() - 2, left.end()}), ElementsAre("behind it", "and another one"));
  EXPECT_THAT(failures_, IsEmpty());
}

TEST_F(full_map, forgets_what_was_put_and_taken_while_it_waited) {
  put("held, and taken by a consumer");
  take(last_ - 1, last_); // what is stuck, and that
  wait_until_not_full();
  EXPECT_EQ(confirmed_, last_);
  EXPECT_EQ(bodies(**store_, 1).size(), last_ - 2);
}

TEST_F(full_map, lets_a_purge_go_ahead_and_takes_what_waits_along) {
  batch purge;
  purge.delete_queue_messages(1);
  (*store_)->submit(std::move(purge));
  put("after the purge");
  wait_until_not_full();
  EXPECT_EQ(confirmed_, last_);
  EXPECT_THAT(bodies(**store_, 1), ElementsAre("after the purge"));
}

TEST_F(full_map, keeps_a_move_whole) {
  batch move; // a dead letter: from one queue to another, and it must not be in neither
  move.delete_message(1, 1);
  move.put_message(2, ++last_, text_message(std::string(100'000, 'x')));
  std::atomic<bool> moved{false};
  (*store_)->submit(std::move(move), [&] { moved = true; });
  std::this_thread::sleep_for(std::chrono::milliseconds{200}); // several tries
  EXPECT_EQ(bodies(**store_, 1).size() + bodies(**store_, 2).size(), confirmed_) << "both changes, or none";
  take(2, 4);
  wait_until_not_full();
  EXPECT_TRUE(moved);
  EXPECT_EQ(bodies(**store_, 2).size(), 1u);
}

TEST_F(full_map, is_filled_and_drained_again_and_again) {
  for (int round = 0; round < 20; ++round) {
    ASSERT_TRUE((*store_)->stats().is_full) << round;
    take(1, last_);
    wait_until_not_full();
    ASSERT_EQ(confirmed_, last_);
    ASSERT_THAT(bodies(**store_, 1), IsEmpty());
    while (confirmed_ == last_) {
      put(std::string(50'000 + 1'000 * static_cast<std::size_t>(round), 'x'));
      static_cast<void>((*store_)->flush());
    }
  }
  EXPECT_THAT(failures_, IsEmpty());
}

TEST_F(disk, expiry_after_a_failure_blocks_nobody) {
  temporary_store store{how_};
  the_disk.fail_sync_with = EIO;
  store->submit(one_message(1, "x"));
  ASSERT_FALSE(store->flush());
  store->expire(at_ms(1), at_ms(1));
  EXPECT_FALSE(store->flush());
}

/// Flips one bit of each place in the store's file where `text` stands. LMDB may have left older copies of a page.
void flip(const std::string& directory, const std::string& text) {
  const auto path = directory + "/data.mdb";
  std::ifstream in{path, std::ios::binary};
  std::string bytes{std::istreambuf_iterator<char>{in}, {}};
  int places = 0;
  for (auto at = bytes.find(text); at != std::string::npos; at = bytes.find(text, at + 1), ++places)
    bytes[at] ^= 4;
  EXPECT_GT(places, 0);
  std::fstream out{path, std::ios::binary | std::ios::in | std::ios::out};
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

TEST_F(disk, a_damaged_record_is_reported_and_the_others_are_served) {
  temporary_store store;
  batch what;
  for (const auto* id : {"c1", "c2", "c3"}) {
    what.put_entity(an_entity(id, id[1], std::string{"state_of_"} + id));
    what.put_message(1, static_cast<position>(id[1]), text_message(std::string{"body_of_"} + id));
    what.put_reply(a_reply(id, 1000, std::string{"reply_to_"} + id));
    what.append_journal(a_line("e", static_cast<std::uint64_t>(id[1]), 5, std::string{"line_of_"} + id));
    what.put_timer(a_timer(std::string{"timer_of_"} + id, id[1]));
    what.put_topology(id, std::string{"topology_of_"} + id);
    what.put_outbox({static_cast<std::uint64_t>(id[1]), 0, std::string{"outbox_of_"} + id});
  }
  store->submit(std::move(what));
  ASSERT_TRUE(store->flush());
  const auto path = store.path();
  store.close();
  for (const auto* text : {"state_of_c2", "body_of_c2", "reply_to_c2", "line_of_c2", "topology_of_c2", "outbox_of_c2"})
    flip(path, text);
  store.reopen();

  const auto expect_one_missing = [&](const char* table, auto each) {
    int seen = 0;
    const expected<void> visited = each([&](auto&&...) { return ++seen, true; });
    EXPECT_EQ(seen, 2) << table;
    ASSERT_FALSE(visited) << table;
    EXPECT_EQ(visited.error().code, errc::corrupt);
    EXPECT_EQ(visited.error().what, path + "/data.mdb: 1 record(s) of table " + table + " fail their check");
  };
  expect_one_missing("entities_by_time", [&](auto visit) { return store->each_entity("call", visit); });
  expect_one_missing("messages", [&](auto visit) { return store->each_message(1, 0, visit); });
  expect_one_missing("journal", [&](auto visit) { return store->each_journal("call", "e", 0, visit); });
  expect_one_missing("topology", [&](auto visit) { return store->each_topology(visit); });
  expect_one_missing("outbox", [&](auto visit) { return store->each_outbox(visit); });
  EXPECT_EQ(timers(*store).size(), 3u);

  const auto entity = store->find_entity("call", "c2");
  ASSERT_FALSE(entity);
  EXPECT_EQ(entity.error().code, errc::corrupt);
  EXPECT_THAT(entity.error().what, HasSubstr("table entities: call c2 fails its check"));
  EXPECT_FALSE(store->find_reply("bin-manager.call.request", "c2"));
  EXPECT_TRUE(*store->find_entity("call", "c1"));
  EXPECT_TRUE(*store->find_reply("bin-manager.call.request", "c1"));

  // Writing it anew mends it.
  batch anew;
  anew.put_entity(an_entity("c2", '2', "fresh"));
  store->submit(std::move(anew));
  ASSERT_TRUE(store->flush());
  EXPECT_THAT(entity_ids(*store), ElementsAre("c3", "c2", "c1"));
}

} // namespace
} // namespace switchboard::store
