#!/usr/bin/env python3
"""Ten publishers and nobody who acknowledges: the node's memory stays at its watermark, and they go on when what fills it
is acknowledged (goal G7). A consumer holds all it gets: what merely waits goes to disk, what is out stays in memory.
One JSON line of figures; exit 1 if a promise was broken."""

import argparse
import json
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
from conftest import Node, own_mib, until  # noqa: E402

from alarm_load import Consumer, Publisher  # noqa: E402

SHARE_MAX = 1.2
UNBLOCKED_S_MAX = 2.0


def run(seconds, watermark_mib=512, publishers=10, size=16 << 10):
    with tempfile.TemporaryDirectory(prefix="switchboard-memory-") as folder:
        node = Node(pathlib.Path(folder, "data"), [f"broker.memory_bytes_max={watermark_mib}MiB",
                                                   "node.plugins=call"]).start()
        try:
            return measure(node, seconds, watermark_mib, publishers, size)
        finally:
            node.stop()


def measure(node, seconds, watermark_mib, publishers, size):
    with node.pika() as connection:
        connection.channel().queue_declare("pile")
    base = own_mib(node.pid)
    holder = Consumer(node, "pile", holds=True)
    holder.start()
    load = [Publisher(node, number, "pile", size, persistent=False, window=100) for number in range(publishers)]
    for one in load:
        one.start()

    def errors():
        for one in (*load, holder):
            assert not one.error, one.error

    until("all publishers are blocked", lambda: errors() or all(one.blocked.is_set() for one in load), 300)
    samples, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        errors()
        samples.append(own_mib(node.pid))
        time.sleep(0.25)  # the sampling interval
    assert all(one.blocked.is_set() for one in load), "nobody has acknowledged anything"
    for one in load:  # what was in flight comes when they are unblocked, and no more
        one.paused = True
    released = time.monotonic()
    holder.release()
    until("all publishers go on", lambda: errors() or not any(one.blocked.is_set() for one in load), 60)
    unblocked_s = max(one.unblocked_at[-1] for one in load) - released
    until("all of it is taken", lambda: errors() or not any(one.pending for one in load) and
          holder.count >= sum(one.sent for one in load), 300)
    lost = {(one.number, number) for one in load for number in one.confirmed} - holder.close()
    for one in load:
        one.close()
    return {"watermark_mib": watermark_mib, "seconds": seconds, "base_mib": round(base, 1),
            "rss_mib_max": round(max(samples), 1), "rss_mib_last": round(samples[-1], 1),
            "share": round((max(samples) - base) / watermark_mib, 3), "unblocked_s": round(unblocked_s, 3),
            "messages": sum(one.sent for one in load), "lost": len(lost),
            "reasons": sorted({reason for one in load for reason in one.reasons})}


def holds(figures):
    return figures["share"] <= SHARE_MAX and figures["unblocked_s"] <= UNBLOCKED_S_MAX and figures["lost"] == 0


def main():
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--minutes", type=float, default=10)
    asked.add_argument("--watermark-mib", type=int, default=512)
    how = asked.parse_args()
    figures = run(how.minutes * 60, how.watermark_mib)
    print(json.dumps({"fault": "memory", **figures}))
    return 0 if holds(figures) else 1


if __name__ == "__main__":
    sys.exit(main())
