"""No library looks up a host or writes beside the cache when a model runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys

def watch(event, args):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.connect"):
        print(event, args)

sys.addaudithook(watch)
from fer_edge.engine.cli import main
sys.exit(main(["--max-frames", "2", "--quiet", "--measure"]))
"""


def test_a_run_asks_no_host_and_writes_to_its_cache_only(tmp_path: Path) -> None:
    known = {key: value for key, value in os.environ.items() if not key.startswith("XDG_")}
    known |= {"HOME": str(tmp_path), "FER_EDGE_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=known, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    written = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.parts[0] for path in written} == {"cache"}
