// A manifest and nothing behind it.
extern "C" {
__attribute__((section(".switchboard.manifest"), used)) extern const char manifest[] =
    "abi=1.0\nname=no_entry\nversion=1.0.0\n";
}
