"""The short form of tests/differential: random topologies on RabbitMQ 3.10.8 and on a node, nothing may differ."""

import os
import subprocess
import sys

import pytest

from conftest import BINARY, ROOT, SANITIZED

TOPOLOGIES = 60 if SANITIZED else 150


# It takes a minute and a RabbitMQ whose own timing a busy machine may upset, so it is asked for.
@pytest.mark.skipif("SWITCHBOARD_DIFFERENTIAL" not in os.environ, reason="set SWITCHBOARD_DIFFERENTIAL=1, or ./dev differential")
def test_a_node_does_what_rabbitmq_does():
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests/differential/differential.py"), "--topologies", str(TOPOLOGIES),
         "--binary", str(BINARY)], capture_output=True, text=True, timeout=600, env=dict(os.environ))
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert f"{TOPOLOGIES} topologies" in done.stdout
