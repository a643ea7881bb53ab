"""`./dev conformance [suite…]`: other people's client suites against a node and against RabbitMQ 3.10.8, side by side.

Exit 0 if every test that passes on RabbitMQ passes here (but those of `on_purpose` in suites.py), 1 if one doesn't, 2 for wrong usage or a suite that could not be run.
Each run of a suite has a broker and a network of its own: a namespace in which nothing but the broker listens, on the
usual ports, so the suites need not be told where it is.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import brokers
import sources
from suites import LIBRARIES, SUITES

SUPPORT = pathlib.Path(__file__).resolve().parent / "support"
BUILD = brokers.ROOT / "build/conformance"


def inside(suite, broker, folder):
    """Within the namespace: starts the broker, runs the suite, writes outcomes.json."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    results = folder / "results"
    texts = {"results": results, "source": folder / "source", "support": SUPPORT, "sources": BUILD / "sources"}
    environment = {**os.environ, "PYTHONPATH": str(folder / "source"), "HOME": str(folder),
                   **{key: value.format(**texts) for key, value in suite.environment.items()}}
    with brokers.running(broker, folder / "broker"), open(folder / "suite.log", "wb") as log:
        with open(results if suite.stdout else os.devnull, "wb") as out:
            try:
                subprocess.run([part.format(**texts) for part in suite.command], cwd=folder / "source",
                               env=environment, stdin=subprocess.DEVNULL, stdout=out if suite.stdout else log,
                               stderr=log, timeout=suite.timeout_s)
            except subprocess.TimeoutExpired:
                log.write(f"not done after {suite.timeout_s} s\n".encode())
    here = f"{folder / 'source'}/"  # PHPUnit names its .phpt files by their whole paths
    outcomes = {name.replace(here, ""): what for name, what in suite.results(results).items()}
    if suite.leave_out:
        outcomes = {name: what for name, what in outcomes.items() if not re.search(suite.leave_out, name)}
    (folder / "outcomes.json").write_text(json.dumps(outcomes, indent=1))


def outcomes_of(suite, broker):
    """Runs a suite in a namespace of its own and reads what came out."""
    folder = BUILD / "runs" / broker / suite.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copytree(sources.fetched(BUILD, suite, SUPPORT), folder / "source", symlinks=True)
    for other in suite.needs:
        sources.fetched(BUILD, next(each for each in SUITES + LIBRARIES if each.name == other), SUPPORT)
    namespace = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.geteuid() != 0:
        namespace.append("--map-root-user")
    done = subprocess.run([*namespace, sys.executable, __file__, "--inside", broker, suite.name],
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{suite.name} on {broker}: {done.stderr.strip().splitlines()[-1:]}; see {folder}")
    return json.loads((folder / "outcomes.json").read_text())


def counts(outcomes):
    found = collections.Counter(outcomes.values())
    return f"{found['passed']:>6} {found['failed']:>6} {found['skipped']:>7}"


def fails_here_alone(node, rabbitmq):
    return sorted(name for name, outcome in rabbitmq.items() if outcome == "passed" and node.get(name) != "passed")


def main():
    parser = argparse.ArgumentParser(prog="./dev conformance", description=__doc__.splitlines()[0])
    parser.add_argument("suites", nargs="*", metavar="suite", help=", ".join(suite.name for suite in SUITES))
    parser.add_argument("--node-only", action="store_true", help="compare with RabbitMQ's outcomes of the last run")
    parser.add_argument("--inside", metavar="BROKER", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    known = {suite.name: suite for suite in SUITES}
    for name in chosen.suites:
        if name not in known:
            parser.error(f"no suite '{name}'; there are: {', '.join(known)}")
    suites = [known[name] for name in chosen.suites] or SUITES
    if chosen.inside:
        return inside(suites[0], chosen.inside, BUILD / "runs" / chosen.inside / suites[0].name)

    print(f"{'':<34} {'node':^21}   {'RabbitMQ 3.10.8':^21}")
    print(f"{'suite':<18}{'language':<16} {'passed failed skipped':>21}   {'passed failed skipped':>21}    s", flush=True)
    broken, worse, on_purpose = [], [], []
    for suite in suites:
        began = time.monotonic()
        try:
            node = outcomes_of(suite, "node")
            last = BUILD / "runs/rabbitmq" / suite.name / "outcomes.json"
            if chosen.node_only and last.exists():
                rabbitmq = json.loads(last.read_text())
            else:
                rabbitmq = outcomes_of(suite, "rabbitmq")
            if not rabbitmq:
                raise RuntimeError(f"{suite.name} on rabbitmq: no test was run; see {last.parent}")
        except (RuntimeError, OSError, subprocess.CalledProcessError) as problem:
            broken.append(str(problem))
            print(f"{suite.name:<18}{suite.language:<16} could not be run", flush=True)
            continue
        print(f"{suite.name:<18}{suite.language:<16} {counts(node)}   {counts(rabbitmq)} "
              f"{time.monotonic() - began:>4.0f}", flush=True)
        for name in fails_here_alone(node, rabbitmq):
            if name in suite.on_purpose:
                on_purpose.append(f"{suite.name}: {name}: {suite.on_purpose[name]}")
            else:
                worse.append(f"{suite.name}: {name}")
    for problem in broken:
        print(problem)
    if on_purpose:
        print("\nFails here on purpose:")
        print("\n".join(on_purpose))
    if worse:
        print(f"\n{len(worse)} fail here and pass on RabbitMQ:")
        print("\n".join(worse))
    elif not broken:
        print(f"\nEvery{' other' if on_purpose else ''} test that passes on RabbitMQ passes here.")
    return 2 if broken else 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
