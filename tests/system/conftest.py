"""Fixtures of the system tests: a node of our own binary on free ports, and real peers that talk to it.

SWITCHBOARD_BINARY names the binary under test (default build/release/switchboard). Every wait is for an event with a
deadline; nothing sleeps for luck. Everything a test starts it also stops.
"""

import json
import os
import pathlib
import queue
import random
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

import pika
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PEERS = pathlib.Path(__file__).resolve().parent / "peers"
BINARY = pathlib.Path(os.environ.get("SWITCHBOARD_BINARY", ROOT / "build/release/switchboard"))
DEADLINE_S = float(os.environ.get("SWITCHBOARD_TEST_DEADLINE_S", "20"))
SANITIZED = "ASAN_OPTIONS" in os.environ  # then figures of time and memory say nothing about the node
CUSTOMER = "5e4a0680-804e-11ec-8477-2fea5968d85b"
OTHER_CUSTOMER = "e9f0c1a2-0b7e-4f6b-9f0e-6b1f6f0a7c11"


def free_ports(count):
    """Ports nobody listens on now: below those that the system gives to clients, and from a range of its own for each
    of the processes that run tests side by side (pytest-xdist names them gw0, gw1, …)."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 4
    ports = []
    while len(ports) < count:
        port = random.randrange(10_000 + worker * 5_000, 15_000 + worker * 5_000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in ports:
            ports.append(port)
    return ports


def until(what, condition, deadline_s=DEADLINE_S):
    """Polls a condition that no event announces (an HTTP page, a file). Returns its first true value."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"not within {deadline_s} s: {what}"
        time.sleep(0.02)


def own_mib(pid):
    """Memory that is the process's own: not the store's file, which the system keeps in memory as long as it likes."""
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon:")) / 1024


class Lines:
    """A process whose output lines can be waited for."""

    def __init__(self, args, env=None, cwd=None):
        self.process = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1,
                                        env={**os.environ, **(env or {})}, cwd=cwd)
        self.seen = []
        self._lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.seen.append(line.rstrip("\n"))
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def line(self, what, matches, deadline_s=DEADLINE_S):
        """The next line for which `matches` is true; lines before it are skipped."""
        end = time.monotonic() + deadline_s
        while True:
            try:
                line = self._lines.get(timeout=max(0.001, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no line for: {what}; seen:\n" + "\n".join(self.seen[-30:]))
            assert line is not None, f"ended before: {what}; said:\n" + "\n".join(self.seen[-30:])
            if matches(line):
                return line

    def json_line(self, what, matches=lambda value: True, deadline_s=DEADLINE_S):
        found = {}

        def check(line):
            try:
                value = json.loads(line)
            except ValueError:
                return False
            if not matches(value):
                return False
            found["value"] = value
            return True

        self.line(what, check, deadline_s)
        return found["value"]

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Node:
    """One node with a data directory of its own that outlives kill() and start()."""

    def __init__(self, directory, settings=()):
        self.directory = directory
        self.amqp, self.zmq, self.http, self.admin = free_ports(4)
        self.settings = list(settings)
        self.lines = None

    @property
    def pid(self):
        return self.lines.process.pid

    def arguments(self, extra=()):
        settings = [f"node.data_dir={self.directory}", f"amqp.port={self.amqp}", f"zmq.port={self.zmq}",
                    f"http.port={self.http}", f"admin.port={self.admin}", *self.settings, *extra]
        return [str(BINARY), "run", "--config", str(ROOT / "config/standalone.toml"),
                *[part for s in settings for part in ("--set", s)]]

    def launch(self, env=None):
        """Starts it without waiting for anything."""
        self.lines = Lines(self.arguments(), env)
        self.killed = False
        return self

    def start(self, env=None):
        began = time.monotonic()
        self.launch(env)
        self.lines.line("the node is ready", lambda line: " ready in " in line)
        self.ready_s = time.monotonic() - began
        return self

    def kill(self):
        self.killed = True
        self.lines.process.send_signal(signal.SIGKILL)
        self.lines.process.wait()

    def stop(self):
        """SIGTERM, as an operator would; the exit code."""
        if self.lines and self.lines.process.poll() is None:
            self.lines.process.send_signal(signal.SIGTERM)
            self.lines.process.wait(DEADLINE_S)
        return self.lines.process.returncode

    def end(self):
        """How every test leaves its node: it stops cleanly, and no sanitizer had anything to say."""
        if not self.lines:
            return
        code = self.stop()
        reports = [line for line in self.lines.seen if "Sanitizer" in line or "runtime error:" in line]
        assert not reports, "\n".join(self.lines.seen[-200:])
        assert self.killed or code == 0, f"exit code {code}; said:\n" + "\n".join(self.lines.seen[-30:])

    # -- talking to it ----------------------------------------------------------------------------------------------

    def pika(self, user="guest", password="guest"):
        return pika.BlockingConnection(pika.ConnectionParameters(
            "127.0.0.1", self.amqp, "/", pika.PlainCredentials(user, password), socket_timeout=DEADLINE_S,
            blocked_connection_timeout=DEADLINE_S))

    def request(self, method, path, body=None, headers=None, port=None, raw=None):
        """(status, parsed JSON or text) of an HTTP exchange; never raises on a status."""
        data = raw if raw is not None else (json.dumps(body).encode() if body is not None else None)
        asked = urllib.request.Request(f"http://127.0.0.1:{port or self.http}{path}", data=data, method=method,
                                       headers={"Content-Type": "application/json", **(headers or {})})
        try:
            with urllib.request.urlopen(asked, timeout=DEADLINE_S) as answer:
                status, text = answer.status, answer.read().decode()
        except urllib.error.HTTPError as answer:
            status, text = answer.code, answer.read().decode()
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text

    def cli(self, *arguments, check=True):
        done = subprocess.run([str(BINARY), *arguments, "--http", f"http://127.0.0.1:{self.http}",
                               "--admin", f"http://127.0.0.1:{self.admin}"],
                              capture_output=True, text=True, timeout=DEADLINE_S)
        assert not check or done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def token(self, customer=CUSTOMER, *more):
        done = subprocess.run([str(BINARY), "token", "--customer", customer, *more, "--config",
                               str(ROOT / "config/standalone.toml"), "--set", f"node.data_dir={self.directory}"],
                              capture_output=True, text=True, timeout=DEADLINE_S)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture
def new_node(tmp_path):
    made = []

    def make(*settings):
        made.append(Node(tmp_path / f"data{len(made)}", settings))
        return made[-1]

    yield make
    for node in made:
        node.end()
        shutil.rmtree(node.directory / "plugins", ignore_errors=True)  # with sanitizers 150 MB for each node


@pytest.fixture
def node(new_node):
    return new_node().start()


@pytest.fixture
def peer():
    """Starts a peer script of peers/ (by its suffix: Node.js or Python) and stops it at the end."""
    started = []

    def start(script, *arguments):
        runner = ["node"] if script.endswith(".js") else ["/usr/bin/python3", "-u"]
        started.append(Lines([*runner, str(PEERS / script), *map(str, arguments)]))
        return started[-1]

    yield start
    for one in started:
        one.stop()


class Rpc:
    """pika with direct reply-to, as a VoIPBIN service would call another."""

    def __init__(self, node):
        self.connection = node.pika()
        self.channel = self.connection.channel()
        self.answers = {}
        self.channel.basic_consume("amq.rabbitmq.reply-to", self._on_reply, auto_ack=True)

    def _on_reply(self, channel, method, properties, body):
        self.answers[properties.correlation_id] = body

    def call(self, service, method, route, body=None, message_id=None, headers=None, queue=None, raw=None):
        """The raw bytes of the answer."""
        message_id = message_id or os.urandom(16).hex()
        correlation = os.urandom(8).hex()
        envelope = {"message_id": message_id, "timestamp": "2026-01-20T12:00:00.000Z", "route": route,
                    "method": method, "headers": headers if headers is not None else {"customer_id": CUSTOMER},
                    "body": body}
        self.channel.basic_publish("", queue or f"bin-manager.{service}.request",
                                   raw if raw is not None else json.dumps(envelope).encode(),
                                   pika.BasicProperties(content_type="application/json", reply_to="amq.rabbitmq.reply-to",
                                                        correlation_id=correlation, message_id=message_id))
        end = time.monotonic() + DEADLINE_S
        while correlation not in self.answers:
            assert time.monotonic() < end, f"no answer to {method} {route}"
            self.connection.process_data_events(time_limit=0.2)
        return self.answers.pop(correlation)

    def __call__(self, *arguments, **options):
        return json.loads(self.call(*arguments, **options))

    def close(self):
        self.connection.close()


@pytest.fixture
def rpc():
    made = []

    def make(node):
        made.append(Rpc(node))
        return made[-1]

    yield make
    for one in made:
        try:
            one.close()
        except Exception:  # the node may be gone already
            pass
