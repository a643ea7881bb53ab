#!/usr/bin/env python3
"""A node whose data directory is on a small volume, filled and freed again and again under confirmed load (goal G6).

Each cycle: publishers fill the store until they are blocked, a consumer drains it, they go on; then somebody else's file
takes the rest of the volume, they are blocked again, the consumer goes on, the file goes, and so do they. At the end
everything that was ever confirmed has been received, whole. `--raw` has the alarm off: the volume runs full, the node
ends with code 1, and starts again with all of it once there is room. One JSON line of figures; exit 1 if a promise was
broken. Needs root, for mount."""

import argparse
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
from conftest import Node, until  # noqa: E402

from alarm_load import Consumer, Publisher, drained  # noqa: E402

MIB = 1 << 20
UNBLOCKED_S_MAX = 2.0


class NoVolume(Exception):
    """This machine does not let us mount."""


@contextlib.contextmanager
def volume(mib, kind):
    """The path of an empty file system of that size: "tmpfs", or "ext4" in a file."""
    with tempfile.TemporaryDirectory(prefix="switchboard-volume-") as folder:
        path = pathlib.Path(folder, "volume")
        path.mkdir()
        if kind == "tmpfs":
            steps = [["mount", "-t", "tmpfs", "-o", f"size={mib}m", "switchboard", str(path)]]
        else:
            image = pathlib.Path(folder, "image")
            with open(image, "wb") as file:
                file.truncate(mib * MIB)
            steps = [["mkfs.ext4", "-q", "-m", "0", str(image)], ["mount", "-o", "loop", str(image), str(path)]]
        for step in steps:
            try:
                done = subprocess.run(step, capture_output=True, text=True)
            except OSError as problem:
                raise NoVolume(str(problem)) from problem
            if done.returncode:
                raise NoVolume(f"{' '.join(step)}: {done.stderr.strip()}")
        try:
            yield path
        finally:
            subprocess.run(["umount", "--lazy", str(path)], check=True)


def free_bytes(path):
    at = os.statvfs(path)
    return at.f_bavail * at.f_frsize


class Filler:
    """Somebody else's file on the volume."""

    def __init__(self, volume_path):
        self.volume, self.path = volume_path, volume_path / "somebody_elses_file"

    def fill(self, leave, stop):
        """Until so many bytes are free, or `stop` says so."""
        with open(self.path, "ab") as file:
            while free_bytes(self.volume) > leave + MIB and not stop():
                file.write(bytes(MIB))
                file.flush()

    def remove(self):
        self.path.unlink(missing_ok=True)


def declare(node, queue):
    with node.pika() as connection:
        connection.channel().queue_declare(queue, durable=True)


def in_cycles(cycles, mib=256, kind="tmpfs", publishers=4, size=64 << 10):
    """The figures of so many cycles."""
    with volume(mib, kind) as path:
        node = Node(path / "data", [f"store.disk_free_min={mib // 4}MiB", "node.plugins=call"]).start()
        try:
            return run_cycles(node, path, cycles, publishers, size)
        finally:
            node.stop()


def run_cycles(node, path, cycles, publishers, size):
    declare(node, "work")
    load = [Publisher(node, number, "work", size) for number in range(publishers)]
    for one in load:
        one.start()
    taken, filler = set(), Filler(path)
    figures = {"cycles": 0, "free_mib_min": 1 << 30, "unblocked_s_max": 0.0, "taken_while_blocked_min": 1 << 30}

    def look():
        assert node.lines.process.poll() is None, "the node has ended:\n" + "\n".join(node.lines.seen[-20:])
        for one in load:
            assert not one.error, one.error
        figures["free_mib_min"] = min(figures["free_mib_min"], free_bytes(path) // MIB)

    def all_blocked():
        look()
        return all(one.blocked.is_set() for one in load)

    def none_blocked():
        look()
        return not any(one.blocked.is_set() for one in load)

    for _ in range(cycles):
        # The publishers fill it themselves, and the consumer makes room inside the store.
        until("the publishers are blocked", all_blocked, 60)
        consumer = Consumer(node, "work")
        consumer.start()
        until("they go on", none_blocked, 60)
        taken |= consumer.close()
        assert not consumer.error, consumer.error
        # Somebody else takes the disk, and gives it back.
        filler.fill(leave=24 * MIB, stop=lambda: look() or False)
        until("the publishers are blocked again", all_blocked, 60)
        consumer = Consumer(node, "work")
        consumer.start()
        until("consumers go on", lambda: look() or consumer.count >= 100, 60)
        assert all_blocked(), "the disk is still full"
        figures["taken_while_blocked_min"] = min(figures["taken_while_blocked_min"], consumer.count)
        counts = [len(one.unblocked_at) for one in load]
        filler.remove()
        began = time.monotonic()
        until("they go on", lambda: look() or all(len(one.unblocked_at) > count for one, count in zip(load, counts)), 20)
        last = max(one.unblocked_at[count] for one, count in zip(load, counts))
        figures["unblocked_s_max"] = max(figures["unblocked_s_max"], last - began)
        taken |= consumer.close()
        assert not consumer.error, consumer.error
        figures["cycles"] += 1
    for one in load:
        one.pause(True)
    until("the last one is confirmed", lambda: look() or drain_a_little(node, taken) or not any(one.pending for one in load), 60)
    for one in load:
        one.close()
    taken |= drained(node, "work")
    confirmed = {(one.number, number) for one in load for number in one.confirmed}
    figures.update(confirmed=len(confirmed), lost=len(confirmed - taken), crashes=0,
                   reasons=sorted({reason for one in load for reason in one.reasons}))
    assert node.stop() == 0
    return figures


def drain_a_little(node, taken):
    taken |= drained(node, "work", quiet_s=0.2)


def raw(mib=96, kind="tmpfs", publishers=4, size=64 << 10):
    """With the alarm off: the disk runs full, the node ends, and all that was confirmed is there when there is room."""
    with volume(mib, kind) as path:
        ballast = Filler(path)
        ballast.fill(leave=(mib - 32) * MIB, stop=lambda: False)
        node = Node(path / "data", ["store.disk_free_min=0B", "node.plugins=call"]).start()
        declare(node, "work")
        load = [Publisher(node, number, "work", size) for number in range(publishers)]
        for one in load:
            one.start()
        code = node.lines.process.wait(120)
        for one in load:
            one.close()
        said = last_words(node)
        # As long as it is full it starts if the store has pages to spare, or says why not; it doesn't crash.
        again = subprocess.Popen(node.arguments(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            code_while_full = again.wait(3)
        except subprocess.TimeoutExpired:
            again.terminate()
            code_while_full = again.wait(30)
        ballast.remove()
        node.start()
        taken = drained(node, "work")
        confirmed = {(one.number, number) for one in load for number in one.confirmed}
        figures = {"exit_code": code, "said": said[:1], "confirmed": len(confirmed), "lost": len(confirmed - taken),
                   "exit_code_while_full": code_while_full}
        figures["exit_code_after"] = node.stop()
        return figures


def last_words(node, deadline_s=5):
    """Why it ended; they are read by a thread that may be a little behind. LMDB calls a write that was cut off EIO."""
    end = time.monotonic() + deadline_s
    while True:
        said = [line for line in node.lines.seen if "store_failed" in line]
        if said or time.monotonic() > end:
            return said or node.lines.seen[-3:]
        time.sleep(0.02)


def holds(figures):
    if "exit_code" in figures:
        named = any(why in figures["said"][0] for why in ("No space left on device", "Input/output error"))
        return (figures["exit_code"] == 1 and named and figures["lost"] == 0 and figures["confirmed"] > 100
                and figures["exit_code_while_full"] in (0, 1) and figures["exit_code_after"] == 0)
    return (figures["lost"] == 0 and figures["free_mib_min"] > 0 and figures["unblocked_s_max"] <= UNBLOCKED_S_MAX
            and figures["taken_while_blocked_min"] >= 100)


def main():
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--cycles", type=int, default=20)
    asked.add_argument("--mib", type=int, default=256, help="size of the volume")
    asked.add_argument("--kind", choices=["tmpfs", "ext4"], default="tmpfs")
    asked.add_argument("--raw", action="store_true", help="with the alarm off, once")
    how = asked.parse_args()
    figures = raw(kind=how.kind) if how.raw else in_cycles(how.cycles, how.mib, how.kind)
    print(json.dumps({"fault": "disk-full", "kind": how.kind, **figures}))
    return 0 if holds(figures) else 1


if __name__ == "__main__":
    sys.exit(main())
