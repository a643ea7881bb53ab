#!/usr/bin/python3
"""Random lives of queues beside the naive model: message_queue alone, and the living queue_actor (a twentieth of the
operations). The test itself is tests/broker/queue_model_test.cpp and queue_actor_model_test.cpp; this builds and runs it.

usage: model.py [--operations N] [--seed S]
Prints one line of JSON. Exit 1 if model and queue differed: the shortest list of operations that shows it comes first.
"""

import argparse
import json
import os
import pathlib
import random
import re
import subprocess
import sys

BUILD = pathlib.Path(__file__).resolve().parents[2] / "build" / "release"
LIFE = re.compile(r"^(\d+) operations on (\d+) queues, seeds (\d+) to (\d+): (\d+) deliveries, (\d+) of them again, "
                  r"(\d+) refused, (\d+) page reads, dead: (.*); no difference$", re.MULTILINE)


def lives(text):
    for operations, queues, first, last, deliveries, again, refused, reads, dead in LIFE.findall(text):
        words = dead.split()
        yield {"operations": int(operations), "queues": int(queues), "seeds": [int(first), int(last)],
               "deliveries": int(deliveries), "again": int(again), "refused": int(refused), "page_reads": int(reads),
               "dead": dict(zip(words[::2], map(int, words[1::2])))}


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--operations", type=int, default=1_000_000)
    parse.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    asked = parse.parse_args()
    print(f"seed {asked.seed}", file=sys.stderr)
    subprocess.run(["ninja", "-C", BUILD, "broker_test"], check=True, stdout=subprocess.DEVNULL)
    done = subprocess.run([BUILD / "broker_test", "--gtest_filter=queue_model.agrees*"], text=True, stdout=subprocess.PIPE,
                          env={**os.environ, "SWITCHBOARD_MODEL_OPERATIONS": str(asked.operations),
                               "SWITCHBOARD_MODEL_SEED": str(asked.seed)}, check=False)
    found = list(lives(done.stdout))
    good = done.returncode == 0 and len(found) == 2
    if not good:
        print(done.stdout, file=sys.stderr)
    print(json.dumps({"model": dict(zip(("pure", "living"), found)), "seed": asked.seed, "differences": 0 if good else 1}))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
