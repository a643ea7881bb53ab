#!/usr/bin/python3
"""Proof of order: a node under strace while clients publish with confirms in random pipelining; then the trace alone must
show, for each confirm that left, a sync begun after its message was written and ended before the confirm was.

usage: order.py [--messages N] [--seed S] [--no-sync] [--directory D]
Prints one line of JSON. Exit 1 if a confirm overtook its sync. `--no-sync` runs the node with store.sync=false, which
must fail.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import sys
import tempfile
import threading

from client import ACK, METHOD, Sender, commands, connect, method_of, unexpected
from disk_trace import judge

from conftest import Lines, Node, until

QUEUE = "fault.order"
CALLS = "openat,pwrite64,pwritev,pwritev2,write,writev,sendmsg,sendto,fdatasync,fsync,msync"
STRING_BYTES_MAX = 8 << 20
LARGE = 300_000  # more than a quarter of the smallest log: goes to LMDB in one transaction


class TracedNode(Node):
    """strace is not its parent, so that signals and the exit code are the node's own."""

    def __init__(self, directory, trace, settings=()):
        super().__init__(directory, settings)
        self.trace = trace

    def launch(self, env=None):
        self.lines = Lines(["strace", "-D", "-f", "-ttt", "-xx", "-yy", "-s", str(STRING_BYTES_MAX), "-e",
                            f"trace={CALLS}", "-e", "signal=none", "-o", str(self.trace), *self.arguments()], env)
        self.killed = False
        return self

    def whole_trace(self):
        """Its lines, once strace has written the last."""
        def ended():
            with open(self.trace, "rb") as file:
                file.seek(max(0, os.path.getsize(self.trace) - 4096))
                return b"+++ exited" in file.read().rpartition(b"\n")[0].rpartition(b"\n")[2]
        until("strace has ended", ended)
        with open(self.trace) as file:
            return file.readlines()


def publish(port, number, messages, dice, sockets):
    """Body n waits for confirm n. One at a time, or many; now and then a large one."""
    link = connect(port, 1)
    server, client = link.wire.socket.getpeername(), link.wire.socket.getsockname()
    sockets[f"[{server[0]}:{server[1]}->{client[0]}:{client[1]}]"] = number
    link.call(commands.Confirm.Select(), commands.Confirm.SelectOk)
    sender, sent, confirmed, ahead = Sender(1, QUEUE), 0, 0, set()
    while confirmed < messages:
        burst = min(messages - sent, dice.choice([1, 1, 2, 8, 64]))
        data = b""
        for sent in range(sent + 1, sent + burst + 1):
            size = LARGE if dice.random() < 0.004 else dice.randint(20, 400)
            data += sender.frames(b"order:%d:%08d;" % (number, sent) + bytes(size))
        link.send(data)
        wanted = sent - dice.choice([0, 0, 10, 100])
        while confirmed < min(messages, max(wanted, 0)) or (sent == messages and confirmed < messages):
            for kind, _, payload in link.frames(1):
                assert kind == METHOD and method_of(payload) == ACK, unexpected(payload)
                tag = int.from_bytes(payload[4:12], "big")
                ahead.update(range(confirmed + 1, tag + 1) if payload[12] & 1 else [tag])
            while confirmed + 1 in ahead:
                confirmed += 1
    link.close()


def run(directory, messages, seed, sync=True, connections=2):
    """(figures, violations)."""
    dice = random.Random(seed)
    directory = pathlib.Path(directory)
    node = TracedNode(directory / "data", directory / "trace",
                      ["store.log_bytes_max=1MiB", f"store.sync={str(sync).lower()}"])
    node.start()
    try:
        connection = node.pika()
        connection.channel().queue_declare(QUEUE, durable=True)
        connection.close()
        sockets, failed = {}, []

        def work(number, own):
            try:
                publish(node.amqp, number, messages // connections, own, sockets)
            except BaseException as why:
                failed.append(why)
                raise

        threads = [threading.Thread(target=work, args=(number, random.Random(dice.random())))
                   for number in range(connections)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert not failed, failed
        assert node.stop() == 0
    finally:
        if node.lines.process.poll() is None:
            node.kill()
    lines = node.whole_trace()
    figures, violations = judge(lines, sockets)
    assert figures.get("confirms") == messages // connections * connections, f"confirms missing in the trace: {figures}"
    return {"seed": seed, "sync": sync, "lines": len(lines), **figures}, violations


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--messages", type=int, default=2000)
    parse.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parse.add_argument("--no-sync", action="store_true")
    parse.add_argument("--directory", help="kept if given")
    asked = parse.parse_args()
    print(f"seed {asked.seed}", file=sys.stderr)
    directory = asked.directory or tempfile.mkdtemp(prefix="switchboard-faults-")
    os.makedirs(directory, exist_ok=True)
    try:
        figures, violations = run(directory, asked.messages, asked.seed, not asked.no_sync)
    finally:
        if not asked.directory:
            shutil.rmtree(directory, ignore_errors=True)
    print(json.dumps({"order": figures, "overtaken": len(violations), "violations": violations[:5]}))
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
