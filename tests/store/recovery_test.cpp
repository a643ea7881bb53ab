// What a crash left in the log when the store is opened: applied, reported, or refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "disk.hpp"
#include "store/counters.hpp"
#include "store/lmdb_files.hpp"
#include "store/log_record.hpp"
#include "temporary_store.hpp"

namespace switchboard::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class recovery : public testing::Test {
protected:
  recovery() {
    how_.on_damage = [this](const error& why) { damage_.push_back(why.what); };
    how_.on_log_cut = [this](const error& why) { cut_.push_back(why.what); };
  }
  ~recovery() override { the_disk.mend(); }

  static void put_alone(environment& store, position at) {
    batch made;
    made.put_message(1, at, text_message(std::to_string(at)));
    store.submit(std::move(made));
    ASSERT_TRUE(store.flush());
  }

  /// Five groups that are in the log and not in LMDB, as after a crash.
  void leave_five_groups_in_the_log(temporary_store& store) {
    for (position at = 1; at <= 5; ++at)
      put_alone(*store, at);
    crash(store);
  }

  /// Closes without the last checkpoint.
  static void crash(temporary_store& store) {
    the_disk.fail_write_with = EIO;
    store.close();
    the_disk.mend();
  }

  static void flip_bit_of_page(const temporary_store& store, std::size_t page) {
    std::fstream file{store.path() + "/write_ahead.log", std::ios::binary | std::ios::in | std::ios::out};
    const auto at = static_cast<std::streamoff>(page * log_page_bytes + 60);
    file.seekg(at);
    const auto byte = static_cast<char>(file.get() ^ 1);
    file.seekp(at);
    file.put(byte);
  }

  options how_ = small_store({});
  std::vector<std::string> damage_;
  std::vector<std::string> cut_;
};

TEST_F(recovery, brings_what_is_in_the_log_to_lmdb) {
  temporary_store store{how_};
  leave_five_groups_in_the_log(store);
  {
    auto files = lmdb_files::open(store.path(), 256u << 20, true);
    ASSERT_TRUE(files);
    read_txn txn{**files};
    read_cursor at{txn, table::messages};
    EXPECT_FALSE(at.seek({"\0", 1})) << "the test's crash doesn't leave anything in the log";
  }
  store.reopen();
  EXPECT_THAT(bodies(*store, 1), ElementsAre("1", "2", "3", "4", "5"));
  EXPECT_THAT(damage_, ElementsAre());
}

TEST_F(recovery, a_crash_after_it_loses_nothing_either) {
  temporary_store store{how_};
  leave_five_groups_in_the_log(store);
  store.reopen();
  put_alone(*store, store->take_positions());
  crash(store);
  store.reopen();
  EXPECT_EQ(bodies(*store, 1).size(), 6u);
}

TEST_F(recovery, a_damaged_group_is_reported_and_kept_and_the_others_are_applied) {
  temporary_store store{how_};
  leave_five_groups_in_the_log(store);
  flip_bit_of_page(store, 1);
  flip_bit_of_page(store, 3);
  store.reopen();
  EXPECT_THAT(bodies(*store, 1), ElementsAre("1", "3", "5"));
  const auto log = store.path() + "/write_ahead.log";
  const auto end = " fail their check; what is left of them is in " + log + ".damaged-0";
  EXPECT_THAT(damage_,
              ElementsAre(log + ": groups 2 to 2 at byte 4096" + end, log + ": groups 4 to 4 at byte 12288" + end));
  EXPECT_EQ(std::filesystem::file_size(log + ".damaged-0"), std::filesystem::file_size(log));
  damage_.clear();
  store.reopen(); // told once
  EXPECT_THAT(damage_, ElementsAre());
}

TEST_F(recovery, of_a_write_that_was_cut_off_only_what_is_there_of_it_is_kept) {
  temporary_store store{how_};
  leave_five_groups_in_the_log(store);
  flip_bit_of_page(store, 4);
  store.reopen();
  EXPECT_THAT(bodies(*store, 1), ElementsAre("1", "2", "3", "4"));
  const auto log = store.path() + "/write_ahead.log";
  EXPECT_THAT(damage_, ElementsAre());
  EXPECT_THAT(cut_, ElementsAre(testing::AllOf(HasSubstr("of group 5 at byte 16384 only a part is there"),
                                               HasSubstr("what is there is in " + log + ".damaged-0"))));
  EXPECT_LT(std::filesystem::file_size(log + ".damaged-0"), std::filesystem::file_size(log));
  std::ifstream kept{log + ".damaged-0", std::ios::binary};
  const std::string bytes{std::istreambuf_iterator<char>{kept}, {}};
  EXPECT_EQ(bytes.substr(8, 4), "SBL1");
}

TEST_F(recovery, what_can_not_be_kept_is_said_and_the_rest_is_applied) {
  temporary_store store{how_};
  leave_five_groups_in_the_log(store);
  flip_bit_of_page(store, 4);
  const auto beside = store.path() + "/write_ahead.log.damaged-0";
  std::filesystem::create_directory(beside); // nobody can write a file there
  store.reopen();
  EXPECT_THAT(bodies(*store, 1), ElementsAre("1", "2", "3", "4"));
  EXPECT_THAT(cut_, ElementsAre(HasSubstr("what is there is not kept: " + beside)));
}

TEST_F(recovery, a_log_of_another_moment_than_the_tables_is_refused) {
  temporary_store store{how_};
  store->flush();
  store.close();
  const auto data = store.path() + "/data.mdb";
  std::filesystem::copy_file(data, data + ".backup");
  store.reopen();
  put_alone(*store, 1);
  store.reopen(); // into LMDB; the next group goes over it
  put_alone(*store, 2);
  crash(store);
  std::filesystem::rename(data, data + ".newer");
  std::filesystem::rename(data + ".backup", data);
  how_.directory = store.path();
  const auto opened = environment::open(how_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, errc::precondition_failed);
  EXPECT_THAT(opened.error().what, HasSubstr("write_ahead.log: does not go on where data.mdb ends (group 0)"));
  std::filesystem::rename(data + ".newer", data);
  store.reopen();
  EXPECT_THAT(bodies(*store, 1), ElementsAre("1", "2"));
}

TEST_F(recovery, the_log_of_another_store_is_none) {
  temporary_store other{how_};
  leave_five_groups_in_the_log(other);
  temporary_store store{how_};
  put_alone(*store, 7);
  store.close();
  std::filesystem::copy_file(other.path() + "/write_ahead.log", store.path() + "/write_ahead.log",
                             std::filesystem::copy_options::overwrite_existing);
  store.reopen();
  EXPECT_THAT(bodies(*store, 1), ElementsAre("7"));
}

TEST_F(recovery, a_store_from_before_the_log_is_opened_and_marked) {
  temporary_store store{how_};
  put_alone(*store, 1);
  store.close();
  std::filesystem::remove(store.path() + "/write_ahead.log");
  {
    auto files = lmdb_files::open(store.path(), 256u << 20, true);
    ASSERT_TRUE(files);
    write_txn txn{**files};
    sealer seals;
    txn.put(table::meta, "format", seals.seal("format", std::uint64_t{1}));
    txn.erase(table::meta, "log_seed");
    txn.erase(table::meta, "log_applied");
    ASSERT_TRUE(txn.commit());
  }
  store.reopen();
  put_alone(*store, 2);
  crash(store);
  store.reopen();
  EXPECT_THAT(bodies(*store, 1), ElementsAre("1", "2"));
  store.close();
  auto files = lmdb_files::open(store.path(), 256u << 20, true);
  ASSERT_TRUE(files);
  read_txn txn{**files};
  EXPECT_EQ(decode_number("format", *txn.get(table::meta, "format")), counters::format_version);
}

TEST_F(recovery, a_map_that_is_too_small_for_the_log_is_an_error_and_loses_nothing) {
  temporary_store store{how_};
  batch large;
  large.put_message(1, 1, text_message(std::string(3'000'000, 'x')));
  store->submit(std::move(large));
  ASSERT_TRUE(store->flush());
  crash(store);
  how_.directory = store.path();
  how_.map_bytes_max = 1u << 20;
  const auto opened = environment::open(how_);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().what, HasSubstr("store full: map_bytes_max 1048576"));
  store.reopen();
  EXPECT_THAT(bodies(*store, 1), ElementsAre(testing::SizeIs(3'000'000)));
}

TEST_F(recovery, a_log_that_was_made_smaller_is_still_read_to_its_end) {
  how_.log_bytes_max = 1u << 20;
  temporary_store store{how_};
  for (position at = 1; at <= 40; ++at)
    put_alone(*store, at);
  crash(store);
  how_.directory = store.path();
  how_.log_bytes_max = log_page_bytes;
  {
    const auto small = must_open(how_);
    EXPECT_EQ(bodies(*small, 1).size(), 40u);
    put_alone(*small, 41); // goes to LMDB at once, or to the one page
    put_alone(*small, 42);
  }
  store.reopen();
  EXPECT_EQ(bodies(*store, 1).size(), 42u);
}

} // namespace
} // namespace switchboard::store
