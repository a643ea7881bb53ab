// The disk says no, or not yet. This binary's fdatasync, pwrite and writev stand before the C library's, so LMDB calls
// them: they can fail, wait and be counted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <fstream>
#include <functional>
#include <mutex>

#include "temporary_store.hpp"

namespace {

std::atomic<int> fail_sync_with{0};
std::atomic<int> fail_write_with{0};
std::atomic<int> syncs{0};
std::mutex hook_mutex;
std::function<void()> before_sync; // called once, then forgotten

void run_hook() {
  std::function<void()> hook;
  {
    const std::lock_guard hold{hook_mutex};
    hook = std::exchange(before_sync, {});
  }
  if (hook)
    hook();
}

} // namespace

#define EXPORTED extern "C" __attribute__((visibility("default")))

EXPORTED int fdatasync(int file) {
  run_hook();
  if (const int cause = fail_sync_with)
    return errno = cause, -1;
  const auto answer = ::syscall(SYS_fdatasync, file);
  ++syncs;
  return static_cast<int>(answer);
}

EXPORTED ssize_t pwrite(int file, const void* bytes, size_t size, off_t at) {
  if (const int cause = fail_write_with)
    return errno = cause, -1;
  return ::syscall(SYS_pwrite64, file, bytes, size, at);
}

EXPORTED ssize_t writev(int file, const iovec* parts, int count) {
  if (const int cause = fail_write_with)
    return errno = cause, -1;
  return ::syscall(SYS_writev, file, parts, count);
}

namespace switchboard::store {
namespace {

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
  static void mend() { fail_sync_with = fail_write_with = 0; }

  static batch one_message(position at, std::string_view body) {
    batch made;
    made.put_message(1, at, text_message(body));
    return made;
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
    const std::lock_guard hold{hook_mutex};
    before_sync = [&] {
      in_sync.set_value();
      go_on.get_future().wait();
    };
  }
  const int syncs_before = syncs;
  std::atomic<int> first{-1}, second{-1};
  store->submit(one_message(1, "first"), [&] { first = syncs - syncs_before; });
  if (in_sync.get_future().wait_for(std::chrono::seconds{60}) != std::future_status::ready) {
    const std::lock_guard hold{hook_mutex};
    before_sync = {};
    FAIL() << "nothing was synced";
  }
  store->submit(one_message(2, "second"), [&] { second = syncs - syncs_before; }); // while the first one syncs
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
  ASSERT_TRUE(store->flush());
  {
    held_writer held{*store};
    fail_sync_with = EIO;
    for (position at = 2; at < 10; ++at)
      store->submit(one_message(at, "lost"), [&] { confirmed = true; });
  }
  expect_failed(store, "Input/output error");
  EXPECT_FALSE(confirmed);
  store.reopen();
  EXPECT_THAT(bodies(*store, 1), ElementsAre("before"));
}

TEST_F(disk, a_full_disk_confirms_nothing_ever_again) {
  temporary_store store{how_};
  bool confirmed = false;
  store->submit(one_message(1, "before"));
  ASSERT_TRUE(store->flush());
  fail_write_with = ENOSPC;
  store->submit(one_message(2, std::string(100'000, 'x')), [&] { confirmed = true; });
  expect_failed(store, "No space left on device");
  EXPECT_FALSE(confirmed);
  store.reopen();
  EXPECT_THAT(bodies(*store, 1), ElementsAre("before"));
}

TEST_F(disk, a_full_map_says_which_limit_and_keeps_what_was_confirmed) {
  how_.map_bytes_max = 2u << 20;
  temporary_store store{how_};
  int confirmed = 0;
  for (position at = 1; at < 100; ++at)
    store->submit(one_message(at, std::string(100'000, 'x')), [&] { ++confirmed; }), store->flush();
  const auto flushed = store->flush();
  ASSERT_FALSE(flushed);
  EXPECT_EQ(flushed.error().code, errc::io_failed);
  EXPECT_THAT(flushed.error().what, HasSubstr("store full: map_bytes_max 2097152"));
  EXPECT_THAT(flushed.error().what, HasSubstr(store.path()));
  const auto stored = bodies(*store, 1).size();
  store.close();
  EXPECT_EQ(failures_.size(), 1u);
  EXPECT_GT(confirmed, 5);
  EXPECT_EQ(stored, static_cast<std::size_t>(confirmed));
}

TEST_F(disk, expiry_after_a_failure_blocks_nobody) {
  temporary_store store{how_};
  fail_sync_with = EIO;
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
  expect_one_missing("journal", [&](auto visit) { return store->each_journal("call", "e", visit); });
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
