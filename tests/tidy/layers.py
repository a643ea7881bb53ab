#!/usr/bin/python3
"""The tree is the architecture: checks what design says about it and names file, line and rule for every breach.

  layers    includes follow the arrows below; the same arrows stand in cmake/layers.cmake
  first     x.cpp includes its own x.hpp first, so every header compiles alone
  guard     a header has #pragma once (or a C guard) and opens with a comment that says what it is for
  readme    every folder of the tree has a README.md
  paths     no file names a path of somebody's machine

Usage: layers.py [ROOT]; exit 1 if anything is wrong.
"""

import os
import pathlib
import re
import sys

# Libraries, by how their headers are included. Everything else in <> must be the standard library or the system's.
LIBRARIES = {
    "caf": r"caf/",
    "regex": r"boost/regex\.hpp$",  # before boost: the first that matches counts
    "boost": r"boost/",
    "json": r"nlohmann/",
    "lmdb": r"lmdb\.h$",
    "libdeflate": r"libdeflate\.h$",
    "simdjson": r"simdjson\.h$",
    "xxhash": r"xxhash\.h$",
    "openssl": r"openssl/",
    "prometheus": r"prometheus/",
    "spdlog": r"spdlog/",
    "zmq": r"zmq\.hpp$|zmq\.h$|zmq_addon\.hpp$",
    "toml": r"toml\+\+/",
    "cli": r"CLI/",
    "test": r"gtest/|gmock/",
    "benchmark": r"benchmark/",
}
# C++ headers have neither a dot nor a slash; of C and POSIX these. ext/pb_ds is part of libstdc++: trees that know the n-th.
SYSTEM = re.compile(r"[a-z0-9_]+$|ext/pb_ds/[a-z_]+\.hpp$|(sys|netinet|arpa|net|linux)/[a-z0-9_]+\.h$|"
                    r"(aio|dirent|dlfcn|elf|endian|errno|fcntl|grp|limits|link|malloc|netdb|poll|pthread|pwd|resolv|sched|signal|spawn|stddef|"
                    r"stdint|stdio|stdlib|string|time|unistd)\.h$")

NOTHING, EVERYTHING = frozenset(), None


def layer(ours, libraries):
    return {"ours": ours if ours is EVERYTHING else frozenset(ours.split()),
            "libraries": libraries if libraries is EVERYTHING else frozenset(libraries.split())}


# Which of our folders a folder may include besides itself, and which libraries. The longest matching folder counts; `*`
# stands for one name, and folders of that kind never include each other.
LAYERS = {
    "src/base": layer("", ""),
    "src/messages": layer("src/base", "json"),
    "src/broker": layer("src/messages src/base", "json caf regex openssl"),
    "src/store": layer("src/messages src/base", "json lmdb libdeflate xxhash openssl"),
    "src/sdk": layer("src/messages src/base", "json"),
    "src/runtime": layer("src/store src/broker src/sdk src/messages src/base",
                         "json caf boost openssl prometheus simdjson spdlog xxhash"),
    "bridges/*": layer("src/runtime src/store src/broker src/messages src/base",
                       "json caf boost openssl prometheus"),
    "bridges/zmq": layer("src/runtime src/store src/broker src/messages src/base",
                         "json caf boost prometheus zmq"),
    "actors/*": layer("src/sdk src/messages src/base", "json"),
    "examples/*": layer("src/sdk", "json"),
    "examples/*/tests": layer("src/sdk", "json"),
    "src/node": layer(EVERYTHING, EVERYTHING),
    "tests": layer(EVERYTHING, EVERYTHING),
    "bench": layer(EVERYTHING, EVERYTHING),
    "tools": layer(EVERYTHING, EVERYTHING),
}
# Only tests and benchmarks see their frameworks, whatever stands above.
FRAMEWORKS = {"test": ("tests", "examples/*/tests"), "benchmark": ("bench",)}
# Codecs are pure: they are fuzzed without actors and sockets.
PURE = re.compile(r"bridges/[^/]+/[^/]*codec[^/]*$")
PURE_LIBRARIES = {"json"}

SKIPPED = {".git", "build", "data", "node_modules", "__pycache__", "found", ".pytest_cache"}
SOURCES = (".cpp", ".hpp", ".h", ".def")
INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^">]+)[">]')
# Folders of users and work places; a path that every machine has (/etc, /proc, /tmp of a test) is none of these.
MACHINE_PATH = re.compile(r"(?<![\w.~/-])/(?:home|Users|work|root)/[A-Za-z0-9_.-]+")
README_FOLDERS = re.compile(r"\.$|(src|bridges|actors|tests)(/[^/]+)?$|(bench|cmake|config|docs|examples)$")


def walk(root):
    """Every file of the tree as a path from the root."""
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in SKIPPED)
        for name in sorted(files):
            yield (pathlib.Path(folder) / name).relative_to(root)


def folder_matches(pattern, folder):
    parts, wanted = folder.split("/"), pattern.split("/")
    return len(parts) >= len(wanted) and all(w in ("*", p) for w, p in zip(wanted, parts))


def layer_of(path):
    """(key in LAYERS, the folder that plays the role) of a file or of an included path; None if it is in none."""
    folder = path.rsplit("/", 1)[0] if "/" in path else ""
    found = [p for p in LAYERS if folder_matches(p, folder)]
    if not found:
        return None
    best = max(found, key=lambda p: ("*" not in p, len(p)))
    return best, "/".join(folder.split("/")[:best.count("/") + 1])


def resolve(root, source, included):
    """The included file of ours as a path from the root, or None."""
    for base in ("", "src/", str(source.parent) + "/"):
        candidate = base + included
        if (root / candidate).is_file():
            return os.path.normpath(candidate)
    return None


def library_of(header):
    return next((name for name, pattern in LIBRARIES.items() if re.match(pattern, header)), None)


def check_own(root, source, included):
    path = resolve(root, source, included)
    if path is None:
        return f"{included} is not a file of the tree"
    mine, theirs = layer_of(str(source)), layer_of(path)
    if theirs is None:
        return f"{path} is in no layer"
    if mine[1] == theirs[1]:
        return None
    allowed = LAYERS[mine[0]]["ours"]
    if allowed is EVERYTHING:
        return f"nothing outside tests includes {path}" if theirs[0] == "tests" and mine[0] == "src/node" else None
    return None if theirs[1] in allowed else f"{mine[1]} may not include {theirs[1]} ({path})"


def check_library(source, header):
    mine, library = layer_of(str(source)), library_of(header)
    if library is None:
        return None if SYSTEM.match(header) else f"<{header}> is a library that no layer knows"
    if library in FRAMEWORKS:
        return None if mine[0] in FRAMEWORKS[library] else f"only {FRAMEWORKS[library][0]} may include <{header}>"
    allowed = LAYERS[mine[0]]["libraries"]
    if allowed is not EVERYTHING and library not in allowed:
        return f"{mine[1]} may not use {library} (<{header}>)"
    if PURE.match(str(source)) and library not in PURE_LIBRARIES:
        return f"a codec is pure: no {library} (<{header}>)"
    return None


def includes(text):
    for number, line in enumerate(text.splitlines(), 1):
        found = INCLUDE.match(line)
        if found:
            yield number, found.group(1) == "<", found.group(2)


def check_source(root, source, text):
    if layer_of(str(source)) is None:
        yield 1, "sources stand in src, bridges, actors, examples, tests, bench or tools"
        return
    found = list(includes(text))
    for number, is_library, name in found:
        problem = check_library(source, name) if is_library else check_own(root, source, name)
        if problem:
            yield number, problem
    own = source.with_suffix(".hpp")
    if source.suffix == ".cpp" and (root / own).is_file():
        first = found[0] if found else (1, True, "")
        if first[1] or resolve(root, source, first[2]) != str(own):
            yield first[0], f"the first include is its own header, {own.name}"
    if source.suffix in (".hpp", ".h"):
        if "#pragma once" not in text and not re.search(r"#ifndef (\w+)\s*\n#define \1\b", text):
            yield 1, "no #pragma once"
        if not text.startswith(("//", "/*")):
            yield 1, "a header opens with a comment that says what it is for"


def check_paths(text):
    for number, line in enumerate(text.splitlines(), 1):
        for found in MACHINE_PATH.findall(line):
            yield number, f"a path of somebody's machine: {found}"


def breaches(root):
    """(path, line, what is wrong) of the whole tree, in order."""
    folders = set()
    for path in walk(root):
        folders.add(str(path.parent))
        try:
            text = (root / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # seeds of the fuzzers
        if path.suffix in SOURCES:
            for line, problem in check_source(root, path, text):
                yield path, line, problem
        for line, problem in check_paths(text):
            yield path, line, problem
    for folder in sorted(f for f in folders if README_FOLDERS.match(f)):
        if not (root / folder / "README.md").is_file():
            yield pathlib.Path(folder), 1, "the folder has no README.md"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2])
    count = 0
    for path, line, problem in breaches(root):
        count += 1
        print(f"{path}:{line}: {problem}")
    print(f"layers: {count} breaches" if count else "layers: as designed")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
