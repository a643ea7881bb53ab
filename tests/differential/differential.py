#!/usr/bin/python3
"""Random topologies on a real RabbitMQ 3.10.8 and on a node, step by step, and where the two differ.

usage: differential.py [--topologies N] [--seed S] [--workers N] [--only NUMBER] [--shrink] [--noise]
Prints a line of figures; for each difference its seed, number and steps up to it. Exit 1 if there is one that
RabbitMQ does not also have with itself: what differs is played again, also on two RabbitMQs.
"""

import argparse
import collections
import json
import multiprocessing
import os
import pathlib
import shutil
import sys
import tempfile
import time

from generate import THEMES, generate
from play import Difference, Player
from servers import ROOT, start_node, start_rabbitmq
from side import Side

REPEATS = 2
PROGRESS = 500  # topologies per line on standard error


def play(script, sides):
    """The difference, or None; and the player, for its figures."""
    player = Player(script, sides)
    try:
        player.run()
    except Difference as found:
        return found, player
    return None, player


class Worker:
    """A process of the pool: its own connections to both servers."""

    def __init__(self, seed, ports, names):
        self.seed, self.sides = seed, [Side(name, port) for name, port in zip(names, ports)]

    def compare(self, number):
        """Figures of one topology, and what differs or None."""
        script = generate(self.seed, number)
        before = self.sides[0].deliveries
        difference, player = play(script, self.sides)
        figures = {"topologies": 1, "steps": player.steps, "skipped": player.skipped, script["theme"]: 1,
                   "deliveries": self.sides[0].deliveries - before}
        if not difference:
            return figures, None
        steady = 1 + sum(play(script, self.sides)[0] is not None for _ in range(REPEATS))
        return figures, {"number": number, "step": difference.step, "what": difference.what, "steady": steady,
                         "theme": script["theme"]}


def begin_work(*how):
    global worker
    worker = Worker(*how)


def work(number):
    return worker.compare(number)


def text_of(step):
    return json.dumps({key: value for key, value in step.items() if key != "moves"})


def shrink(script, sides):
    """The script without the steps that the difference does not need."""
    found, _ = play(script, sides)
    if not found:
        return script, None
    steps = script["steps"][:found.step + 1]
    size = max(1, len(steps) // 2)
    while size >= 1:
        at = 0
        while at < len(steps):
            fewer = steps[:at] + steps[at + size:]
            again, _ = play({**script, "steps": fewer}, sides)
            if again:
                steps, found = fewer[:again.step + 1], again
            else:
                at += size
        size //= 2
    return {**script, "steps": steps}, found


def main():
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--topologies", type=int, default=1000)
    ask.add_argument("--seed", default="1")
    ask.add_argument("--workers", type=int, default=2 * os.cpu_count() + 2)
    ask.add_argument("--only", type=int, help="this number alone, with its steps")
    ask.add_argument("--shrink", action="store_true", help="with --only: without the steps that don't matter")
    ask.add_argument("--noise", action="store_true", help="RabbitMQ against RabbitMQ: what the comparison can't say")
    ask.add_argument("--ports", help="of two servers that run already, RabbitMQ's first")
    ask.add_argument("--binary", default=os.environ.get("SWITCHBOARD_BINARY", ROOT / "build/release/switchboard"))
    how = ask.parse_args()

    folder = pathlib.Path(tempfile.mkdtemp(prefix="differential-"))
    names = ["RabbitMQ", "RabbitMQ again" if how.noise else "Switchboard"]
    servers = []
    try:
        if how.ports:
            ports = [int(port) for port in how.ports.split(",")]
        else:
            servers.append(start_rabbitmq(folder / "rabbitmq"))
            servers.append(start_rabbitmq(folder / "again") if how.noise else start_node(folder / "node", how.binary))
            ports = [server.wait().port for server in servers]
        return run(how, names, ports, folder)
    finally:
        for server in servers:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def run(how, names, ports, folder):
    if how.only is not None:
        sides = [Side(name, port) for name, port in zip(names, ports)]
        script = generate(how.seed, how.only)
        if how.shrink:
            script, found = shrink(script, sides)
        else:
            found, _ = play(script, sides)
        for at, step in enumerate(script["steps"]):
            print(f"{at:3} {text_of(step)}")
        print(f"differs at step {found.step}: {found.what}" if found else "no difference")
        return 1 if found else 0

    began = time.monotonic()
    figures, found = collections.Counter(), []
    with multiprocessing.Pool(how.workers, begin_work, (how.seed, ports, names)) as pool:
        for each, difference in pool.imap_unordered(work, range(how.topologies)):
            figures.update(each)
            if difference:
                found.append(difference)
                print(f"topology {difference['number']} differs at step {difference['step']}, {difference['steady']} times: "
                      f"{difference['what'][:1000]}", file=sys.stderr, flush=True)
            elif figures["topologies"] % PROGRESS == 0:
                print(f"{figures['topologies']} played", file=sys.stderr, flush=True)
    found.sort(key=lambda one: one["number"])
    noise = []
    if found and not how.noise and not how.ports:
        again = start_rabbitmq(folder / "again")
        try:
            sides = [Side("RabbitMQ", ports[0]), Side("RabbitMQ again", again.wait().port)]
            for one in found:
                script = generate(how.seed, one["number"])
                if any(play(script, sides)[0] for _ in range(REPEATS + 1)):
                    noise.append(one)
        finally:
            again.stop()
    for one in found:
        kind = "noise of RabbitMQ itself" if one in noise else f"difference, {one['steady']} times of {REPEATS + 1}"
        print(f"topology {one['number']} ({one['theme']}), step {one['step']}: {kind}\n    {one['what']}")
        if one not in noise:
            print(f"    see: ./dev differential --seed {how.seed} --only {one['number']} --shrink")
    themes = ", ".join(f"{theme} {figures[theme]}" for theme in THEMES)
    print(f"{figures['topologies']} topologies ({themes}), {figures['steps']} steps, {figures['deliveries']} deliveries "
          f"compared in {time.monotonic() - began:.0f} s: {len(found) - len(noise)} differences, {len(noise)} of "
          f"RabbitMQ with itself")
    return 1 if len(found) > len(noise) else 0


if __name__ == "__main__":
    sys.exit(main())
