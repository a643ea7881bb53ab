#include "runtime/plugin_loader.hpp"

#include <fstream>
#include <iterator>

#include <gmock/gmock.h>

#include "runtime/elf_section.hpp"

namespace switchboard::runtime {
namespace {

using testing::HasSubstr;

std::string plugin(const std::string& name) { return SWITCHBOARD_TEST_PLUGIN_DIR "/" + name + ".so"; }

std::string bytes_of(const std::string& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

TEST(plugin_loader, loads_a_plugin_and_its_types) {
  const auto loaded = load_plugin(plugin("counter"));
  ASSERT_TRUE(loaded) << loaded.error().what;
  EXPECT_EQ(loaded->manifest, (plugin_manifest{SWITCHBOARD_ABI_MAJOR, SWITCHBOARD_ABI_MINOR, "counter", "1.0.0"}));
  ASSERT_EQ(loaded->entry->type_count, 1U);
  EXPECT_STREQ(loaded->entry->types[0]->type, "counter");
}

TEST(elf_section, finds_the_manifest_of_a_real_plugin) {
  const auto file = bytes_of(plugin("counter"));
  const auto section = find_elf_section(file, SWITCHBOARD_MANIFEST_SECTION);
  ASSERT_TRUE(section);
  EXPECT_THAT(std::string{*section}, HasSubstr("name=counter\n"));
  EXPECT_EQ(find_elf_section(file, ".no_such").error().code, errc::not_found);
}

TEST(elf_section, survives_a_file_cut_off_anywhere) {
  const auto file = bytes_of(SWITCHBOARD_BROKEN_PLUGIN_DIR "/no_entry.so");
  for (std::size_t size = 0; size < file.size(); size += size < 256 ? 1 : 61)
    EXPECT_FALSE(find_elf_section(std::string_view{file}.substr(0, size), SWITCHBOARD_MANIFEST_SECTION)) << size;
}

TEST(elf_section, survives_damage_of_every_byte_of_its_tables) {
  const auto good = bytes_of(SWITCHBOARD_BROKEN_PLUGIN_DIR "/no_entry.so");
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
