"""Who may come in, over real connections."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.routing import Mount
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from fer_edge.engine.monitor.guard import MAX_BODY_BYTES, host_of
from fer_edge.engine.monitor.options import is_loopback
from fer_edge.engine.monitor.pictures import MAX_VIEWERS
from fer_edge.engine.monitor.server import create_app

from ..scripted_monitor import Running, running_monitor

TOKEN = "a-token-that-is-long-enough"
ROUTES = [
    *("/", "/history", "/languages", "/static/live.js", "/metrics", "/healthz", "/nothing"),
    *("/api/v1/state", "/api/v1/openapi.json", "/api/v1/history/days"),
    "/api/v1/sources/1/picture",
]


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A monitor with a token."""
    with running_monitor(tmp_path_factory.mktemp("closed"), token=TOKEN) as running:
        yield running


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A monitor on loopback without a token."""
    with running_monitor(tmp_path_factory.mktemp("opened")) as running:
        running.streams.add("demo")
        yield running


def test_the_list_of_routes_is_whole(closed: Running) -> None:
    app = create_app(closed.monitor)
    mounts = {route.path for route in app.routes if isinstance(route, Mount)}
    assert mounts == {"/static"}


@pytest.mark.parametrize("route", ROUTES)
def test_no_route_answers_without_the_token(closed: Running, route: str) -> None:
    with closed.client() as client:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Cookie": "fer_edge=wrong"}):
            for query in ("", "?token=wrong", "?token="):
                answer = client.get(route + query, headers=headers)
                assert answer.status_code == 401
                assert "faces" not in answer.text
        assert client.post(route).status_code == 401


def test_every_described_route_asks_for_the_token(closed: Running) -> None:
    paths = create_app(closed.monitor).openapi()["paths"]
    with closed.client() as client:
        for path, methods in paths.items():
            for method in methods:
                answer = client.request(method, re.sub(r"\{\w+\}", "1", path))
                assert answer.status_code == 401, (method, path)


def test_the_token_opens_as_bearer_query_and_cookie(closed: Running) -> None:
    with closed.client() as client:
        bearer = client.get("/api/v1/state", headers={"Authorization": f"Bearer {TOKEN}"})
        assert bearer.status_code == 200
        first = client.get(f"/?token={TOKEN}")
        assert first.status_code == 200
        cookie = first.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        # The client has the cookie now, as a browser has.
        assert client.get("/api/v1/state").status_code == 200
        assert client.post("/api/v1/sources", json={"uri": "camera:9"}).status_code == 201


def test_a_person_without_the_token_is_asked_for_it(closed: Running) -> None:
    with closed.client() as client:
        answer = client.get("/", headers={"Accept": "text/html"})
    assert answer.status_code == 401
    assert 'name="token"' in answer.text


@pytest.mark.parametrize("path", ["/api/v1/records", "/api/v1/sources/1/pictures"])
def test_sockets_ask_for_the_token_and_the_origin(closed: Running, path: str) -> None:
    address = closed.url.replace("http", "ws") + path
    known = {"Authorization": f"Bearer {TOKEN}"}
    for headers, origin in ((None, None), (known, "http://evil.example"), (known, "null")):
        with pytest.raises(InvalidStatus) as refused:
            connect(address, additional_headers=headers, origin=origin, proxy=None)  # type: ignore[arg-type]
        assert refused.value.response.status_code == 403
    with connect(address, additional_headers=known, origin=closed.url, proxy=None):  # type: ignore[arg-type]
        pass


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_other_sites_change_nothing(opened: Running, headers: dict[str, str]) -> None:
    with opened.client() as client:
        before = client.get("/api/v1/settings").json()
        for method, path in (
            ("PATCH", "settings"),
            ("POST", "sources"),
            ("POST", "sources/1/stop"),
            ("DELETE", "sources/1"),
        ):
            answer = client.request(method, f"/api/v1/{path}", json={"blur": True}, headers=headers)
            assert answer.status_code == 403
        assert client.get("/api/v1/settings").json() == before
        assert client.get("/api/v1/sources").json()[0]["state"] in ("running", "opening")
        allowed = client.get("/api/v1/state", headers=headers)
        assert not [name for name in allowed.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil:80", "10.0.0.1", "[::2]", "[", ""],
)
def test_names_of_other_sites_are_refused_on_loopback(opened: Running, host: str) -> None:
    with opened.client() as client:
        assert client.get("/api/v1/state", headers={"Host": host}).status_code in (400, 421)
        for fine in ("localhost:80", "127.0.0.1", "[::1]:8080"):
            assert client.get("/api/v1/state", headers={"Host": fine}).status_code == 200


@given(st.text(max_size=40))
def test_only_loopback_names_pass_as_loopback(header: str) -> None:
    if is_loopback(host_of(header)):
        assert re.search(r"127\.|localhost|::1|0+1\]", header, re.I)


def test_bodies_and_queries_are_bounded(opened: Running) -> None:
    large = b'{"uri": "' + b"x" * MAX_BODY_BYTES + b'"}'

    def chunks() -> Iterator[bytes]:
        for start in range(0, len(large), 1000):
            yield large[start : start + 1000]

    with opened.client() as client:
        assert client.post("/api/v1/sources", content=large).status_code == 413
        assert client.post("/api/v1/sources", content=chunks()).status_code == 413
        assert client.get("/api/v1/state?" + "x" * 5000).status_code == 414
        assert client.get("/api/v1/state").status_code == 200


def test_pages_may_load_nothing_from_elsewhere(opened: Running) -> None:
    with opened.client() as client:
        for route in ROUTES:
            answer = client.get(route)
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "server" not in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        "/static/../guard.py",
        "/static/%2e%2e/guard.py",
        "/static/..%2fguard.py",
        "/static//etc/passwd",
    ],
)
def test_static_files_are_of_the_page_alone(opened: Running, path: str) -> None:
    host, port = opened.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 5) as raw:
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = raw.makefile("rb").read()
    assert b" 404 " in answer.splitlines()[0]


def test_viewers_are_bounded_and_told_why(opened: Running) -> None:
    address = opened.url.replace("http", "ws") + "/api/v1/records"
    with ExitStack() as viewers:
        for _ in range(MAX_VIEWERS):
            viewers.enter_context(connect(address, proxy=None))
        with opened.client() as client:
            while client.get("/api/v1/state").json()["viewers"] < MAX_VIEWERS:
                pass
        with connect(address, proxy=None) as refused:
            with pytest.raises(ConnectionClosed):
                refused.recv(5)
            assert (refused.close_code, refused.close_reason) == (1013, "too many viewers")
    with opened.client() as client:
        while client.get("/api/v1/state").json()["viewers"]:
            pass


def test_secrets_of_addresses_are_nowhere(opened: Running, tmp_path: Path) -> None:
    uri = "rtsp://admin:hunter2@127.0.0.1:9/live?token=hunter3"
    with opened.client() as client:
        added = client.post("/api/v1/sources", json={"uri": uri}).json()
        said = json.dumps(added)
        while client.get("/api/v1/sources").json()[-1]["state"] == "opening":
            pass
        said += client.get("/api/v1/state").text + client.get("/metrics").text
        client.delete(f"/api/v1/sources/{added['source']}")
    assert "127.0.0.1:9/live" in said
    assert "hunter" not in said
