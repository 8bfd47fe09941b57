"""TensorRT engines as files that say what they are.

An engine alone tells nothing to whoever lacks the library that made it. Ours begins with
8 bytes of magic, the length of the header as a little-endian uint32, and the SHA-256 of all
that follows: the header, one JSON object of `ModelFacts` and `EngineFacts`, and the vendor's
bytes. These are code: the vendor's library gets them only when the SHA-256 is right.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from .errors import BadInput, InputNotFound
from .model import MAX_MODEL_BYTES, ModelFacts

MAGIC = b"FEREDGE\x01"
MAX_HEADER_BYTES = 1 << 20
SCHEMA = 1

Target = Literal["tensorrt", "tensorrt-rtx"]
PRODUCTS: dict[Target, str] = {"tensorrt": "TensorRT", "tensorrt-rtx": "TensorRT-RTX"}


@dataclass(frozen=True)
class EngineFacts:
    """How an engine was built.

    Attributes:
        target: the library that runs it.
        version: of that library, as `1.7.1.116`.
        precision: of weights and arithmetic, as in the ONNX file.
        onnx_name, onnx_sha256: of the ONNX file it was built from.
        compute_capabilities: of the GPUs it was built for, as `8.6`.
        gpu: the GPU it was built on; None where it was built without one.
        batch: least, best and largest batch.
        version_compatible: whether newer minor versions of the library run it.
        hardware_compatible: whether newer GPUs run it (Ampere and later).
        size: (width, height) of the input, where the ONNX file leaves it open; else None.
    """

    target: Target
    version: str
    precision: str
    onnx_name: str
    onnx_sha256: str
    compute_capabilities: tuple[str, ...]
    gpu: str | None
    batch: tuple[int, int, int]
    version_compatible: bool
    hardware_compatible: bool
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.target not in PRODUCTS:
            raise BadInput(f"engine target {self.target!r} is not one of {', '.join(PRODUCTS)}")

    def rebuild_command(self) -> str:
        """The command that builds it anew on the machine it shall run on."""
        command = f"fer-convert {self.onnx_name} --target {self.target}"
        if self.size is not None:
            command += f" --size {self.size[0]}x{self.size[1]}"
        return f"{command} --precision {self.precision}"


@dataclass(frozen=True)
class Engine:
    """An engine file in memory.

    Attributes:
        facts: of the model.
        engine: of the engine.
        payload: the vendor's bytes.
    """

    facts: ModelFacts
    engine: EngineFacts
    payload: bytes


def is_engine(path: Path) -> bool:
    """Whether a file begins as engines do."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def to_bytes(facts: ModelFacts, engine: EngineFacts, payload: bytes) -> bytes:
    """The content of an engine file."""
    header = {
        "schema": SCHEMA,
        "facts": json.loads(facts.to_json()),
        "engine": asdict(engine),
        "payload_bytes": len(payload),
    }
    text = json.dumps(header, sort_keys=True).encode()
    digest = hashlib.sha256(text + payload).digest()
    return MAGIC + len(text).to_bytes(4, "little") + digest + text + payload


def read_engine(path: Path) -> Engine:
    """Read an engine file and check that it is whole.

    Raises:
        InputNotFound: no file at `path`.
        BadInput: not an engine of fer-convert, or damaged.
    """
    if not path.is_file():
        raise InputNotFound(f"{path}: no such engine file")
    if path.stat().st_size > MAX_MODEL_BYTES:
        raise BadInput(f"{path}: larger than 2 GiB; expected an engine of fer-convert")
    header, payload, whole = _parted(path.read_bytes(), path)
    try:
        if header["schema"] != SCHEMA:
            raise BadInput(f"header has schema {header['schema']}, this version reads {SCHEMA}")
        facts = ModelFacts.from_json(json.dumps(header["facts"]), str(path))
        engine = _engine_facts(header["engine"])
        length = int(header["payload_bytes"])
    except (BadInput, KeyError, TypeError, ValueError) as error:
        raise BadInput(f"{path}: unusable header ({error}); build the engine again") from error
    if not whole:
        raise BadInput(
            f"{path}: damaged, or cut off ({len(payload):,} of {length:,} bytes); build it again "
            f"with {engine.rebuild_command()}"
        )
    return Engine(facts, engine, payload)


def _parted(data: bytes, path: Path) -> tuple[dict[str, Any], bytes, bool]:
    """(header, payload, whether the SHA-256 is right)."""
    sizes = len(MAGIC) + 4
    start = sizes + hashlib.sha256().digest_size
    if not data.startswith(MAGIC):
        raise BadInput(f"{path}: not an engine of fer-convert")
    length = int.from_bytes(data[len(MAGIC) : sizes], "little")
    if len(data) < start or length > min(MAX_HEADER_BYTES, len(data) - start):
        raise BadInput(f"{path}: damaged, or cut off in its header; build the engine again")
    try:
        header = json.loads(data[start : start + length])
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path}: its header is damaged; build the engine again") from error
    if not isinstance(header, dict):
        raise BadInput(f"{path}: its header is damaged; build the engine again")
    whole = hashlib.sha256(data[start:]).digest() == data[sizes:start]
    return header, data[start + length :], whole


def _engine_facts(raw: dict[str, Any]) -> EngineFacts:
    low, best, high = raw["batch"]
    capabilities = tuple(str(value) for value in raw["compute_capabilities"])
    size = raw.get("size")
    if size is not None:
        width, height = size
        size = int(width), int(height)
    tuples = {"batch": (low, best, high), "compute_capabilities": capabilities, "size": size}
    return EngineFacts(**{**raw, **tuples})


def check_runs_on(path: Path, engine: EngineFacts, version: str, capability: str) -> None:
    """Make sure that a library and a GPU can run an engine, before they try.

    Args:
        path: of the engine, for the message.
        engine: how it was built.
        version: of the library for its target on this machine.
        capability: of this machine's GPU, as `8.9`.

    Raises:
        BadInput: names both sides and the command that builds it anew.
    """
    same_version = engine.version == version
    if engine.version_compatible:
        same_version = _newer_minor(version, engine.version)
    capable = capability in engine.compute_capabilities
    if engine.hardware_compatible:
        capable = float(capability) >= 8.0
    if same_version and capable:
        return
    product = PRODUCTS[engine.target]
    built_for = ", ".join(engine.compute_capabilities)
    raise BadInput(
        f"{path}: built by {product} {engine.version} for SM {built_for}; this machine has "
        f"{product} {version}, SM {capability}: rebuild with {engine.rebuild_command()}"
    )


def _newer_minor(version: str, built: str) -> bool:
    """Whether a version is of the same major one and not older."""
    ours, theirs = (tuple(int(part) for part in v.split(".")) for v in (version, built))
    return ours[0] == theirs[0] and ours >= theirs
