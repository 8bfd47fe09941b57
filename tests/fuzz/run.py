"""Reads damaged files until something else than a `FerError` of one line comes of it.

    python -m tests.fuzz.run films --count 20000 --seed 1

Each file is read in a process that may crash or hang; one that does is started anew behind the
file, which is kept in `--keep`. Exit status 1 when there were any. What it finds depends on the
seed and the count alone.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

from fer_edge.engine.errors import FerError

from .mutations import mutated
from .targets import FAULTY, TARGETS

# Of one file. The machine may be busy; a hang lasts for ever.
LIMIT_S = 60


def main(words: list[str] | None = None) -> int:
    """Run a target; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", choices=sorted({**TARGETS, **FAULTY}))
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-found"))
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args(words)
    if args.work:
        return work(args)
    found = list(watch(args))
    for line in found:
        print(line)
    print(f"{args.target}: {args.count} files, {len(found)} faults")
    return 1 if found else 0


def watch(args: argparse.Namespace) -> Iterator[str]:
    """Run worker after worker, and tell what became of each that did not end well."""
    first = 0
    with tempfile.TemporaryDirectory() as folder:
        while first < args.count:
            words = [sys.executable, "-m", "tests.fuzz.run", args.target, "--work", folder]
            words += ["--count", str(args.count), "--seed", str(args.seed), "--first", str(first)]
            # Threads that wait for one another are no faster on many files.
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            done = subprocess.run(
                words, env=environment, capture_output=True, text=True, check=False
            )
            state = Path(folder) / "state"
            at = int(state.read_text()) if state.exists() else first
            if done.returncode == 0:
                return
            yield f"{args.target} {at}: {_what(done)}"
            args.keep.mkdir(parents=True, exist_ok=True)
            for path in Path(folder).glob("case*"):
                path.replace(args.keep / f"{args.target}-{args.seed}-{at}{path.suffix}")
            first = at + 1


def _what(done: subprocess.CompletedProcess[str]) -> str:
    said = done.stderr.strip().splitlines()
    if done.returncode == -signal.SIGALRM:
        return f"hangs for {LIMIT_S} s"
    if done.returncode < 0:
        return f"dies of {signal.Signals(-done.returncode).name}"
    return said[-1] if said else f"ends with {done.returncode}"


def work(args: argparse.Namespace) -> int:
    """Read files in this process; dies, hangs or returns 1 at the first fault."""
    logging.disable(logging.CRITICAL)
    target = {**TARGETS, **FAULTY}[args.target]
    seeds_folder = args.work / "seeds"
    if not seeds_folder.exists():
        seeds_folder.mkdir()
        target.seeds(seeds_folder)
    seeds = [(path.suffix, path.read_bytes()) for path in sorted(seeds_folder.iterdir())]
    for at in range(args.first, args.count):
        rng = random.Random(f"{args.target} {args.seed} {at}")
        suffix, data = rng.choice(seeds)
        path = args.work / f"case{suffix}"
        path.write_bytes(mutated(data, rng, rng.choice(seeds)[1]))
        (args.work / "state").write_text(str(at))
        signal.alarm(LIMIT_S)
        try:
            target.read(path)
        except FerError as error:
            if "\n" in str(error) or not str(error):
                print(f"an error of several lines: {error!r}", file=sys.stderr)
                return 1
        except Exception as error:
            traceback.print_exc()
            print(f"{type(error).__name__}: {error}".splitlines()[0][:300], file=sys.stderr)
            return 1
        signal.alarm(0)
        path.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
