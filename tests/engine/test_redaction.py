from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.redaction import redacted

SCHEMES = st.sampled_from(["rtsp", "http", "https", "mqtt", "RTSP"])
# Everything that can be typed, spaces apart: they end an address in a text.
TYPED = string.ascii_letters + string.digits + string.punctuation
SECRETS = st.text(TYPED, min_size=6, max_size=20).map(lambda text: f"S3{text}S3")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://me:pa@ss@host/x?a=b@c", "rtsp://host/x?a=b@c"),
        ("http://host/x@y", "http://host/x@y"),
        ("rtsp://me@host:554/live", "rtsp://host:554/live"),
        ("rtsp://me:pa/ss?wo#rd@host/live", "rtsp://host/live"),
        ("rtsp://me:pa@ss/wo@host/live", "rtsp://host/live"),
        ("http://host/live?user=me&password=secret&w=640", "http://host/live?user=...&password=...&w=640"),
        ("talk.mp4", "talk.mp4"),
    ],
)  # fmt: skip
def test_addresses_lose_their_secrets_and_nothing_else(address: str, shown: str) -> None:
    assert redacted(address) == shown


@given(scheme=SCHEMES, user=st.text(string.ascii_letters, max_size=8), secret=SECRETS)
def test_no_password_survives(scheme: str, user: str, secret: str) -> None:
    said = redacted(f"{scheme}://{user}:{secret}@camera.example/live gives no frames")
    assert secret not in said
    assert "camera.example/live gives no frames" in said


@given(secret=st.text(string.ascii_letters + string.digits, min_size=8))
def test_no_secret_parameter_survives(secret: str) -> None:
    for name in ("token", "pwd", "api_key", "Password"):
        said = redacted(f"http://camera.example/live?a=1&{name}={secret}")
        assert secret not in said
        assert said.startswith("http://camera.example/live?a=1&")


@given(st.text(string.ascii_letters + string.digits + " .:/-_@"))
def test_text_without_addresses_stays(text: str) -> None:
    if "://" not in text:
        assert redacted(text) == text
