// The real plugins: loaded as the host loads them, through the C ABI, they do what the linked-in code does.
#include <dlfcn.h>
#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include "sdk/testing.hpp"

namespace switchboard::telephony {
namespace {

std::string path_of(const std::string& plugin) { return SWITCHBOARD_PLUGIN_DIR "/" + plugin + ".so"; }

const sb_plugin* load(const std::string& plugin) {
  void* library = dlopen(path_of(plugin).c_str(), RTLD_NOW | RTLD_LOCAL); // stays for the life of the test
  EXPECT_NE(library, nullptr) << dlerror();
  const auto entry = library ? reinterpret_cast<sb_plugin_entry>(dlsym(library, SWITCHBOARD_PLUGIN_ENTRY)) : nullptr;
  EXPECT_NE(entry, nullptr) << plugin << " has no entry point";
  return entry ? entry() : nullptr;
}

/// The manifest section of an ELF file, without running anything of it.
std::string manifest_of(const std::string& plugin) {
  std::ifstream file{path_of(plugin), std::ios::binary};
  const std::string bytes{std::istreambuf_iterator<char>{file}, {}};
  const auto at = [&]<class T>(std::size_t offset, T value) {
    EXPECT_LE(offset + sizeof(T), bytes.size());
    std::memcpy(&value, bytes.data() + offset, sizeof(T));
    return value;
  };
  const auto header = at(0, Elf64_Ehdr{});
  const auto section = [&](std::size_t i) { return at(header.e_shoff + i * header.e_shentsize, Elf64_Shdr{}); };
  const auto names = section(header.e_shstrndx);
  for (std::size_t i = 0; i < header.e_shnum; ++i) {
    const auto one = section(i);
    if (std::string{bytes.c_str() + names.sh_offset + one.sh_name} == SWITCHBOARD_MANIFEST_SECTION)
      return bytes.substr(one.sh_offset, one.sh_size);
  }
  return "no manifest";
}

const std::vector<std::string> plugins{
    "call",    "conference",       "agent",   "queue",      "loopback_trunk",       "groupcall",
    "message", "loopback_gateway", "billing", "transcribe", "loopback_transcriber", "talk"};

TEST(plugins, say_the_same_in_manifest_and_entry) {
  for (const auto& name : plugins) {
    const auto* plugin = load(name);
    ASSERT_TRUE(plugin) << name;
    EXPECT_EQ(plugin->size, sizeof(sb_plugin));
    EXPECT_EQ(plugin->name, name);
    const auto text = "abi=" + std::to_string(plugin->abi_major) + "." + std::to_string(plugin->abi_minor) +
                      "\nname=" + plugin->name + "\nversion=" + plugin->version + "\n";
    EXPECT_EQ(manifest_of(name), text + '\0') << name;
    for (std::size_t i = 0; i < plugin->type_count; ++i)
      EXPECT_EQ(plugin->types[i]->size, sizeof(sb_entity_type));
  }
}

TEST(plugins, export_nothing_but_entry_and_manifest_of_ours) {
  for (const auto& name : plugins) {
    void* library = dlopen(path_of(name).c_str(), RTLD_NOW | RTLD_LOCAL);
    ASSERT_TRUE(library);
    EXPECT_EQ(dlsym(library, "_ZN11switchboard9telephony9call_typeEv"), nullptr) << name;
  }
}

TEST(plugins, carry_a_call_to_its_end) {
  sdk::test_kit::world world;
  for (const auto& name : plugins)
    world.add(*load(name));
  const auto made =
      world.request("POST", "/v1/calls", {{"source", "+15551234567"}, {"destination", "+15559870103"}}, "customer-1");
  ASSERT_EQ(made.status, 200) << made.text;
  const auto id = made.body["id"].get<std::string>();
  world.advance(std::chrono::seconds{4});
  EXPECT_EQ(world.view("call", id)["status"], "hangup");
  EXPECT_THAT(world.event_types("call.", id),
              ::testing::ElementsAre("call.created", "call.ringing", "call.answered", "call.ended", "call.record"));
  EXPECT_THAT(world.failures(), ::testing::IsEmpty());
}

} // namespace
} // namespace switchboard::telephony
