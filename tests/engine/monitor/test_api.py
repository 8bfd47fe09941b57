"""The API against its own description, and what it promises beyond that."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from prometheus_client.parser import text_string_to_metric_families
from websockets.sync.client import connect

from fer_edge.engine.monitor.server import create_app

from ..scripted_monitor import Running, running_monitor


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("api")
    (folder / "media").mkdir()
    with running_monitor(folder / "data", media=(folder / "media",)) as one:
        yield one


@pytest.fixture
def client(running: Running) -> Iterator[httpx.Client]:
    with running.client() as one:
        yield one


def until(condition: Callable[[], object]) -> object:
    for _ in range(1000):
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("waited in vain")


def test_every_answer_is_as_described(tmp_path: Path) -> None:
    with running_monitor(tmp_path) as running:
        _fuzz(running)


def _fuzz(running: Running) -> None:
    schema = schemathesis.openapi.from_dict(create_app(running.monitor).openapi())
    operations = [operation.ok() for operation in schema.get_all_operations()]
    assert len(operations) >= 15
    for operation in operations:

        @settings(max_examples=12, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def conforms(case: schemathesis.Case) -> None:
            # Cameras, and addresses in the net, are not for a test to open.
            body = case.body if isinstance(case.body, dict) else {}
            uri = str(body.get("uri", ""))
            if not uri.strip().startswith("camera:") and "://" not in uri:
                case.call_and_validate(base_url=running.url, timeout=10)

        conforms()


def test_a_source_is_added_paused_started_stopped_and_removed(client: httpx.Client) -> None:
    source = client.post("/api/v1/sources", json={"uri": "demo"}).json()
    path = f"/api/v1/sources/{source['source']}"

    def status() -> dict[str, object]:
        return next(
            s for s in client.get("/api/v1/sources").json() if s["source"] == source["source"]
        )  # type: ignore[no-any-return]

    until(lambda: status()["processed"] > 5)  # type: ignore[operator]
    assert client.post(f"{path}/pause").json()["state"] == "paused"
    time.sleep(0.1)
    held = status()["processed"]
    time.sleep(0.2)
    assert status()["processed"] == held
    assert client.post(f"{path}/start").json()["state"] == "running"
    until(lambda: status()["processed"] > held)  # type: ignore[operator]
    assert client.post(f"{path}/stop").json()["state"] == "stopped"
    restarted = client.post(f"{path}/start").json()
    assert restarted["run"] == 1
    until(lambda: status()["state"] == "running")
    assert client.delete(path).status_code == 204
    assert client.delete(path).status_code == 404
    assert client.post(f"{path}/pause").json() == {
        "detail": f"there is no source {source['source']}"
    }


def test_the_picture_is_the_newest_frame_with_its_faces(client: httpx.Client) -> None:
    source = client.post("/api/v1/sources", json={"uri": "demo"}).json()["source"]
    path = f"/api/v1/sources/{source}/picture"
    until(lambda: client.get(path).status_code == 200)
    first = client.get(path)
    assert first.headers["content-type"] == "image/jpeg"
    image = cv2.imdecode(np.frombuffer(first.content, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (480, 640, 3)
    until(lambda: client.get(path).content != first.content)
    client.delete(f"/api/v1/sources/{source}")
    assert client.get(path).status_code == 404


def test_settings_change_in_part_and_check_themselves(
    client: httpx.Client, running: Running
) -> None:
    changed = client.patch("/api/v1/settings", json={"detect_every": 3, "mirror": True}).json()
    expected = {"detect_every": 3, "smooth_s": 0.3, "min_confidence": 0.0, "min_score": 0.5}
    expected |= {"blur": False, "mirror": True, "landmarks": True}
    assert changed == expected
    assert client.patch("/api/v1/settings", json={"detect_every": "auto"}).is_success
    assert running.streams.config.detect_every == "auto"
    assert client.patch("/api/v1/settings", json={"detect_every": 3}).json() == expected
    assert running.streams.config.detect_every == 3
    for wrong in ({"detect_every": 0}, {"min_score": 2}, {"colour": 1}, {"blur": "perhaps"}, []):
        assert client.patch("/api/v1/settings", json=wrong).status_code == 422
    for number in ("NaN", "Infinity", "1e999", "9" * 401):
        body = {"content": f'{{"smooth_s": {number}}}'}
        answer = client.patch(
            "/api/v1/settings", headers={"content-type": "application/json"}, **body
        )
        assert (answer.status_code, answer.json()["detail"][0]["loc"][1]) == (422, "smooth_s")
    assert client.get("/api/v1/settings").json() == changed
    assert not client.patch("/api/v1/settings", json={"landmarks": False}).json()["landmarks"]
    assert not running.monitor.view.dots
    client.patch("/api/v1/settings", json={"detect_every": 10, "mirror": False, "landmarks": True})


def test_where_faces_are_hidden_the_loop_looks_for_them_in_every_frame(
    client: httpx.Client, running: Running
) -> None:
    assert client.patch("/api/v1/settings", json={"blur": True}).json()["blur"]
    assert running.streams.config.blur
    client.patch("/api/v1/settings", json={"blur": False})
    assert not running.streams.config.blur


def test_records_come_over_a_socket_as_in_jsonl(client: httpx.Client, running: Running) -> None:
    address = running.url.replace("http", "ws") + "/api/v1/records"
    with connect(address, proxy=None) as socket:
        source = client.post("/api/v1/sources", json={"uri": "demo"}).json()["source"]
        records = [json.loads(socket.recv(10))]
        while len(records) < 5 or not records[-1]["faces"]:
            records.append(json.loads(socket.recv(10)))
    assert {record["source"] for record in records} == {source}
    assert {record["schema"] for record in records} == {1}
    assert records[-1]["faces"][0]["expression"] == "happy"
    frames = [record["frame"] for record in records]
    assert frames == sorted(set(frames))
    client.delete(f"/api/v1/sources/{source}")


def test_a_clock_that_is_none_ends_no_socket(client: httpx.Client, running: Running) -> None:
    source = client.post("/api/v1/sources", json={"uri": "demo"}).json()["source"]
    address = running.url.replace("http", "ws") + f"/api/v1/sources/{source}/pictures"
    with connect(address, proxy=None) as socket:
        for text in ("9" * 401, "NaN", "-Infinity", "1e999", "true", "{", "[" * 1000, "7"):
            socket.send(text)
        echoes = [None]
        while echoes[-1] is None:
            message = socket.recv(10)
            header = message[4 : 4 + int.from_bytes(message[:4], "big")]
            echoes.append(json.loads(header)["echo"])
    assert echoes[-1] == 7
    client.delete(f"/api/v1/sources/{source}")


def test_metrics_can_be_scraped(client: httpx.Client) -> None:
    source = client.post("/api/v1/sources", json={"uri": "demo"}).json()["source"]

    def processed() -> float:
        families = {f.name: f for f in text_string_to_metric_families(client.get("/metrics").text)}
        values = {
            name: [s.value for s in family.samples if s.labels.get("source") == str(source)]
            for name, family in families.items()
        }
        # Detection runs beside the loop: the first frames have no face yet.
        if values["fer_faces"] != [1.0]:
            return 0.0
        assert values["fer_frame_age_seconds"][0] > 0
        assert values["fer_frames_captured"][0] >= values["fer_frames_processed"][0]
        return values["fer_frames_processed"][0]

    until(lambda: processed() > 12)
    families = {f.name for f in text_string_to_metric_families(client.get("/metrics").text)}
    assert {
        "fer_frames_captured", "fer_frames_processed", "fer_frames_dropped", "fer_fps",
        "fer_detect_seconds", "fer_track_seconds", "fer_frame_age_seconds", "fer_reconnects",
        "fer_faces", "fer_source_up", "fer_viewers",
    } <= families  # fmt: skip
    client.delete(f"/api/v1/sources/{source}")


def test_health_is_that_of_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_monitor(tmp_path) as one, one.client() as client:
        assert client.get("/healthz").json() == {"alive": True}
        one.streams.stop()
        # Its last round may begin while the question is answered.
        monkeypatch.setattr("fer_edge.engine.monitor.monitor.ALIVE_WITHIN_S", -1.0)
        answer = client.get("/healthz")
        assert (answer.status_code, answer.json()) == (503, {"alive": False})


def test_seconds_reach_the_timeline_the_rules_and_the_history(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('[[rule]]\nname = "glad"\nlevel = "high"\nfor_s = 2\ntext = "Glad."\n')
    with running_monitor(tmp_path, rules=str(rules)) as one, one.client() as client:
        source = client.post("/api/v1/sources", json={"uri": "demo"}).json()["source"]
        (message,) = until(lambda: client.get("/api/v1/state").json()["messages"])  # type: ignore[misc]
        assert (message["rule"], message["source_name"], message["face"]) == ("glad", "demo", 1)
        assert message["text"] == {"en": "Glad."}
        seconds = client.get(f"/api/v1/sources/{source}/timeline").json()
        assert len(seconds) >= 2
        assert {face["level"] for second in seconds for face in second["faces"]} == {"high"}
        (day,) = until(lambda: client.get("/api/v1/history/days").json())  # type: ignore[misc]
        shown = client.get("/api/v1/history/day", params={"day": day}).json()
        assert {share["expression"] for share in shown["shares"]} == {"happy"}
        session = shown["sessions"][0]
        assert session["source"] == "demo"
        assert client.get(f"/api/v1/history/sessions/{session['id']}").json()["faces"] == 1

        def exported() -> list[str]:
            span = {"first": day, "last": day}
            return client.get("/api/v1/history/export", params=span).text.splitlines()

        assert exported()[0].startswith("time,session,source,face,frames,expression")
        # The heading and two seconds, as soon as they are written.
        until(lambda: len(exported()) >= 3)


def test_parquet_without_its_library_names_the_extra(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    answer = client.get("/api/v1/history/export?first=2026-01-01&last=2026-01-01&format=parquet")
    assert answer.status_code == 501
    assert "fer-edge[parquet]" in answer.json()["detail"]
