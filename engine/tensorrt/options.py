"""What a user may choose about an engine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..engine_file import PRODUCTS, Target
from ..errors import BadInput
from ..input_size import parse_size

Size = tuple[int, int]
"""(width, height) of a network's input, in pixels."""
DEFAULT_BATCH = (1, 4, 16)
MAX_BATCH = 256


@dataclass(frozen=True)
class EngineOptions:
    """Options of a build.

    Attributes:
        target: the library that shall run the engine.
        batch: least, best and largest batch of a model whose batch is open.
        capabilities: compute capabilities to build for, as `8.6`; empty for the GPU at hand.
            Only TensorRT-RTX builds for others.
        size: (width, height) in pixels of the input, of a model that leaves it open; None for
            the model's own.
        workspace_mib: most memory a layer may use while it runs; None for the library's own
            limit.
        timing_cache: file in which measured layers are kept between builds; TensorRT only.
        version_compatible: whether newer minor versions, and the lean runtime, shall run it.
        hardware_compatible: whether newer GPUs shall run it; TensorRT only.

    Raises:
        BadInput: a value outside its range, or one that the target does not have.
    """

    target: Target
    batch: tuple[int, int, int] = DEFAULT_BATCH
    capabilities: tuple[str, ...] = ()
    size: Size | None = None
    workspace_mib: int | None = None
    timing_cache: Path | None = None
    version_compatible: bool = False
    hardware_compatible: bool = False

    def __post_init__(self) -> None:
        low, best, high = self.batch
        if not 1 <= low <= best <= high <= MAX_BATCH:
            raise BadInput(
                f"batch {low}:{best}:{high}: give it as MIN:OPT:MAX, rising, 1 to {MAX_BATCH}"
            )
        if self.workspace_mib is not None and not 1 <= self.workspace_mib <= 1 << 20:
            raise BadInput(f"workspace {self.workspace_mib} MiB: take 1 to 1048576")
        rtx = self.target == "tensorrt-rtx"
        unfit = {
            "--sm": bool(self.capabilities) and not rtx,
            "--timing-cache": self.timing_cache is not None and rtx,
            "--hardware-compatible": self.hardware_compatible and rtx,
            "--version-compatible": self.version_compatible and rtx,
        }
        for name, wrong in unfit.items():
            if wrong:
                raise BadInput(f"{PRODUCTS[self.target]} has no {name}; leave it out")


def parse_batch(text: str) -> tuple[int, int, int]:
    """MIN:OPT:MAX, or one number for all three.

    Raises:
        BadInput: neither.
    """
    try:
        numbers = [int(part) for part in text.split(":")]
    except ValueError as error:
        raise BadInput(f"batch {text!r}: give it as MIN:OPT:MAX, as 1:4:16") from error
    if len(numbers) == 1:
        numbers *= 3
    if len(numbers) != 3:
        raise BadInput(f"batch {text!r}: give it as MIN:OPT:MAX, as 1:4:16")
    return numbers[0], numbers[1], numbers[2]


def parse_sizes(text: str) -> tuple[Size, ...]:
    """Sizes from `320x256,640x480`.

    Raises:
        BadInput: something else.
    """
    return tuple(dict.fromkeys(parse_size(part) for part in text.split(",")))


def parse_capabilities(text: str) -> tuple[str, ...]:
    """Compute capabilities from `75,86,120` or `7.5,8.6,12.0`.

    Raises:
        BadInput: something else.
    """
    found = []
    for part in text.split(","):
        digits = part.strip().replace(".", "")
        if not digits.isdecimal() or not 2 <= len(digits) <= 3:
            raise BadInput(f"--sm {text!r}: give compute capabilities, as 75,86,120")
        found.append(f"{digits[:-1]}.{digits[-1]}")
    return tuple(dict.fromkeys(found))
