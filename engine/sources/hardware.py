"""Films opened for decoding by other hardware than the CPU."""

from __future__ import annotations

from typing import Any

import av
from av.codec.hwaccel import HWAccel, hwdevices_available
from av.container import InputContainer

from ..errors import BadInput
from .connection import Decoder

# In the order in which `auto` tries them.
KINDS: tuple[Decoder, ...] = ("cuda", "qsv", "vaapi")


def opened_for(decoder: Decoder, name: str, file: str, **options: Any) -> InputContainer:
    """Open a container whose film a decoder takes; pictures come back into main memory.

    Args:
        decoder: see `Connection`.
        name: for people.
        file, options: of `av.open`.

    Raises:
        av.FFmpegError: the container cannot be opened.
        BadInput: the decoder is not here, or does not take this film.
    """
    # Whatever cannot be opened is not the decoder's fault.
    container = av.open(file, "r", **options)
    for kind in KINDS if decoder == "auto" else (decoder,):
        if kind != "cpu" and _takes(kind, container):
            container.close()
            return av.open(file, "r", hwaccel=HWAccel(kind), **options)
    if decoder in KINDS:
        container.close()
        raise BadInput(
            f"{name}: --decoder {decoder} cannot be used here (no such hardware or driver, or its "
            "codec is none of theirs); leave it out"
        )
    return container


def _takes(kind: Decoder, container: InputContainer) -> bool:
    """Whether a kind of hardware is here and decodes all video streams of a container."""
    contexts = [stream.codec_context for stream in container.streams.video]
    if kind not in hwdevices_available() or None in contexts:
        return False
    try:
        for context in contexts:
            HWAccel(kind, allow_software_fallback=False).create(context.codec)
    except (av.FFmpegError, NotImplementedError, RuntimeError):
        return False
    return bool(contexts)
