#include "runtime/plugin_loader.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/elf_section.hpp"

namespace switchboard::runtime {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

std::string plugin(const std::string& name) { return SWITCHBOARD_TEST_PLUGIN_DIR "/" + name + ".so"; }

std::string bytes_of(const std::string& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

std::string refusal(const std::string& path) {
  const auto loaded = load_plugin(path);
  EXPECT_FALSE(loaded);
  return loaded ? std::string{} : loaded.error().what;
}

/// A folder and a copy of the good plugin, to spoil.
struct spoiled : testing::Test {
  fs::path folder = fs::temp_directory_path() / ("switchboard-plugins-" + std::to_string(::getpid()));
  fs::path file = folder / "copy.so";

  void SetUp() override {
    fs::create_directories(folder);
    fs::permissions(folder, fs::perms::owner_all);
    fs::copy_file(plugin("counter"), file, fs::copy_options::overwrite_existing);
    fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
  }
  void TearDown() override { fs::remove_all(folder); }
};

TEST(plugin_loader, loads_a_plugin_and_its_types) {
  const auto loaded = load_plugin(plugin("counter"));
  ASSERT_TRUE(loaded) << loaded.error().what;
  EXPECT_EQ(loaded->manifest, (plugin_manifest{SWITCHBOARD_ABI_MAJOR, SWITCHBOARD_ABI_MINOR, "counter", "1.0.0"}));
  ASSERT_EQ(loaded->entry->type_count, 1U);
  EXPECT_STREQ(loaded->entry->types[0]->type, "counter");
}

TEST(plugin_loader, refuses_a_foreign_abi_before_any_code_runs) {
  EXPECT_THAT(refusal(plugin("foreign_abi")), HasSubstr("built for ABI 999.0, this node speaks 1.")); // it would abort
}

TEST(plugin_loader, refuses_what_is_no_plugin) {
  EXPECT_THAT(refusal(plugin("no_manifest")), HasSubstr("it has no section .switchboard.manifest"));
  EXPECT_THAT(refusal(plugin("no_entry")), HasSubstr("it has no working switchboard_plugin_entry"));
  EXPECT_THAT(refusal(plugin("other_name")), HasSubstr("its description differs from its manifest"));
  EXPECT_THAT(refusal(plugin("never_built")), HasSubstr("No such file"));
  EXPECT_THAT(refusal(SWITCHBOARD_TEST_PLUGIN_DIR), HasSubstr("not a regular file"));
  EXPECT_THAT(refusal(SWITCHBOARD_SOURCE_DIR "/README.md"), HasSubstr("not a 64-bit shared object"));
}

TEST_F(spoiled, refuses_a_file_that_others_may_write) {
  fs::permissions(file, fs::perms::others_write, fs::perm_options::add);
  EXPECT_THAT(refusal(file), HasSubstr("the file may be written by everybody"));
}

TEST_F(spoiled, refuses_a_folder_that_others_may_write) {
  fs::permissions(folder, fs::perms::others_write, fs::perm_options::add);
  EXPECT_THAT(refusal(file), HasSubstr("its folder may be written by everybody"));
}

TEST_F(spoiled, refuses_a_file_of_another_user) {
  if (::geteuid() != 0)
    GTEST_SKIP() << "only root can give files away";
  ASSERT_EQ(::chown(file.c_str(), 12345, 12345), 0);
  EXPECT_THAT(refusal(file), HasSubstr("the file belongs to another user"));
}

TEST(elf_section, finds_the_manifest_of_a_real_plugin) {
  const auto file = bytes_of(plugin("counter"));
  const auto section = find_elf_section(file, SWITCHBOARD_MANIFEST_SECTION);
  ASSERT_TRUE(section);
  EXPECT_THAT(std::string{*section}, HasSubstr("name=counter\n"));
  EXPECT_EQ(find_elf_section(file, ".no_such").error().code, errc::not_found);
}

TEST(elf_section, survives_a_file_cut_off_anywhere) {
  const auto file = bytes_of(plugin("no_entry"));
  for (std::size_t size = 0; size < file.size(); size += size < 256 ? 1 : 61)
    EXPECT_FALSE(find_elf_section(std::string_view{file}.substr(0, size), SWITCHBOARD_MANIFEST_SECTION)) << size;
}

TEST(elf_section, survives_damage_of_every_byte_of_its_tables) {
  const auto good = bytes_of(plugin("no_entry"));
  // Header and section table: the table stands at the end of the file.
  for (std::size_t at = 0; at < good.size(); at = at == 64 ? good.size() - 4096 : at + 1)
    for (const char wrong : {'\x00', '\x7f', '\xff'}) {
      auto file = good;
      file[at] = wrong;
      const auto section = find_elf_section(file, SWITCHBOARD_MANIFEST_SECTION);
      if (section) {
        EXPECT_GE(section->data(), file.data());
        EXPECT_LE(section->data() + section->size(), file.data() + file.size());
      }
    }
}

TEST(plugin_manifest, is_lines_of_key_and_value) {
  const auto read = parse_manifest(std::string_view{"abi=1.2\nname=call\nfuture=x\nversion=1.0.0\n\0", 43});
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, (plugin_manifest{1, 2, "call", "1.0.0"}));
  for (const auto* bad : {"", "abi=1.0\nname=call\n", "name=call\nversion=1\n", "abi=1\nname=call\nversion=1\n",
                          "abi=1.x\nname=call\nversion=1\n", "abi=-1.0\nname=call\nversion=1\n",
                          "abi=1.0\nname=../call\nversion=1\n", "abi=99999999999.0\nname=call\nversion=1\n"})
    EXPECT_FALSE(parse_manifest(bad)) << bad;
}

TEST(plugin_manifest, fits_this_host_by_major_and_by_a_minor_not_above_ours) {
  EXPECT_TRUE(check_abi(SWITCHBOARD_ABI_MAJOR, SWITCHBOARD_ABI_MINOR));
  EXPECT_FALSE(check_abi(SWITCHBOARD_ABI_MAJOR, SWITCHBOARD_ABI_MINOR + 1));
  EXPECT_FALSE(check_abi(SWITCHBOARD_ABI_MAJOR + 1, 0));
}

} // namespace
} // namespace switchboard::runtime
