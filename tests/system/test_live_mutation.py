"""The short form of tests/fuzz/live_mutation.py: damaged conversations, and a neighbour that must not notice."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "fuzz"))

import live_mutation  # noqa: E402


def test_damaged_conversations_hurt_nobody(new_node):
    node = new_node("log.level=error").start()
    figures, wrong = live_mutation.run(node.amqp, node.pid, frames=20_000)
    assert not wrong, (wrong, figures)
    assert figures["frames"] >= 20_000
