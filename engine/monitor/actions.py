"""What rules do outside the process: HTTP and MQTT, on a thread of their own."""

from __future__ import annotations

import json
import logging
import queue
import threading
import urllib.request
from typing import Any
from urllib.parse import unquote, urlsplit

from ..errors import BackendUnavailable
from ..redaction import redacted
from .rules import Firing, Rule
from .waiting import put_newest

TIMEOUT_S = 5.0
# Messages that may wait for a slow receiver; beyond them the oldest is given up.
QUEUE = 256
MQTT_MISSING = "rules with mqtt need a library: pip install 'fer-edge[mqtt]'"

log = logging.getLogger("fer_edge")


class Actions:
    """Carries out what firings ask for; never makes the caller wait. A context manager.

    Args:
        rules: all that may fire; their addresses are checked for what they need.

    Raises:
        BackendUnavailable: a rule has an MQTT address and the library is not installed.
    """

    def __init__(self, rules: tuple[Rule, ...] = ()) -> None:
        if any(rule.action.mqtt for rule in rules):
            try:
                import paho.mqtt.client as _  # noqa: F401
            except ImportError as missing:
                raise BackendUnavailable(MQTT_MISSING) from missing
        self.failures = 0
        # Both who submits and who delivers count.
        self._counting = threading.Lock()
        self._queue: queue.Queue[tuple[Firing, str] | None] = queue.Queue(QUEUE)
        self._brokers: dict[tuple[str | None, int], Any] = {}
        self._thread = threading.Thread(target=self._run, name="actions", daemon=True)
        self._thread.start()

    def submit(self, firing: Firing, source_name: str) -> None:
        """Take a firing; it is carried out soon."""
        if firing.rule.action.log:
            log.warning("rule %s: %s", firing.rule.name, _text(firing))
        if firing.rule.action.post is None and firing.rule.action.mqtt is None:
            return
        self._failed(put_newest(self._queue, (firing, source_name)))

    def _failed(self, count: int) -> None:
        with self._counting:
            self.failures += count

    def _run(self) -> None:
        while (entry := self._queue.get()) is not None:
            firing, source_name = entry
            body = json.dumps(message(firing, source_name), ensure_ascii=False).encode()
            action = firing.rule.action
            for deliver, address in ((self._post, action.post), (self._publish, action.mqtt)):
                if address is None:
                    continue
                try:
                    deliver(address, body)
                except Exception as error:  # receivers fail in many ways; the next may work
                    self._failed(1)
                    log.warning("rule %s: %s not reached (%s)", firing.rule.name,
                                redacted(address), redacted(str(error)))  # fmt: skip

    def _post(self, address: str, body: bytes) -> None:
        request = urllib.request.Request(
            address, body, {"Content-Type": "application/json"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            answer.read(1024)

    def _publish(self, address: str, body: bytes) -> None:
        parts = urlsplit(address)
        broker = self._broker(parts.hostname, parts.port or 1883, parts.username, parts.password)
        # Sent by the client's own thread, again after a reconnection.
        broker.publish(unquote(parts.path.strip("/")), body, qos=1)

    def _broker(self, host: str | None, port: int, user: str | None, password: str | None) -> Any:
        if (host, port) not in self._brokers:
            from paho.mqtt.client import Client
            from paho.mqtt.enums import CallbackAPIVersion

            client = Client(CallbackAPIVersion.VERSION2)
            client.connect_timeout = TIMEOUT_S
            client.max_queued_messages_set(QUEUE)
            if user:
                client.username_pw_set(unquote(user), unquote(password or ""))
            client.connect_async(host or "localhost", port)
            client.loop_start()
            self._brokers[host, port] = client
        return self._brokers[host, port]

    def close(self) -> None:
        """Carry out what waits, for five seconds at most, and end."""
        try:
            self._queue.put(None, timeout=TIMEOUT_S)
        except queue.Full:
            return
        self._thread.join(TIMEOUT_S)
        for client in self._brokers.values():
            client.disconnect()
            client.loop_stop()

    def __enter__(self) -> Actions:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def message(firing: Firing, source_name: str) -> dict[str, Any]:
    """What receivers and the page are told of a firing."""
    return {
        "rule": firing.rule.name,
        "time": firing.time,
        "source": firing.source,
        "source_name": source_name,
        "face": firing.face,
        "held_s": firing.held_s,
        "text": dict(firing.rule.text),
    }


def _text(firing: Firing) -> str:
    texts = firing.rule.text
    face = f" (source {firing.source}, face {firing.face})" if firing.face is not None else ""
    return (texts.get("en") or next(iter(texts.values()), firing.rule.name)) + face
