// What plugin.cpp includes: one macro that makes a shared library a plugin.
//
//   #include "actors/call/call.hpp"
//   #include "sdk/plugin.hpp"
//   SWITCHBOARD_PLUGIN("call", "1.0.0", &switchboard::call::type)
//
// Name and version are string literals; then one function `const sdk::entity_type<State>& ()` per type.
#pragma once

#include "sdk/entity.hpp"
#include "sdk/worker.hpp"

namespace switchboard::sdk {

template <auto... Types>
const sb_plugin* plugin_of(const char* name, const char* version) {
  static const sb_entity_type* const types[] = {&abi_of<Types>()...};
  static const sb_plugin plugin{sizeof(sb_plugin), SWITCHBOARD_ABI_MAJOR, SWITCHBOARD_ABI_MINOR, name, version, types,
                                sizeof...(Types)};
  return &plugin;
}

} // namespace switchboard::sdk

#define SWITCHBOARD_TEXT_OF_(x) #x
#define SWITCHBOARD_TEXT_OF(x) SWITCHBOARD_TEXT_OF_(x)

/// Exports the entry point and puts the manifest where the host reads it before it runs any of our code.
#define SWITCHBOARD_PLUGIN(NAME, VERSION, ...)                                                                         \
  extern "C" __attribute__((visibility("default"))) const sb_plugin* switchboard_plugin_entry() {                      \
    return switchboard::sdk::plugin_of<__VA_ARGS__>(NAME, VERSION);                                                    \
  }                                                                                                                    \
  extern "C" {                                                                                                         \
  __attribute__((section(SWITCHBOARD_MANIFEST_SECTION), used,                                                          \
                 visibility("default"))) extern const char switchboard_plugin_manifest[] =                             \
      "abi=" SWITCHBOARD_TEXT_OF(SWITCHBOARD_ABI_MAJOR) "." SWITCHBOARD_TEXT_OF(                                       \
          SWITCHBOARD_ABI_MINOR) "\nname=" NAME "\nversion=" VERSION "\n";                                             \
  }
