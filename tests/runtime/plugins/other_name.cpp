// Says one name in its manifest and another one when asked.
#include "sdk/abi.h"

namespace {
const sb_plugin plugin{sizeof(sb_plugin), SWITCHBOARD_ABI_MAJOR, SWITCHBOARD_ABI_MINOR, "honest", "1.0.0", nullptr, 0};
}

extern "C" {
__attribute__((section(".switchboard.manifest"), used)) extern const char manifest[] =
    "abi=1.0\nname=other_name\nversion=1.0.0\n";
__attribute__((visibility("default"))) const sb_plugin* switchboard_plugin_entry() { return &plugin; }
}
