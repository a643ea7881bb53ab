"""Starts a broker for a suite: the node under test, or Debian's RabbitMQ. Both listen where clients look for them, on
5672: each run has a network of its own (see network.py)."""

import contextlib
import os
import pathlib
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("SWITCHBOARD_BINARY", ROOT / "build/release/switchboard"))
PORT = 5672
READY_S = 120  # RabbitMQ takes 5 to 10 s on an idle machine


def node(folder):
    settings = [f"node.data_dir={folder / 'data'}"]
    return ([str(BINARY), "run", "--config", str(ROOT / "config/standalone.toml"),
             *[part for s in settings for part in ("--set", s)]], {})


def rabbitmq(folder):
    plugins = folder / "enabled_plugins"
    plugins.write_text("[].\n")
    return (["/usr/lib/rabbitmq/bin/rabbitmq-server"],
            {"HOME": str(folder), "RABBITMQ_NODENAME": "conformance@localhost",
             "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"), "RABBITMQ_LOG_BASE": str(folder / "log"),
             "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins)})


BROKERS = {"node": node, "rabbitmq": rabbitmq}


@contextlib.contextmanager
def running(name, folder):
    """A fresh broker, its output in folder/broker.log; ended with the block."""
    folder.mkdir(parents=True)
    command, environment = BROKERS[name](folder)
    with open(folder / "broker.log", "wb") as log:
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=log, stderr=log,
                                   stdin=subprocess.DEVNULL, start_new_session=True)
        try:
            await_listener(process, folder)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def await_listener(process, folder):
    end = time.monotonic() + READY_S
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", PORT), 1) as probe:
            probe.sendall(b"AMQP\0\0\x09\x01")
            probe.settimeout(10)
            if probe.recv(1):
                return
        time.sleep(0.1)
    raise RuntimeError(f"no broker on {PORT}; see {folder / 'broker.log'}")
