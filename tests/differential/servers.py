"""The servers under comparison: RabbitMQ as Debian installs it, and a node of ours, each on ports and folders of its
own, in a process group of its own so that nothing is left behind."""

import os
import pathlib
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
START_S = 120


def free_port(dist=False):
    """A port nobody listens on; RabbitMQ's second one is 20000 above."""
    while True:
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            port = held.getsockname()[1]
        if not dist or port < 45000:
            return port


class Server:
    def __init__(self, arguments, port, log, environment=()):
        self.port, self.log = port, pathlib.Path(log)
        with open(log, "wb") as output:
            self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                            env={**os.environ, **dict(environment)}, start_new_session=True)

    def wait(self):
        end = time.monotonic() + START_S
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                    probe.settimeout(5)
                    probe.sendall(b"AMQP\0\0\x09\x01")
                    if probe.recv(1):
                        return self
            except OSError:
                pass
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{self.log} tells why this server does not start:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.1)

    def cpu_s(self):
        """Of the process group's living processes."""
        ticks = 0
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[2]) == self.process.pid:
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def stop(self):
        for sign in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, sign)
                self.process.wait(20)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
            return


def start_rabbitmq(folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True)
    (folder / "plugins").write_text("[].")
    (folder / "rabbitmq.conf").write_text("log.console = false\nlog.file.level = critical\n")
    port = free_port(dist=True)
    return Server(["/usr/lib/rabbitmq/bin/rabbitmq-server"], port, folder / "output", {
        "HOME": str(folder), "RABBITMQ_NODENAME": f"differential-{os.getpid()}-{port}@localhost",
        "RABBITMQ_NODE_PORT": str(port), "RABBITMQ_DIST_PORT": str(port + 20000),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"), "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins")})


def start_node(folder, binary):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True)
    ports = {"amqp.port": free_port(), "zmq.port": free_port(), "http.port": free_port(), "admin.port": free_port()}
    settings = {"node.data_dir": folder / "data", **ports}
    return Server([str(binary), "run", "--config", str(ROOT / "config/standalone.toml"),
                   *[part for key, value in settings.items() for part in ("--set", f"{key}={value}")]],
                  ports["amqp.port"], folder / "output")
