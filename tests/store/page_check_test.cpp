#include "store/page_check.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <lmdb.h>

#include <algorithm>
#include <fstream>

#include "temporary_store.hpp"

namespace switchboard::store {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// A closed store of one queue with a few hundred messages, whose file can be changed.
class pages : public testing::Test {
protected:
  static constexpr position count = 400;

  pages() {
    how_.on_tables_damaged = [this](const error& why) { told_.push_back(why.what); };
    temporary_store store;
    batch some;
    for (position at = 1; at <= count; ++at)
      some.put_message(1, at, text_message(std::to_string(at)));
    store->submit(std::move(some));
    EXPECT_TRUE(store->flush());
    bodies(*store, 1); // into LMDB
    batch gone;
    gone.delete_message(1, 7);
    store->submit(std::move(gone));
    EXPECT_TRUE(store->flush());
    store.close();
    std::filesystem::create_directory(path());
    std::filesystem::copy(store.path(), path());
  }

  std::string path() const { return directory_.path() + "/store"; }
  std::string data() const { return path() + "/data.mdb"; }
  std::string read() const {
    std::ifstream file{data(), std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
  }
  void write(std::string_view bytes) const { std::ofstream{data(), std::ios::binary | std::ios::trunc} << bytes; }
  page_report check() const { return *check_pages(data()); }

  /// The page on which that body stands; the file must have it once.
  static std::size_t page_of(const std::string& file, const std::string& body) {
    return file.find("call.created" + body) / 4096;
  }
  temporary_directory directory_;
  options how_ = small_store(path());
  std::vector<std::string> told_;
};

TEST_F(pages, of_a_closed_store_are_as_they_should_be) {
  const auto report = check();
  EXPECT_THAT(report.broken, IsEmpty());
  EXPECT_THAT(report.lost, IsEmpty());
  EXPECT_GE(report.records, count - 1);
  EXPECT_TRUE(check_pages(directory_.path() + "/nothing")->is_new);
}

TEST_F(pages, a_damaged_record_is_named_by_its_queue_and_stays) {
  auto file = read();
  file[file.find("call.created123") + 12] ^= 1;
  write(file);
  const auto store = must_open(how_);
  EXPECT_THAT(told_, ElementsAre(AllOf(HasSubstr(data()), HasSubstr("queue 1, position 123"))));
  EXPECT_FALSE(std::filesystem::exists(data() + ".damaged-0"));
}

TEST_F(pages, a_lost_page_is_named_by_what_stood_there_and_the_others_are_written_anew) {
  auto file = read();
  file.replace(page_of(file, "200") * 4096, 4096, 4096, '\0');
  write(file);
  {
    const auto store = must_open(how_);
    ASSERT_GE(told_.size(), 2u);
    EXPECT_THAT(told_[0], AllOf(HasSubstr("messages: page "), HasSubstr("queue 1, position "),
                                HasSubstr("the damaged file is " + data() + ".damaged-0")));
    EXPECT_THAT(told_[1], HasSubstr("record(s) can't be reached"));
    std::vector<std::string> left;
    const auto visited =
        store->each_message(1, 0, [&](stored_message&& one) { return left.emplace_back(one.message->body()), true; });
    EXPECT_FALSE(visited) << "who reads the queue is told";
    EXPECT_GT(left.size(), count - 100);
    EXPECT_LT(left.size(), count - 1);
    EXPECT_EQ(std::count(left.begin(), left.end(), "200"), 0);
  }
  std::ifstream kept{data() + ".damaged-0", std::ios::binary};
  EXPECT_EQ((std::string{std::istreambuf_iterator<char>{kept}, {}}), file);
  told_.clear();
  must_open(how_);
  EXPECT_THAT(told_, ElementsAre(HasSubstr("its key is now queue 1, position 0"))) << "the page is told once";
}

TEST_F(pages, a_meta_page_with_another_transaction_loses_nothing) {
  const auto whole = read();
  for (const std::size_t page : {0, 1})
    for (int bit = 0; bit < 16; ++bit) {
      auto file = whole;
      file[page * 4096 + 144 + static_cast<std::size_t>(bit / 8)] ^= static_cast<char>(1 << bit % 8);
      write(file);
      told_.clear();
      const auto store = must_open(how_);
      EXPECT_THAT(told_, ElementsAre(HasSubstr("meta page " + std::to_string(page)))) << "bit " << bit;
      EXPECT_EQ(bodies(*store, 1).size(), count - 1)
          << "LMDB alone would go back by one transaction: page " << page << ", bit " << bit;
    }
}

TEST_F(pages, of_a_compact_copy_are_as_they_should_be) {
  const auto copy = directory_.path() + "/copy";
  std::filesystem::create_directory(copy);
  MDB_env* env = nullptr;
  ASSERT_EQ(mdb_env_create(&env), 0);
  ASSERT_EQ(mdb_env_set_mapsize(env, 256u << 20), 0);
  ASSERT_EQ(mdb_env_open(env, path().c_str(), 0, 0600), 0);
  ASSERT_EQ(mdb_env_copy2(env, copy.c_str(), MDB_CP_COMPACT), 0);
  mdb_env_close(env);
  EXPECT_THAT(check_pages(copy + "/data.mdb")->broken, IsEmpty());
}

TEST_F(pages, an_empty_file_beside_a_log_is_no_new_store) {
  write("");
  const auto opened = environment::open(how_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, errc::corrupt);
  EXPECT_THAT(opened.error().what, HasSubstr("is empty or missing, but there is a write_ahead.log"));
}

} // namespace
} // namespace switchboard::store
