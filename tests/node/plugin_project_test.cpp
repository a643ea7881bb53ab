// `plugin new`: names, kinds, and what is written where.
#include "node/plugin_project.hpp"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <unistd.h>

namespace switchboard::node {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(plugin_project, takes_names_that_are_words_everywhere) {
  for (const auto* good : {"a", "gadget", "call_2", "new", "z23456789012345678901234567890ab"})
    EXPECT_TRUE(check_plugin_name(good)) << good;
  for (const auto* bad : {"", "Gadget", "2call", "_call", "a-b", "a b", "../a", "a/b", "a\n", "g\xc3\xa4",
                          "z23456789012345678901234567890abc", "test", "install"})
    EXPECT_FALSE(check_plugin_name(bad)) << bad;
}

TEST(plugin_project, is_the_example_of_its_kind_by_another_name) {
  for (const auto& [kind, word] : {std::pair{"entity", "ticket"}, {"worker", "tariff"}, {"subscriber", "lookout"}}) {
    const auto files = make_plugin_project("gadget", kind, "/opt/sb");
    ASSERT_TRUE(files) << kind;
    std::string all;
    for (const auto& one : *files)
      all += one.path + "\n" + one.text + "\n";
    EXPECT_THAT(all, Not(HasSubstr(word)));
    EXPECT_THAT(all, Not(HasSubstr("@")));
    for (const auto* wanted : {"CMakeLists.txt\n", "README.md\n", "src/gadget.cpp\n", "tests/gadget_test.cpp\n",
                               "-DCMAKE_PREFIX_PATH=/opt/sb\n", "SWITCHBOARD_PLUGIN(\"gadget\", \"1.0.0\", &type)"})
      EXPECT_THAT(all, HasSubstr(wanted)) << kind;
  }
  EXPECT_FALSE(make_plugin_project("gadget", "actor", ""));
  EXPECT_FALSE(make_plugin_project("Gadget", "entity", ""));
}

TEST(plugin_project, has_routes_in_the_plural) {
  for (const auto& [name, route] : {std::pair{"gadget", "\"/v1/gadgets\""},
                                    {"box", "\"/v1/boxes\""},
                                    {"branch", "\"/v1/branches\""},
                                    {"party", "\"/v1/parties\""},
                                    {"relay", "\"/v1/relays\""},
                                    {"rates", "\"/v1/rates\""}}) {
    const auto files = make_plugin_project(name, "entity", "");
    ASSERT_TRUE(files);
    std::string all;
    for (const auto& one : *files)
      all += one.text;
    EXPECT_THAT(all, HasSubstr(route));
  }
}

TEST(plugin_project, is_written_into_a_folder_that_was_not_there) {
  const auto folder =
      (std::filesystem::temp_directory_path() / ("plugin-project-" + std::to_string(::getpid()))).string();
  ASSERT_TRUE(write_plugin_project(folder, {{"src/a.cpp", "one\n"}, {"README.md", "two\n"}}));
  std::string line;
  std::getline(std::ifstream{folder + "/src/a.cpp"} >> std::ws, line);
  EXPECT_EQ(line, "one");
  const auto again = write_plugin_project(folder, {});
  EXPECT_EQ(again.error().code, errc::precondition_failed);
  std::filesystem::remove_all(folder);
  EXPECT_EQ(write_plugin_project(folder + "/no/parent", {}).error().code, errc::io_failed);
}

} // namespace
} // namespace switchboard::node
