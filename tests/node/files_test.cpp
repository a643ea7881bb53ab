#include "node/files.hpp"

#include <filesystem>
#include <fstream>
#include <future>
#include <set>

#include <gmock/gmock.h>
#include <stdlib.h>

namespace switchboard::node {
namespace {

namespace fs = std::filesystem;

class files : public testing::Test {
protected:
  files() {
    std::string name = (fs::temp_directory_path() / "switchboard_files_XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~files() override { fs::remove_all(folder_); }

  config in(const std::string& data_dir) {
    config made;
    made.node.data_dir = (folder_ / data_dir).string();
    return made;
  }
  std::string write(const std::string& name, const std::string& text) {
    std::ofstream{folder_ / name} << text;
    return (folder_ / name).string();
  }

  fs::path folder_;
};

TEST_F(files, a_first_start_makes_a_secret_that_only_the_owner_reads) {
  const auto settings = in("deep/data");
  EXPECT_FALSE(read_hs256_secret(settings)) << "reading alone makes nothing";
  ASSERT_TRUE(make_missing_secret(settings));
  const auto secret = read_hs256_secret(settings);
  ASSERT_TRUE(secret) << secret.error().what;
  EXPECT_EQ(secret->size(), 64u);
  EXPECT_EQ(fs::status(settings.hs256_secret_path()).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  ASSERT_TRUE(make_missing_secret(settings));
  EXPECT_EQ(*read_hs256_secret(settings), *secret) << "the second start keeps it";
  EXPECT_EQ(std::distance(fs::directory_iterator{settings.node.data_dir}, {}), 1) << "no drafts are left";
}

TEST_F(files, makers_at_the_same_time_agree) {
  const auto settings = in("data");
  std::vector<std::future<std::string>> makers;
  for (int i = 0; i < 8; ++i)
    makers.push_back(std::async(std::launch::async, [&] {
      return make_missing_secret(settings) ? *read_hs256_secret(settings) : std::string{};
    }));
  std::set<std::string> secrets;
  for (auto& maker : makers)
    secrets.insert(maker.get());
  EXPECT_EQ(secrets.size(), 1u);
  EXPECT_FALSE(secrets.contains(""));
}

TEST_F(files, a_named_secret_file_is_never_made) {
  auto settings = in("data");
  settings.jwt.hs256_secret_file = (folder_ / "absent").string();
  EXPECT_TRUE(make_missing_secret(settings));
  const auto secret = read_hs256_secret(settings);
  ASSERT_FALSE(secret);
  EXPECT_EQ(secret.error().what, settings.jwt.hs256_secret_file + ": No such file or directory");
}

TEST_F(files, a_short_secret_is_refused) {
  auto settings = in("data");
  settings.jwt.hs256_secret_file = write("secret", std::string(31, 'x') + "\n");
  EXPECT_FALSE(read_hs256_secret(settings));
  settings.jwt.hs256_secret_file = write("secret", std::string(32, 'x') + "\r\nmore\n");
  EXPECT_EQ(*read_hs256_secret(settings), std::string(32, 'x'));
}

TEST_F(files, a_data_folder_that_cannot_be_made_is_an_error) {
  write("file", "");
  const auto made = make_missing_secret(in("file/data"));
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().what, testing::HasSubstr("jwt.secret: Not a directory"));
}

TEST_F(files, the_amqp_password_is_guest_or_the_first_line_of_its_file) {
  config settings;
  EXPECT_EQ(*load_amqp_password(settings), "guest");
  settings.amqp.password_file = write("password", "s3 cret\n");
  EXPECT_EQ(*load_amqp_password(settings), "s3 cret");
  settings.amqp.password_file = write("password", "\n");
  EXPECT_FALSE(load_amqp_password(settings));
}

TEST_F(files, large_files_are_refused) {
  const auto path = write("large", std::string((1 << 20) + 1, ' '));
  EXPECT_FALSE(read_file(path));
}

} // namespace
} // namespace switchboard::node
