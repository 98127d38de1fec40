#!/usr/bin/env python3
"""Runs `pavane bench engine` and its peers on the same files, in turn, each in a process of its own.

    peers.py PEERS_DIR PAVANE [--runs 3] [--files max200k,roll10k] [--peers floor,esper,esper-warm,flink-cep]
             [--huge-pages none|pavane|all]

PEERS_DIR holds what is not part of this repository (Esper's licence does not allow it):

    data/NAME.csv, data/NAME.expected.csv   events, and the stalls that must be told
    tgt-floor/release/floor                 FILE PASSES string: a hash table and a queue, in Rust
    build/esper, cp/esper.txt               classes, class path: EsperPeer FILE 3stmt PASSES
    build/flink, cp/flink.txt               classes, class path: FlinkPeer FILE cep 1 PASSES

Each peer prints `RESULT … ev_per_cpu_s=N … alerts=EXACT|WRONG` for each pass; of several passes the last counts. What is
printed here: the median of events per CPU-second, how many times that pavane is of it, pair by pair, and whether every
run told exactly the expected stalls. Exit code 1 if one did not.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile

WANTED = {  # how many times as fast pavane is to be
    "flink-cep": {"": 30.0},
    "esper": {"": 10.0},
    "esper-warm": {"": 3.0},
    "floor": {"max": 0.5, "roll10k": 0.2},
}


HUGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1", "MIMALLOC_ALLOW_LARGE_OS_PAGES": "1"}


def main():
    args = arguments()
    native = {**os.environ, **HUGE_PAGES}
    ENVIRONMENT["pavane"] = native if args.huge_pages != "none" else os.environ
    ENVIRONMENT["peers"] = {**native, "JAVA_TOOL_OPTIONS": "-XX:+UseTransparentHugePages"} if args.huge_pages == "all" else os.environ
    peers = {"pavane": pavane(args.pavane)}
    peers.update({name: make(args.peers_dir) for name, make in PEERS.items() if name in args.peers})
    rates, wrong = {}, set()
    for _ in range(args.runs):
        for file in args.files:
            for name, run in peers.items():
                rate, exact = run(os.path.join(args.peers_dir, "data", file + ".csv"))
                rates.setdefault((file, name), []).append(rate)
                if not exact:
                    wrong.add((file, name))
                print(f"{file} {name}: {rate:,.0f} {'EXACT' if exact else 'WRONG'}", file=sys.stderr)
    print("| file | engine | runs | events per CPU-second | least to most | pavane / it | wanted | stalls |")
    print("|---|---|---|---|---|---|---|---|")
    for (file, name), of in rates.items():
        ratios = [own / other for own, other in zip(rates[(file, "pavane")], of)]
        ratio = "" if name == "pavane" else f"{statistics.median(ratios):.2f}"
        exact = "WRONG" if (file, name) in wrong else "EXACT"
        least_to_most = f"{min(of):,.0f} to {max(of):,.0f}"
        print(f"| {file} | {name} | {len(of)} | {statistics.median(of):,.0f} | {least_to_most} | {ratio} | {wanted(name, file)} | {exact} |")
    sys.exit(1 if wrong else 0)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peers_dir")
    parser.add_argument("pavane", help="the command, built as it is shipped")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--huge-pages", choices=["none", "pavane", "all"], default="none", help="who gets them, where the system gives them on request")
    listed = {"type": lambda text: text.split(",")}
    parser.add_argument("--files", default=["max200k", "roll10k"], **listed)
    parser.add_argument("--peers", default=list(PEERS), **listed)
    return parser.parse_args()


def wanted(name, file):
    fits = [factor for start, factor in WANTED.get(name, {}).items() if file.startswith(start)]
    return fits[0] if fits else ""


def pavane(command):
    def run(file):
        with tempfile.NamedTemporaryFile("r", suffix=".csv") as told:
            asked = ["bench", "engine", "--events", file, "--sequence", "A,B,C,D", "--window", "250s"]
            spent = json.loads(output("pavane", [command, *asked, "--alerts", told.name]))
            got = told.read().split()
        with open(file.removesuffix(".csv") + ".expected.csv", encoding="utf-8") as expected:
            exact = sorted(got) == sorted(expected.read().split())
        return spent["events"] / spent["cpu_seconds"], exact

    return run


def peer(command):
    """A peer whose last `RESULT` line counts."""

    def run(file):
        results = re.findall(r"^RESULT (.*)$", output("peers", command(file)), re.MULTILINE)
        last = dict(re.findall(r"(\w+)=(\S+)", results[-1]))
        return float(last["ev_per_cpu_s"]), last["alerts"] == "EXACT"

    return run


def floor(peers):
    return peer(lambda file: [os.path.join(peers, "tgt-floor/release/floor"), file, "1", "string"])


def esper(peers, passes):
    return peer(lambda file: ["java", "-Xmx6g", "-cp", path(peers, "esper"), "EsperPeer", file, "3stmt", passes])


def flink(peers):
    opens = [part for package in ("util", "lang", "time") for part in ("--add-opens", f"java.base/java.{package}=ALL-UNNAMED")]
    return peer(lambda file: ["java", "-Xmx6g", *opens, "-cp", path(peers, "flink"), "FlinkPeer", file, "cep", "1", "1"])


def path(peers, name):
    with open(os.path.join(peers, "cp", name + ".txt"), encoding="utf-8") as jars:
        return os.path.join(peers, "build", name) + ":" + jars.read().strip()


def output(whose, command):
    done = subprocess.run(command, env=ENVIRONMENT[whose], capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command[:1])} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout


ENVIRONMENT = {}
PEERS = {
    "floor": floor,
    "esper": lambda peers: esper(peers, "1"),
    "esper-warm": lambda peers: esper(peers, "4"),
    "flink-cep": flink,
}

if __name__ == "__main__":
    main()
