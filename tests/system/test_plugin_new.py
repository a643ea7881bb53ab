"""What the author of a plugin does on the first day: `plugin new`, CMake, ctest, a node that runs it – outside this tree, with what
an installation or a build folder offers. One kind is built here to its end, from an installation; all three are built and tested in
the tree (examples/), so here the others are only compared with it."""

import os
import pathlib
import shutil
import subprocess

import pytest

from conftest import BINARY, SANITIZED, Lines

ROOT = pathlib.Path(__file__).resolve().parents[2]
KINDS = {"entity": "ticket", "worker": "tariff", "subscriber": "lookout"}


def run(*command, cwd=None, code=0):
    made = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True, timeout=300)
    assert made.returncode == code, f"{command}: {made.returncode}\n{made.stdout[-3000:]}{made.stderr[-3000:]}"
    return made


@pytest.fixture
def started():
    """Starts a process of which lines can be awaited, and stops it at the end."""
    made = []

    def start(command, environment=None, cwd=None):
        made.append(Lines([str(word) for word in command], environment, cwd))
        return made[-1]

    yield start
    for one in made:
        one.stop()


@pytest.mark.parametrize("kind", KINDS)
def test_new_writes_the_example_by_another_name(tmp_path, kind):
    run(BINARY, "plugin", "new", "gadget", "--kind", kind, cwd=tmp_path)
    word, example = KINDS[kind], ROOT / "examples" / kind
    for path in (p for p in example.rglob("*") if p.is_file()):
        written = tmp_path / "gadget" / str(path.relative_to(example)).replace(word, "gadget")
        wanted = path.read_text().replace(word, "gadget").replace("@SWITCHBOARD_PREFIX@", str(BINARY.parent))
        assert written.read_text() == wanted
    assert not [p for p in (tmp_path / "gadget").rglob("*") if word in p.name]


@pytest.mark.parametrize("name", ["Gadget", "1gadget", "../gadget", "ga-dget", "", "g" * 33, "test", "gädget"])
def test_new_refuses_bad_names_in_one_line(tmp_path, name):
    refused = run(BINARY, "plugin", "new", name, cwd=tmp_path, code=2)
    assert refused.stderr.startswith("switchboard: '") and refused.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_new_refuses_unknown_kinds_and_folders_that_exist(tmp_path):
    assert "'actor' is no kind of plugin" in run(BINARY, "plugin", "new", "gadget", "--kind", "actor", cwd=tmp_path, code=2).stderr
    (tmp_path / "gadget").mkdir()
    refused = run(BINARY, "plugin", "new", "gadget", cwd=tmp_path, code=1)
    assert refused.stderr == "switchboard: gadget: exists already\n"
    assert not list((tmp_path / "gadget").iterdir())


def commands_of(readme):
    """The commands among its indented lines, as they stand."""
    lines = readme.replace("\\\n", " ").split("\n")
    return [line.strip() for line in lines if line.startswith(("    cmake ", "    ctest ", "    switchboard "))]


@pytest.mark.skipif(SANITIZED, reason="built once is enough")
def test_a_new_plugin_is_built_outside_the_tree_and_served(tmp_path, new_node, started):
    # An installation as `cmake --install` makes it, moved, so that nothing can lean on where it was made.
    prefix = tmp_path / "elsewhere"
    run("cmake", "--install", BINARY.parent, "--prefix", tmp_path / "prefix")
    shutil.move(tmp_path / "prefix", prefix)
    switchboard = prefix / "bin/switchboard"
    run(switchboard, "plugin", "new", "box", cwd=tmp_path)
    project = tmp_path / "box"
    readme = (project / "README.md").read_text()
    assert f"cmake -B build -DCMAKE_PREFIX_PATH={prefix}" in readme
    # The README's commands, word for word; the environment gives ports of our own, and -O0, since this is about whether it works.
    node = new_node()
    config = tmp_path / "node.toml"
    config.write_text(f"[amqp]\nport = {node.amqp}\n[zmq]\nport = {node.zmq}\n[http]\nport = {node.http}\n[admin]\nport = {node.admin}\n")
    environment = {"PATH": f"{prefix / 'bin'}:{os.environ['PATH']}", "SWITCHBOARD_CONFIG": str(config), "CMAKE_GENERATOR": "Ninja",
                   "CMAKE_BUILD_TYPE": "Debug"}
    shell = lambda command: ["bash", "-c", f"umask 022 && exec {command}"]
    said, server, tail = {}, None, None
    for command in commands_of(readme):
        if command.startswith("switchboard run "):
            server = started(shell(command), environment, project)
            server.line("the node is ready", lambda line: " ready in " in line)
        elif command.startswith("switchboard tail "):
            tail = started(shell(command), environment, project)
            tail.line("it listens", lambda line: line.startswith("listening to "))
        else:
            if command.startswith("switchboard plugin load "):  # the state it saved is there, and so is a new version
                source = project / "src/box.cpp"
                source.write_text(source.read_text().replace('"1.0.0"', '"1.1.0"'))
                subprocess.run(shell("cmake --build build --target box"), cwd=project, check=True, capture_output=True, timeout=300)
            done = subprocess.run(shell(command), cwd=project, env={**os.environ, **environment}, capture_output=True, text=True, timeout=300)
            assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
            said[command.split("#")[0].strip()] = done.stdout
    assert "100% tests passed" in said["ctest --test-dir build --output-on-failure"]
    assert said["switchboard plugin check build/plugins/box.so"] == "build/plugins/box.so: may be loaded\n"
    assert "t-1" in said["""switchboard request POST /v1/boxes '{"id":"t-1","text":"call back"}' --customer demo"""]
    assert "call back" in said["switchboard request GET /v1/boxes/t-1"]
    assert "1.1.0" in said["switchboard plugin load box"] and "1.0.0" in said["switchboard plugin rollback box"]
    # What it announces comes to screens.
    asked = lambda *words: run(switchboard, "request", *words, "--customer", "demo", "--http", f"http://127.0.0.1:{node.http}").stdout
    asked("POST", "/v1/boxes", '{"id":"t-2","text":"write"}')
    tail.line("its event", lambda line: "box.created" in line and "t-2" in line)
    server.process.kill()
    server.process.wait()
    server = started(shell(next(c for c in commands_of(readme) if c.startswith("switchboard run "))), environment, project)
    server.line("the node is ready", lambda line: " ready in " in line)
    assert "call back" in asked("GET", "/v1/boxes/t-1"), "its state survives"


@pytest.mark.skipif(SANITIZED, reason="built once is enough")
def test_screens_see_the_events_of_a_plugin_that_is_loaded_while_they_watch(new_node, started):
    plugins = BINARY.parent / "test_plugins"
    node = new_node(f"node.plugins_dir={plugins}", "node.plugins=tasks").start()
    tail = started([BINARY, "tail", "counter", "--token", node.token("customer-1"), "--customer", "customer-1", "--http", f"http://127.0.0.1:{node.http}"])
    tail.line("it listens", lambda line: line.startswith("listening to "))
    assert node.request("POST", "/v1/counters", {"id": "c-1"}, {"X-Customer-Id": "customer-1"})[0] == 404
    node.cli("plugin", "load", "counter.so")
    assert node.request("POST", "/v1/counters", {"id": "c-1"}, {"X-Customer-Id": "customer-1"})[0] == 200
    tail.line("its event", lambda line: "counter.created" in line)
