#!/usr/bin/python3
"""layers.py finds what it is for: each rule is broken once in a small tree of its own, and a right tree passes."""

import pathlib
import tempfile
import unittest

import layers

GOOD = {
    "README.md": "",
    "src/base/README.md": "", "src/messages/README.md": "", "src/broker/README.md": "", "src/sdk/README.md": "",
    "src/store/README.md": "", "src/runtime/README.md": "", "src/node/README.md": "",
    "bridges/amqp/README.md": "", "bridges/zmq/README.md": "", "actors/call/README.md": "", "actors/agent/README.md": "",
    "tests/base/README.md": "",
    "src/base/ids.hpp": "// Ids.\n#pragma once\n#include <string>\n#include <sys/random.h>\n",
    "src/base/ids.cpp": '#include "base/ids.hpp"\n',
    "src/messages/topic.hpp": '// Topics.\n#pragma once\n#include <nlohmann/json.hpp>\n#include "base/ids.hpp"\n',
    "src/broker/broker.hpp": '// Broker.\n#pragma once\n#include <caf/actor.hpp>\n#include "messages/topic.hpp"\n',
    "src/store/store.hpp": "// Store.\n#pragma once\n#include <lmdb.h>\n#include <libdeflate.h>\n",
    "src/sdk/abi.h": "/* ABI. */\n#ifndef ABI_H\n#define ABI_H\n#endif\n",
    "src/runtime/log.hpp": '// Log.\n#pragma once\n#include <spdlog/spdlog.h>\n#include "store/store.hpp"\n#include "sdk/abi.h"\n',
    "src/node/main.cpp": '#include <CLI/CLI.hpp>\n#include <toml++/toml.h>\n#include "bridges/amqp/amqp_codec.hpp"\n',
    "bridges/amqp/amqp_codec.hpp": '// Codec.\n#pragma once\n#include "messages/topic.hpp"\n',
    "bridges/amqp/amqp_session.cpp": '#include <boost/asio.hpp>\n#include "bridges/amqp/amqp_codec.hpp"\n#include "runtime/log.hpp"\n',
    "bridges/zmq/zmq_bridge.cpp": "#include <zmq.hpp>\n",
    "actors/call/call.hpp": '// Call.\n#pragma once\n#include "sdk/abi.h"\n#include "base/ids.hpp"\n',
    "actors/call/call.cpp": '#include "actors/call/call.hpp"\n',
    "actors/agent/agent.hpp": "// Agent.\n#pragma once\n",
    "tests/base/ids_test.cpp": '#include "base/ids.hpp"\n#include <gtest/gtest.h>\n#include "bridges/amqp/amqp_codec.hpp"\n',
    "tests/base/seed": "\xff",
}

# file, its content (None: removed), the line and a part of the complaint
BAD = [
    ("src/base/ids.cpp", '#include "base/ids.hpp"\n#include "messages/topic.hpp"\n', 2, "src/base may not include src/messages"),
    ("src/base/ids.hpp", "// Ids.\n#pragma once\n#include <nlohmann/json.hpp>\n", 3, "src/base may not use json"),
    ("src/messages/topic.hpp", "// T.\n#pragma once\n#include <caf/all.hpp>\n", 3, "src/messages may not use caf"),
    ("src/broker/broker.hpp", '// B.\n#pragma once\n#include "store/store.hpp"\n', 3, "src/broker may not include src/store"),
    ("src/broker/x.cpp", "#include <boost/asio.hpp>\n", 1, "src/broker may not use boost"),
    ("src/store/x.cpp", "#include <caf/actor.hpp>\n", 1, "src/store may not use caf"),
    ("src/sdk/x.hpp", '// X.\n#pragma once\n#  include "runtime/log.hpp"\n', 3, "src/sdk may not include src/runtime"),
    ("src/runtime/x.cpp", '#include "bridges/amqp/amqp_codec.hpp"\n', 1, "src/runtime may not include bridges/amqp"),
    ("src/runtime/x.cpp", '#include "node/x.hpp"\n', 1, "node/x.hpp is not a file of the tree"),
    ("src/node/x.cpp", '#include "tests/base/x.hpp"\n', 1, "tests/base/x.hpp is not a file of the tree"),
    ("bridges/zmq/zmq_bridge.cpp", '#include "bridges/amqp/amqp_codec.hpp"\n', 1, "bridges/zmq may not include bridges/amqp"),
    ("bridges/amqp/amqp_session.cpp", "#include <zmq.hpp>\n", 1, "bridges/amqp may not use zmq"),
    ("bridges/amqp/amqp_codec.hpp", "// C.\n#pragma once\n#include <caf/actor.hpp>\n", 3, "a codec is pure: no caf"),
    ("actors/call/x.cpp", '#include "actors/agent/agent.hpp"\n', 1, "actors/call may not include actors/agent"),
    ("actors/call/x.cpp", '#include "../agent/agent.hpp"\n', 1, "actors/call may not include actors/agent"),
    ("actors/call/x.cpp", '#include "runtime/log.hpp"\n', 1, "actors/call may not include src/runtime"),
    ("src/base/x.cpp", "#include <gtest/gtest.h>\n", 1, "only tests may include"),
    ("src/node/x.cpp", "#include <benchmark/benchmark.h>\n", 1, "only bench may include"),
    ("src/base/x.cpp", "#include <fmt/core.h>\n", 1, "is a library that no layer knows"),
    ("src/base/ids.cpp", '#include <string>\n#include "base/ids.hpp"\n', 1, "the first include is its own header"),
    ("src/base/ids.cpp", "int x;\n", 1, "the first include is its own header"),
    ("src/base/x.hpp", "// X.\nint x;\n", 1, "no #pragma once"),
    ("src/base/x.hpp", "#pragma once\n", 1, "opens with a comment"),
    ("somewhere/x.cpp", "", 1, "sources stand in"),
    ("actors/call/README.md", None, 1, "the folder has no README.md"),
    ("README.md", "see\n/" + "home/ann/notes.txt\n", 2, "a path of somebody's machine"),
    ("dev", "cd /" + "work/main\n", 1, "a path of somebody's machine"),
]


class Tree:
    """A tree on disk for as long as the block runs."""

    def __init__(self, files):
        self.files = files

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        root = pathlib.Path(self.folder.name)
        for name, text in self.files.items():
            if text is None:
                continue
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="latin-1" if text == "\xff" else "utf-8")
        return root

    def __exit__(self, *_):
        self.folder.cleanup()


class LayersTest(unittest.TestCase):
    def test_a_right_tree_passes(self):
        with Tree(GOOD) as root:
            self.assertEqual(list(layers.breaches(root)), [])

    def test_each_breach_is_found_with_its_line(self):
        for name, text, line, complaint in BAD:
            with self.subTest(name=name, complaint=complaint), Tree({**GOOD, name: text}) as root:
                found = list(layers.breaches(root))
                self.assertEqual(len(found), 1, found)
                path, at, problem = found[0]
                self.assertIn(str(path), (name, str(pathlib.Path(name).parent)))
                self.assertEqual(at, line)
                self.assertIn(complaint, problem)

    def test_what_builds_and_tools_leave_behind_is_not_read(self):
        with Tree({**GOOD, "build/x/y.cpp": "#include <fmt/core.h>\n", "tests/node_modules/a/b.h": "x"}) as root:
            self.assertEqual(list(layers.breaches(root)), [])


if __name__ == "__main__":
    unittest.main()
