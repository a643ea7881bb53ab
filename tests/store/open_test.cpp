// Doors: what open() refuses and what it says then.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "store/lmdb_files.hpp"
#include "store/record.hpp"
#include "temporary_store.hpp"

namespace switchboard::store {
namespace {

using testing::HasSubstr;

unsigned mode_of(const std::string& path) {
  struct stat found {};
  EXPECT_EQ(::stat(path.c_str(), &found), 0) << path;
  return found.st_mode & 0777;
}

error refusal(const std::string& directory) {
  auto opened = environment::open(small_store(directory));
  EXPECT_FALSE(opened);
  return opened ? error{} : opened.error();
}

TEST(open, makes_missing_directories_that_only_the_owner_reads) {
  temporary_directory parent;
  const auto path = parent.path() + "/a/b/store";
  const auto store = must_open(small_store(path));
  EXPECT_EQ(mode_of(path), 0700u);
  for (const auto* file : {"/data.mdb", "/lock.mdb", "/LOCK"})
    EXPECT_EQ(mode_of(path + file), 0600u) << file;
}

TEST(open, a_second_opener_is_refused_with_the_holder_named) {
  temporary_store store;
  const auto why = refusal(store.path());
  EXPECT_EQ(why.code, errc::resource_locked);
  EXPECT_THAT(why.what, HasSubstr(store.path() + "/LOCK"));
  EXPECT_THAT(why.what, HasSubstr("process " + std::to_string(::getpid())));
  const auto path = store.path();
  store.close();
  EXPECT_TRUE(environment::open(small_store(path)));
}

TEST(open, a_file_in_the_place_of_the_directory_is_named) {
  temporary_directory parent;
  const auto path = parent.path() + "/file";
  std::ofstream{path} << "text";
  const auto why = refusal(path);
  EXPECT_EQ(why.code, errc::io_failed);
  EXPECT_EQ(why.what, path + ": not a directory");
  EXPECT_THAT(refusal(path + "/below").what, HasSubstr(path + "/below"));
}

TEST(open, a_directory_that_takes_no_files_is_named) {
  const auto why = refusal("/proc/switchboard-store");
  EXPECT_EQ(why.code, errc::io_failed);
  EXPECT_THAT(why.what, HasSubstr("/proc/switchboard-store: "));
}

TEST(open, a_file_that_is_no_store_is_refused) {
  temporary_directory parent;
  std::ofstream{parent.path() + "/data.mdb"} << std::string(100'000, 'x');
  const auto why = refusal(parent.path());
  EXPECT_EQ(why.code, errc::corrupt);
  EXPECT_THAT(why.what, HasSubstr(parent.path() + "/data.mdb"));
}

TEST(open, another_format_version_is_refused_by_number) {
  temporary_store store;
  const auto path = store.path();
  store.close();
  {
    auto files = lmdb_files::open(path, 1u << 20, true);
    ASSERT_TRUE(files);
    write_txn txn{**files};
    sealer seals;
    txn.put(table::meta, "format", seals.seal("format", std::uint64_t{7}));
    ASSERT_TRUE(txn.commit());
  }
  const auto why = refusal(path);
  EXPECT_EQ(why.code, errc::precondition_failed);
  EXPECT_EQ(why.what, path + "/data.mdb: format version 7, this build reads 1 to 4");
}

TEST(open, after_a_refusal_the_directory_is_free_again) {
  temporary_directory parent;
  std::ofstream{parent.path() + "/data.mdb"} << std::string(100'000, 'x');
  refusal(parent.path());
  std::filesystem::remove(parent.path() + "/data.mdb");
  EXPECT_TRUE(environment::open(small_store(parent.path())));
}

} // namespace
} // namespace switchboard::store
