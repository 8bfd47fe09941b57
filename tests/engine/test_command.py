"""How a command line ends, whatever its streams and signals are."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

import pytest

RUN = [sys.executable, "-m", "fer_edge.engine.cli"]
# nohup and shells in the background ignore signals for whatever they start.
AT_A_TERMINAL = ["env", "--default-signal=INT,TERM,HUP"]
QUICK = ["--detector", "haar", "--no-expression"]
PROGRAMS = ["engine", "convert", "models", "benchmarks"]


def wait_until(happened: Callable[[], bool]) -> None:
    end = monotonic() + 60
    while not happened():
        assert monotonic() < end
        sleep(0.02)


def catches(process: subprocess.Popen[bytes], number: signal.Signals) -> bool:
    """Whether a process has its own handler of a signal by now."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    mask = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(mask, 16) >> (number - 1) & 1)


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_reader_that_has_gone_is_no_error(program: str, unbuffered: str) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", f"fer_edge.{program}.cli", "--help"]
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(
        command, stdout=write, stderr=subprocess.PIPE, env=environment, check=False
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_full_disk_behind_standard_output_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*RUN, "--version"], stdout=full, stderr=subprocess.PIPE, check=False, text=True
        )
    assert done.returncode == 2
    assert done.stderr == "fer-run: error: No space left on device\n"


def test_head_takes_a_line_and_ends_the_run(tmp_path: Path) -> None:
    read, write = os.pipe()
    command = [*RUN, *QUICK, "--jsonl", "-", "--csv", str(tmp_path / "out.csv")]
    process = subprocess.Popen(command, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    with os.fdopen(read) as lines:
        assert json.loads(lines.readline())["frame"] == 0
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert b"error" not in said
    assert (tmp_path / "out.csv").stat().st_size


def test_results_need_no_standard_error(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    command = " ".join([*RUN, *QUICK, "--max-frames", "2", "--jsonl", "-", "2>&-"])
    with out.open("w") as file:
        subprocess.run(["sh", "-c", command], stdout=file, check=True)
    assert [json.loads(line)["frame"] for line in out.read_text().splitlines()] == [0, 1]


def test_closed_standard_output_takes_no_results(tmp_path: Path) -> None:
    command = " ".join([*RUN, *QUICK, "--max-frames", "2", "--jsonl", "-", ">&-"])
    done = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, check=False, text=True)
    assert done.returncode == 2
    assert done.stderr == "fer-run: error: -: cannot be written (Bad file descriptor)\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_early_signal_is_a_quiet_end(number: signal.Signals, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text("from an earlier run")
    words = [*AT_A_TERMINAL, *RUN, *QUICK, "--jsonl", str(out)]
    process = subprocess.Popen(words, stderr=subprocess.PIPE)
    wait_until(lambda: catches(process, signal.SIGHUP))
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert said == b"fer-run: interrupted; nothing was written\n"
    assert out.read_text() == "from an earlier run"
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]


def test_a_closed_terminal_ends_a_run_with_its_results(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    master, slave = pty.openpty()
    process = subprocess.Popen(
        ["setsid", "--ctty", *AT_A_TERMINAL, *RUN, *QUICK, "--realtime", "--jsonl", str(out)],
        stdin=slave, stdout=slave, stderr=slave,
    )  # fmt: skip
    os.close(slave)
    wait_until(lambda: any(p.stat().st_size for p in tmp_path.glob(".out.partial-*")))
    os.close(master)
    assert process.wait(timeout=60) == 0
    assert out.read_text().splitlines()
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]


def test_nohup_is_left_alone(tmp_path: Path) -> None:
    command = ["nohup", *RUN, *QUICK, "--max-frames", "2", "--quiet"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_until(lambda: catches(process, signal.SIGTERM))
    process.send_signal(signal.SIGHUP)
    assert process.communicate(timeout=60) == (b"", b"")
    assert process.returncode == 0


def test_a_fifo_that_nobody_reads_does_not_hold_a_run_for_ever(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    process = subprocess.Popen(
        [*RUN, *QUICK, "--jsonl", str(tmp_path / "out.jsonl"), "--csv", str(fifo)],
        stderr=subprocess.PIPE,
    )
    wait_until(lambda: bool(list(tmp_path.glob(".out.partial-*"))))
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert said == f"fer-run: error: {fifo}: stopped before anybody read it\n".encode()
    assert [path.name for path in tmp_path.iterdir()] == ["fifo"]
