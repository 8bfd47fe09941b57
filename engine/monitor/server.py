"""The web server: the application behind its guard, on a thread of its own."""

from __future__ import annotations

import socket
import threading
from importlib.metadata import version

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from ..errors import BadInput
from .api import PREFIX, add_api
from .guard import Guard
from .history_api import add_history_api
from .monitor import Monitor
from .options import MonitorOptions
from .pages import add_pages
from .sockets import add_sockets

# Pictures, records and pages of a few people; more is an attack or a mistake.
MAX_CONNECTIONS = 128
# What a viewer sends is a number.
MAX_MESSAGE_BYTES = 1024


def create_app(monitor: Monitor) -> FastAPI:
    """The application without its guard; its description is at `/api/v1/openapi.json`."""
    app = FastAPI(
        title="fer-edge monitor",
        version=version("fer-edge"),
        openapi_url=f"{PREFIX}/openapi.json",
        # Their pages load scripts from other sites.
        docs_url=None,
        redoc_url=None,
    )
    add_api(app, monitor)
    add_history_api(app, monitor.history)
    add_sockets(app, monitor)
    add_pages(app)
    return app


def listen(options: MonitorOptions) -> socket.socket:
    """Open the port.

    Raises:
        BadInput: the address is not of this machine, or the port is taken.
    """
    where = f"{options.host}:{options.port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            options.host, options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(MAX_CONNECTIONS)
        except BaseException:
            listening.close()
            raise
    except OSError as error:
        raise BadInput(
            f"--serve {where}: cannot listen there ({error.strerror}); choose another port"
        ) from error
    return listening


class Server:
    """Serves a monitor until it is closed. A context manager.

    Args:
        monitor: what is served.
        listening: see `listen`; closed together with the server.
    """

    def __init__(self, monitor: Monitor, listening: socket.socket) -> None:
        self.port = int(listening.getsockname()[1])
        self._socket = listening
        guarded: ASGIApp = Guard(create_app(monitor), monitor.options, self.port)
        config = uvicorn.Config(
            guarded,
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws_max_size=MAX_MESSAGE_BYTES,
            # JPEG does not become smaller.
            ws_per_message_deflate=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="server", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])

    def close(self) -> None:
        """End all connections and the thread; may be called twice."""
        self._server.should_exit = True
        self._thread.join(5.0)
        self._socket.close()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
