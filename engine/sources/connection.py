"""How films and streams are reached and decoded."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Literal, get_args

from ..errors import BadInput

Transport = Literal["tcp", "udp"]
Decoder = Literal["cpu", "auto", "cuda", "qsv", "vaapi"]


@dataclass(frozen=True)
class Connection:
    """How a film or stream is reached and decoded, and a camera reached again.

    Attributes:
        timeout_s: seconds to wait for an answer, and for each next packet.
        rtsp_transport: what carries RTSP: `tcp` loses nothing, `udp` waits for nothing.
        reconnect_s: a camera or stream that fails is opened again after 1, 2, 4 and so on up to so
            many seconds; 0 for never.
        decoder: what decodes films and streams: `cpu`, other hardware by FFmpeg's name, or `auto`,
            the first such hardware that is here and takes the film, or else the CPU.

    Raises:
        BadInput: a value outside its range.
    """

    timeout_s: float = 10.0
    rtsp_transport: Transport = "tcp"
    reconnect_s: float = 30.0
    decoder: Decoder = "cpu"

    def __post_init__(self) -> None:
        if not (isfinite(self.timeout_s) and self.timeout_s > 0):
            raise BadInput(f"timeout {self.timeout_s:g}: give more than 0 seconds")
        if not (isfinite(self.reconnect_s) and self.reconnect_s >= 0):
            raise BadInput(f"reconnect {self.reconnect_s:g}: give 0 seconds or more")
        if self.decoder not in get_args(Decoder):
            raise BadInput(f"no decoder {self.decoder!r}; there are {', '.join(get_args(Decoder))}")
        if self.rtsp_transport not in get_args(Transport):
            raise BadInput(f"RTSP over {self.rtsp_transport!r}: give tcp or udp")


DEFAULT_CONNECTION = Connection()
