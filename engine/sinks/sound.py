"""The sound of a recording, copied beside the pictures made of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet

from ..ffmpeg import local


class Sound:
    """A sound track, packet by packet.

    Args:
        container: closed by the sound.
        track: one of its own.
        begins_s: the moment of the container's time that is 0 here; what is before is left out.
    """

    def __init__(self, container: InputContainer, track: AudioStream, begins_s: float) -> None:
        self.track = track
        self._container = container
        self._begins_s = begins_s
        self._packets = self._from_beginning()
        self._next: Packet[Any] | None = None

    def until(self, time_s: float) -> Iterator[Packet[Any]]:
        """What begins before a time in seconds and was not given yet."""
        while True:
            packet = self._next or next(self._packets, None)
            self._next = packet
            if packet is None or float((packet.pts or 0) * packet.time_base) >= time_s:
                return
            self._next = None
            yield packet

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._packets = iter(())
        self._container.close()

    def _from_beginning(self) -> Iterator[Packet[Any]]:
        try:
            for packet in self._container.demux(self.track):
                if not packet.size or packet.pts is None or packet.dts is None:
                    continue
                shift = round(self._begins_s / packet.time_base)
                packet.pts -= shift
                packet.dts -= shift
                if packet.pts >= 0:
                    yield packet
        except av.FFmpegError:
            # A sound that breaks off is no reason to lose the pictures.
            return


def open_sound(path: Path, begins_s: float) -> Sound | None:
    """The first sound track of a file; None where there is none that can be read.

    Args:
        path: of the file.
        begins_s: see `Sound`.
    """
    try:
        container = av.open(local(path), "r", metadata_errors="replace")
    except av.FFmpegError:
        return None
    tracks = [track for track in container.streams.audio if track.codec_context is not None]
    if not tracks:
        container.close()
        return None
    return Sound(container, tracks[0], begins_s)
