"""Actions against real receivers."""

from __future__ import annotations

import json
import logging
import queue
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from fer_edge.engine.errors import BackendUnavailable
from fer_edge.engine.monitor.actions import Actions
from fer_edge.engine.monitor.rules import Action, Condition, Firing, Rule

WHEN = Condition(no_face=True)


def firing(**action: object) -> Firing:
    rule = Rule("away", WHEN, text={"en": "Gone."}, action=Action(**action))  # type: ignore[arg-type]
    return Firing(rule, 1_700_000_000, 2, None, 30)


@pytest.fixture
def receiver() -> Iterator[tuple[str, queue.Queue[tuple[str, bytes]]]]:
    got: queue.Queue[tuple[str, bytes]] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.put((self.headers["Content-Type"], body))
            self.send_response(500 if self.path == "/broken" else 204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", got
    server.shutdown()
    server.server_close()


def test_a_firing_is_posted_as_json(
    receiver: tuple[str, queue.Queue[tuple[str, bytes]]],
) -> None:
    address, got = receiver
    with Actions() as actions:
        actions.submit(firing(post=f"{address}/broken"), "demo")
        actions.submit(firing(post=f"{address}/hook"), "demo")
        got.get(timeout=10)
        kind, body = got.get(timeout=10)
    assert kind == "application/json"
    assert json.loads(body) == {
        "rule": "away", "time": 1_700_000_000, "source": 2, "source_name": "demo", "face": None,
        "held_s": 30, "text": {"en": "Gone."},
    }  # fmt: skip
    assert actions.failures == 1


def test_a_receiver_that_does_not_answer_makes_nobody_wait(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://me:secret@127.0.0.1:{silent.getsockname()[1]}/"
        actions = Actions()
        with caplog.at_level(logging.WARNING, "fer_edge"):
            for _ in range(1000):
                actions.submit(firing(post=address, log=False), "demo")
        # All but those that may wait were given up, the oldest first.
        assert actions.failures >= 1000 - 258
    assert "secret" not in caplog.text


def test_the_log_gets_its_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "fer_edge"), Actions() as actions:
        actions.submit(firing(), "demo")
        actions.submit(firing(log=False), "demo")
    assert caplog.text.count("Gone.") == 1


def test_mqtt_without_its_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "paho.mqtt.client", None)
    with pytest.raises(BackendUnavailable, match=r"fer-edge\[mqtt\]"):
        Actions((firing(mqtt="mqtt://broker/topic").rule,))


MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")


@pytest.mark.skipif(MOSQUITTO is None, reason="no MQTT broker: apt-get install mosquitto")
def test_a_firing_is_published_also_when_the_broker_comes_late(tmp_path: Path) -> None:
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    assert MOSQUITTO is not None
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    got: queue.Queue[tuple[str, bytes]] = queue.Queue()
    one = firing(mqtt=f"mqtt://127.0.0.1:{port}/cab/7/notes")
    with Actions((one.rule,)) as actions:
        actions.submit(one, "demo")
        (tmp_path / "broker.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
        command = [MOSQUITTO, "-c", str(tmp_path / "broker.conf")]
        broker = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            listener = Client(CallbackAPIVersion.VERSION2)
            listener.on_message = lambda client, data, message: got.put(
                (message.topic, message.payload)
            )
            for _ in range(200):
                try:
                    listener.connect("127.0.0.1", port)
                    break
                except OSError:
                    time.sleep(0.05)
            listener.subscribe("cab/#", 1)
            listener.loop_start()
            topic, body = got.get(timeout=20)
            listener.loop_stop()
        finally:
            broker.terminate()
            broker.wait(10)
    assert topic == "cab/7/notes"
    assert json.loads(body)["rule"] == "away"
