"""`fer-run --serve` as a process: it starts, tells systemd, serves, and ends cleanly."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from fer_edge.engine.cli import main
from fer_edge.engine.monitor.history_file import NAME

FER_RUN = [sys.executable, "-m", "fer_edge.engine.cli"]


@contextmanager
def serving(
    data: Path, *words: str, **environment: str
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [*FER_RUN, "--serve", "0", "--data", str(data), *words]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=os.environ | environment
    )
    assert process.stderr is not None
    try:
        line = process.stderr.readline()
        found = re.search(r"http://\S+", line)
        assert found, line + process.stderr.read()
        yield process, found[0]
    finally:
        process.kill()
        process.wait(10)
        process.stderr.close()


def test_systemd_is_told_and_term_ends_it_cleanly(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        with serving(tmp_path, "--source", "demo", NOTIFY_SOCKET=str(tmp_path / "notify")) as (
            process,
            url,
        ):
            told = {manager.recv(100)}
            while len(told) < 2:
                told.add(manager.recv(100))
            assert told == {b"READY=1", b"WATCHDOG=1"}
            with httpx.Client(base_url=url, trust_env=False) as client:
                # The first face is found beside the loop, however long that takes.
                for _ in range(3000):
                    (source,) = client.get("api/v1/sources").json()
                    if source["faces"]:
                        break
                    time.sleep(0.02)
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0
            assert process.stderr is not None
            assert process.stderr.read() == ""
    # The last second is in the history, although it was not over.
    with closing(sqlite3.connect(tmp_path / NAME)) as database:
        assert database.execute("SELECT count(*) FROM seconds").fetchone()[0] >= 1


def test_files_are_whole_when_the_run_ends(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with serving(
        tmp_path, "--source", "demo", "--no-expression", "--max-frames", "40", "--jsonl", str(out)
    ) as (process, _):
        assert process.wait(60) == 0
    assert [json.loads(line)["frame"] for line in out.read_text().splitlines()] == list(range(40))


def test_an_open_address_makes_and_prints_a_token(tmp_path: Path) -> None:
    command = [*FER_RUN, "--serve", "0.0.0.0:0", "--data", str(tmp_path)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        line = process.stderr.readline()
        found = re.search(r"http://[\w.-]+:(\d+)/\?token=([\w-]{32})$", line)
        assert found, line
        with httpx.Client(base_url=f"http://127.0.0.1:{found[1]}", trust_env=False) as client:
            assert client.get("/api/v1/state").status_code == 401
            known = {"Authorization": f"Bearer {found[2]}"}
            assert client.get("/api/v1/state", headers=known).json()["sources"] == []
    finally:
        process.terminate()
        assert process.wait(15) == 0
        process.stderr.close()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--serve", "x"], "give PORT"),
        (["--serve", "0", "--keep", "soon"], "such as 12h"),
        (["--serve", "0", "--token", "short"], "12 characters"),
        (["--serve", "0", "--source", "nothing.mp4"], "nothing.mp4: no such file"),
        (["--serve", "0", "--rules", "nothing.toml"], "shipped rule sets: default, driver"),
        (["--serve", "203.0.113.7:0", "--token", "long-enough-token"], "cannot listen there"),
        (["--serve", "0", "--source", "demo", "--source", "demo", "--jsonl", "x"], "one source"),
        (["--source", "demo", "--source", "demo"], "several sources need --serve"),
    ],
)
def test_mistakes_end_in_one_line(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--data", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_port_that_is_taken_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["--serve", str(port), "--data", str(tmp_path)]) == 2
    assert f"{port}: cannot listen there" in capsys.readouterr().err


def test_without_the_extra_its_name_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [n for n in sys.modules if n.startswith("fer_edge.engine.monitor.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    assert main(["--serve", "0", "--data", str(tmp_path)]) == 2
    assert "fer-edge[monitor]" in capsys.readouterr().err
