"""Who may come in: token, host and origin of every request and socket, and its size.

The monitor shows faces and controls cameras. Against other machines it asks for a token;
against pages of other sites in the user's own browser it checks `Host` (DNS rebinding) and
`Origin` (cross-site requests); no CORS header is ever sent.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .options import MonitorOptions, is_loopback
from .pages import LOGIN

MAX_BODY_BYTES = 16_384
MAX_QUERY_BYTES = 4_096
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


class Guard:
    """ASGI middleware around the whole application: what it refuses reaches no route."""

    def __init__(self, app: ASGIApp, options: MonitorOptions, port: int) -> None:
        self._app = app
        self._token = options.token
        self._loopback = options.loopback
        self._cookie = f"fer_edge_{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await _refuse(refusal, scope, receive, send)
            return
        if scope["type"] == "http":
            # Chunked bodies have no length in their header.
            body = await _body(receive)
            if body is None:
                await _refuse(_too_large(), scope, receive, send)
                return
            await self._app(scope, _replayed(body, receive), self._decorated(scope, send))
        else:
            await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if self._loopback and not is_loopback(host_of(headers.get("host", ""))):
            return PlainTextResponse("this name is not of the monitor", 421)
        if not self._same_origin(scope, headers):
            return PlainTextResponse("other sites may not use the monitor", 403)
        if len(scope.get("query_string", b"")) > MAX_QUERY_BYTES:
            return PlainTextResponse("the query is too long", 414)
        if int_of(headers.get("content-length")) > MAX_BODY_BYTES:
            return _too_large()
        if not self._knows_token(scope, headers):
            if "text/html" in headers.get("accept", "") and scope["type"] == "http":
                return FileResponse(LOGIN, 401)
            return PlainTextResponse(
                "a token is needed", 401, {"WWW-Authenticate": 'Bearer realm="fer-edge"'}
            )
        return None

    def _same_origin(self, scope: Scope, headers: Headers) -> bool:
        """Browsers name the origin of every socket and every changing request."""
        if scope["type"] == "http" and scope["method"] in SAFE_METHODS:
            return True
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return False
        origin = headers.get("origin")
        return origin is None or _place(origin) == headers.get("host")

    def _knows_token(self, scope: Scope, headers: Headers) -> bool:
        if self._token is None:
            return True
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        given = [
            bearer if scheme.lower() == "bearer" else "",
            _cookies(headers).get(self._cookie, ""),
            _query_token(scope),
        ]
        token = self._token.encode()
        # In constant time: how much of a guess is right must not be measurable.
        return any(hmac.compare_digest(candidate.encode(), token) for candidate in given)

    def _decorated(self, scope: Scope, send: Send) -> Send:
        asks_for_cookie = self._token is not None and bool(_query_token(scope))

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                if asks_for_cookie:
                    headers.append(
                        "Set-Cookie",
                        f"{self._cookie}={self._token}; Path=/; HttpOnly; SameSite=Strict",
                    )
            await send(message)

        return sending


async def _body(receive: Receive) -> bytes | None:
    """The whole body, which is small; None where it is larger than allowed."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return bytes(body)
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Gives the body that was read already, and then what comes."""
    pending = [body]

    async def receiving() -> Message:
        if pending:
            return {"type": "http.request", "body": pending.pop(), "more_body": False}
        return await receive()

    return receiving


def _too_large() -> Response:
    return PlainTextResponse(f"the body is larger than {MAX_BODY_BYTES} bytes", 413)


async def _refuse(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    response.headers.update(SECURITY_HEADERS)
    if scope["type"] == "http":
        await response(scope, receive, send)
    else:
        # Before it is accepted, a socket that is closed is answered with 403.
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": "refused"})


def host_of(header: str) -> str:
    """The host of a `Host` header, without its port."""
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


def int_of(text: str | None) -> int:
    """A length in a header; 0 where there is none or nonsense."""
    return int(text) if text is not None and text.isdecimal() else 0


def _place(origin: str) -> str | None:
    """Host and port of an origin; None for what is none."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def _cookies(headers: Headers) -> Mapping[str, str]:
    try:
        found = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in found.items()}


def _query_token(scope: Scope) -> str:
    query = scope.get("query_string", b"").decode("latin-1")
    return parse_qs(query[:MAX_QUERY_BYTES]).get("token", [""])[0]
