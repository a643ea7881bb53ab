// Plugins with one thing wrong each: this file is built once for every case that broken_plugins.cmake lists, with
// BROKEN_<case> defined. Written against the C ABI alone, since the SDK would not let them. Each case states only what
// differs from a plugin that would be loaded.
#include <csignal>
#include <cstdlib>
#include <stdexcept>

#include <unistd.h>

#include "sdk/abi.h"

namespace {

// -- the manifest -----------------------------------------------------------------------------------------------------

#if defined(BROKEN_foreign_abi)
#define ABI "2.0"
#elif defined(BROKEN_newer_abi)
#define ABI "1.99"
#elif defined(BROKEN_older_abi_inside)
#define ABI "1.0"
#else
#define ABI "1.2"
#endif
#if defined(BROKEN_other_name)
#define NAME "honest"
#else
#define NAME "broken"
#endif
#if defined(BROKEN_other_version)
#define VERSION "2.0.0"
#else
#define VERSION "1.0.0"
#endif

// -- what runs when it is loaded --------------------------------------------------------------------------------------

[[maybe_unused]] void hang() {
  for (volatile bool forever = true; forever;)
    ::usleep(1000);
}

#if defined(BROKEN_foreign_abi)
struct at_load { // must not run at all
  at_load() { std::abort(); }
} const here;
#elif defined(BROKEN_hangs_when_loaded)
struct at_load {
  at_load() { hang(); }
} const here;
#elif defined(BROKEN_throws_when_loaded)
struct at_load {
  at_load() { throw std::runtime_error("thrown by a constructor"); }
} const here;
#elif defined(BROKEN_missing_symbol)
extern "C" void nobody_defines_this();
void (*volatile wanted)() = &nobody_defines_this;
#endif

// -- what it describes ------------------------------------------------------------------------------------------------

void* open_none(sb_bytes, uint32_t, sb_sink*) {
  static int one = 0;
  return &one;
}
int decide_nothing(void*, const sb_message*, const sb_context*, sb_outcome* out) {
  out->reply(out->self, 200, {"{}", 2});
  return 0;
}
void view_nothing(void*, sb_sink* out) { out->write(out->self, {"{}", 2}); }
void close_none(void*) {}

#if defined(BROKEN_bad_pattern)
#define PATTERN "/v1/broken/{id"
#elif defined(BROKEN_foreign_pattern)
#define PATTERN "/admin/{id}"
#elif defined(BROKEN_no_id)
#define PATTERN "/v1/broken"
#elif defined(BROKEN_route_taken)
#define PATTERN "/v1/counters/{other_name_for_id}/add"
#else
#define PATTERN "/v1/broken/{id}"
#endif

const sb_route routes[] = {
#if defined(BROKEN_bad_method)
    {"FETCH", PATTERN, SB_WORK, nullptr},
#elif defined(BROKEN_bad_target)
    {"POST", PATTERN, 77, nullptr},
#elif defined(BROKEN_no_id)
    {"POST", PATTERN, SB_BY_ID, nullptr},
#elif defined(BROKEN_no_key)
    {"POST", PATTERN, SB_BY_BODY, nullptr},
#elif defined(BROKEN_null_pattern)
    {"POST", nullptr, SB_WORK, nullptr},
#else
    {"POST", PATTERN, SB_WORK, nullptr},
#endif
#if defined(BROKEN_route_twice)
    {"POST", "/v1/broken/{name}", SB_WORK, nullptr},
#endif
};
const sb_subscription subscriptions[] = {
#if defined(BROKEN_bad_subscription)
    {"nodot", "id"},
#else
    {"weather.changed", nullptr},
#endif
};

const sb_entity_type type {
#if defined(BROKEN_small_type)
  8,
#else
  sizeof(sb_entity_type),
#endif
#if defined(BROKEN_type_taken)
      "counter",
#elif defined(BROKEN_bad_type_name)
      "../broken",
#else
  "broken",
#endif
#if defined(BROKEN_route_taken)
      "counter",
#elif defined(BROKEN_no_service)
      nullptr,
#else
      "broken",
#endif
      1,
#if defined(BROKEN_null_routes)
      nullptr,
#else
      routes,
#endif
#if defined(BROKEN_countless_routes)
      SIZE_MAX / sizeof(sb_route),
#else
      sizeof(routes) / sizeof(sb_route),
#endif
      subscriptions, sizeof(subscriptions) / sizeof(sb_subscription),
#if defined(BROKEN_null_function)
      &open_none, nullptr,
#else
      &open_none, &decide_nothing,
#endif
      &view_nothing, &close_none
};

const sb_entity_type* const types[] = {
#if defined(BROKEN_null_type)
    nullptr,
#elif defined(BROKEN_type_twice)
    &type,
    &type,
#else
    &type,
#endif
};

const sb_plugin plugin {
#if defined(BROKEN_small_description)
  16,
#else
  sizeof(sb_plugin),
#endif
      SWITCHBOARD_ABI_MAJOR, SWITCHBOARD_ABI_MINOR, "broken", "1.0.0",
#if defined(BROKEN_null_types)
      nullptr,
#else
      types,
#endif
#if defined(BROKEN_no_types)
      0
#elif defined(BROKEN_countless_types)
      SIZE_MAX / sizeof(void*)
#else
      sizeof(types) / sizeof(types[0])
#endif
};

} // namespace

extern "C" {
#if !defined(BROKEN_no_manifest)
__attribute__((section(SWITCHBOARD_MANIFEST_SECTION), used)) extern const char broken_manifest[] =
#if defined(BROKEN_no_abi_line)
    "name=" NAME "\nversion=" VERSION "\n";
#else
    "abi=" ABI "\nname=" NAME "\nversion=" VERSION "\n";
#endif
#endif

#if !defined(BROKEN_no_entry)
const sb_plugin* switchboard_plugin_entry() {
#if defined(BROKEN_null_entry)
  return nullptr;
#elif defined(BROKEN_entry_throws)
  throw std::runtime_error("thrown by the entry");
#elif defined(BROKEN_entry_hangs)
  hang();
#elif defined(BROKEN_entry_crashes)
  std::raise(SIGSEGV);
#elif defined(BROKEN_entry_exits)
  std::exit(0);
#endif
  return &plugin;
}
#endif
}
