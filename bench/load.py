"""What the Python programs of bench/ share: a node of their own (or one that runs), its /proc figures, paced messages,
and the way to the modules of tests/system and tests/faults: so this is imported first."""

import argparse
import contextlib
import os
import pathlib
import sys
import tempfile

for folder in ("tests/system", "tests/faults"):
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / folder))

from conftest import Node  # noqa: E402


def rss_bytes(pid):
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def cpu_s(pid):
    """Of all its threads, in nanoseconds' resolution: /proc/PID/stat counts in hundredths of a second."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in pathlib.Path(f"/proc/{pid}/task").iterdir()) / 1e9


def arguments(text):
    asked = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--port", type=int, help="AMQP port of a broker that runs; default: a node of its own")
    asked.add_argument("--pid", type=int, help="its process, for the figures of /proc")
    asked.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="of a node of its own")
    return asked


@contextlib.contextmanager
def broker(how, *settings):
    """(port, pid) of the broker to measure."""
    if how.port:
        yield how.port, how.pid
        return
    with tempfile.TemporaryDirectory() as folder:
        node = Node(pathlib.Path(folder) / "data", ["log.level=error", *settings, *how.set]).start()
        try:
            yield node.amqp, node.pid
        finally:
            node.end()
