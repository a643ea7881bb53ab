"""Bad neighbours: a consumer that does not read, a publisher that stops within a frame or a body, a reader that never
acknowledges. Others get on, and the node's memory has a bound. How much slower the others are is for bench/neighbours.py
to say: a time here would say more about the machine."""

import os
import pathlib
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))

from neighbours import NeverAcks, Pace, StalledConsumer, StalledPublisher  # noqa: E402

from conftest import SANITIZED  # noqa: E402

SECONDS = float(os.environ.get("SWITCHBOARD_FLOW_S", "8"))
# The backlog of one queue (32 MiB), what is on the way (4 MiB), the link's credit, the outbox and sockets' buffers.
BOUND = {StalledConsumer: 120 << 20, StalledPublisher: 60 << 20, NeverAcks: 120 << 20}


def rss_bytes(pid):
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("kind", [StalledConsumer, StalledPublisher, NeverAcks], ids=lambda kind: kind.name)
def test_others_get_on(node, kind):
    pace = Pace(node.amqp, 200)
    pace.window(1)
    before = rss_bytes(node.pid)
    bad = kind(node.amqp)
    bad.begin()
    try:
        most, end = 0, time.monotonic() + SECONDS
        while time.monotonic() < end:
            assert pace.window(1) < 5, "a neighbour waited for seconds"
            most = max(most, rss_bytes(node.pid))
    finally:
        bad.end()
    assert SANITIZED or most - before < BOUND[kind], f"{(most - before) >> 20} MiB more"
