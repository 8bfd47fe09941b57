"""What the measurements imply for a GTX 1080 Ti: an estimate by the roofline model.

Williams, Waterman and Patterson, "Roofline", CACM 2009: a network cannot be faster than
its operations over the arithmetic ceiling, nor than its bytes over the memory ceiling.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .operations import ELEMENT_BYTES
from .records import Breakdown, CaseResult, Ceilings, Estimate, Roofline, Work

DEVICE = "GTX 1080 Ti (data sheet: 11.3 TFLOP/s fp32, 484 GB/s)"
DEVICE_FLOP_S = 11.3e12
DEVICE_BYTES_S = 484e9
ASSUMPTIONS = (
    "An estimate, not a measurement. Operations and bytes are counted from the graphs: "
    "convolutions and products, weights read once, inputs and outputs of these operators "
    "read and written once, in the precision named. A network is assumed to come as near to "
    "the roof of the other device, in fp32, as it comes to the roof measured here; a GPU "
    "comes nearer with large batches and less near with small maps, and launch times are "
    "left out. Everything that is no network (preprocessing, suppression, tracking, "
    "bookkeeping) is assumed to take the time it took on this machine's processor; copies "
    "to the device are left out."
)


def roofline(work: Work, precision: str, measured_s: float, ceilings: Ceilings) -> Roofline:
    """One network against the ceilings of this machine and the data sheet of the other.

    Args:
        work: counted in `precision`.
        precision: of the arithmetic measured.
        measured_s: one inference here.
        ceilings: of this machine; without its precision, fp32 is taken.
    """
    product = ceilings.product_flop_s.get(precision, ceilings.product_flop_s["fp32"])
    size = work.weight_bytes + work.activation_bytes
    bound = max(work.flop / product, size / ceilings.copy_bytes_s)
    wide = size * ELEMENT_BYTES["fp32"] / ELEMENT_BYTES[precision]
    other = max(work.flop / DEVICE_FLOP_S, wide / DEVICE_BYTES_S)
    ratio = bound / measured_s
    return Roofline(work.model, work.flop, size, measured_s, bound, ratio, other, other / ratio)


def estimate(
    works: Mapping[str, tuple[Work, str]], results: Sequence[CaseResult], ceilings: Ceilings
) -> Estimate | None:
    """Frames a second on the other device, for every case of one face that was broken down.

    Args:
        works: by stage, with the precision of the arithmetic.
        results: the cases; None comes back where none of them fits.
        ceilings: of this machine.
    """
    rooflines: dict[str, Roofline] = {}
    fps = {}
    for result in results:
        parts = result.breakdown
        if parts is None or result.case.faces != 1 or result.case.streams != 1:
            continue
        networks = other = 0.0
        for stage, (work, precision) in works.items():
            per_call, per_frame = _stage(parts, stage)
            if per_call == 0:
                continue
            line = roofline(work, precision, per_call, ceilings)
            rooflines.setdefault(stage, line)
            networks += per_frame
            other += line.other_estimate_s * per_frame / per_call
        host = parts.elapsed_s / parts.frames - networks
        fps[result.case.title] = 1 / (host + other)
    if not fps:
        return None
    return Estimate(DEVICE, ASSUMPTIONS, list(rooflines.values()), fps)


def _stage(parts: Breakdown, name: str) -> tuple[float, float]:
    """Seconds a call and a frame of a stage; zeros where it did not run."""
    found = [stage for stage in parts.stages if stage.name == name]
    return (found[0].per_call_s, found[0].per_frame_s) if found else (0.0, 0.0)
