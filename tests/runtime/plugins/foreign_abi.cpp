// A plugin of another ABI: refused by its manifest, before any of its code runs. If it ran, it would end the process.
#include <cstdlib>

namespace {
struct runs_when_loaded {
  runs_when_loaded() { std::abort(); }
} const here;
} // namespace

extern "C" {
__attribute__((section(".switchboard.manifest"), used)) extern const char manifest[] =
    "abi=999.0\nname=foreign\nversion=1.0.0\n";
}
