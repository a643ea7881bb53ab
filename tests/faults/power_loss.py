#!/usr/bin/python3
"""Power lost again and again while several threads write to the store: nothing confirmed may be lost, no batch be there
by half. The work is done inside one process (tests/store/power_loss_load_test.cpp), whose disk forgets what was not synced.

usage: power_loss.py [--cycles N] [--seed S]
Prints one line of JSON. Exit 1 if a promise was broken.
"""

import argparse
import os
import pathlib
import random
import subprocess
import sys

BINARY = pathlib.Path(__file__).resolve().parents[2] / "build/release/store_test"


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--cycles", type=int, default=200)
    parse.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    asked = parse.parse_args()
    print(f"seed {asked.seed}", file=sys.stderr)
    done = subprocess.run([BINARY, "--gtest_filter=power_loss_under_load.*", "--gtest_brief=1"], text=True,
                          stdout=subprocess.PIPE, env={**os.environ, "SWITCHBOARD_POWER_LOSS_CYCLES": str(asked.cycles),
                                                       "SWITCHBOARD_POWER_LOSS_SEED": str(asked.seed)})
    figures = [line for line in done.stdout.splitlines() if line.startswith('{"power_loss"')]
    if done.returncode or not figures:
        print(done.stdout, file=sys.stderr)
    print(*figures)
    return 1 if done.returncode or not figures else 0


if __name__ == "__main__":
    sys.exit(main())
