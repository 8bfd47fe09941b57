"""What a box is set up with: the unit, the containers' commands, the health check."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from fer_edge.engine.cli import build_parser
from fer_edge.engine.monitor import monitor
from fer_edge.engine.monitor.healthcheck import is_well
from fer_edge.engine.monitor.serve import options_from

from ..scripted_monitor import running_monitor

DEPLOY = Path(monitor.__file__).with_name("deploy")
UNIT = (DEPLOY / "fer-edge.service").read_text()
TOKEN = "a-token-that-is-long-enough"


def commands() -> list[list[str]]:
    found = [shlex.split(re.findall(r"^ExecStart=(.*)$", UNIT, re.M)[0])]
    for path in DEPLOY.glob("Dockerfile*"):
        found += map(json.loads, re.findall(r"^ENTRYPOINT (.*)$", path.read_text(), re.M))
    return found


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_commands_are_understood(command: list[str]) -> None:
    assert Path(command[0]).name == "fer-run"
    args = build_parser().parse_args(command[1:])
    options = options_from(args)
    assert options.port == 8080
    assert options.loopback or options.token


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
def test_systemd_finds_no_mistake_in_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "fer-edge.service"
    # It wants to see the program, which is not installed there.
    unit.write_text(re.sub(r"ExecStart=\S+", "ExecStart=/bin/true", UNIT))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    assert "fer-edge.service" not in done.stderr
    assert done.returncode == 0


def test_the_health_check_asks_a_real_monitor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_monitor(tmp_path, token=TOKEN) as running:
        port = int(running.url.rsplit(":", 1)[1])
        assert is_well(port)
        monkeypatch.setenv("FER_EDGE_TOKEN", TOKEN)
        assert is_well(port)
        monkeypatch.setattr("fer_edge.engine.monitor.monitor.ALIVE_WITHIN_S", 0.0)
        assert not is_well(port)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert not is_well(port)
