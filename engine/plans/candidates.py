"""What could run a model here: a pure function of options, devices and files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..backends.devices import AUTO, Device
from ..backends.plan import Plan
from ..errors import BackendUnavailable, BadInput
from ..model import ModelFacts, read_facts
from .options import PRECISIONS, PlanOptions

# The cheapest to try first: in which a device is opened soonest.
_ORDER = ("CPU", "CUDA", "GPU", "NPU")
# What promises most first; the plain one is ahead of all.
_PROMISE = ("int8", "bf16", "fp16", "fp32")


@dataclass(frozen=True)
class Variant:
    """A file with the same network.

    Attributes:
        file: its name; empty for the one that was asked for.
        precision: that it says it has.
    """

    file: str
    precision: str


def find_variants(path: Path, facts: ModelFacts) -> tuple[Variant, ...]:
    """A model's file and those of the same network in other precisions beside it.

    `face.int8.onnx` and `face.fp16.onnx` are those of `face.onnx`. They have to be made from the
    same original, and to take and give the same.

    Raises:
        InputNotFound, BadInput: the model itself cannot be read.
    """
    found = [Variant("", facts.precision)]
    for precision in PRECISIONS:
        beside = path.with_name(f"{path.stem}.{precision}{path.suffix}")
        if beside == path or not beside.is_file():
            continue
        try:
            other = read_facts(beside)
        except (BadInput, OSError):
            continue
        if replace(other, precision=facts.precision, converter=facts.converter) == facts:
            found.append(Variant(beside.name, other.precision))
    return tuple(found)


def candidates(
    options: PlanOptions, devices: Sequence[Device], variants: Sequence[Variant]
) -> tuple[Plan, ...]:
    """The plans to try, in the order in which to try them.

    Args:
        options: what is asked of a plan.
        devices: of all libraries.
        variants: the model's file first.

    Returns:
        at least one; the first is the plain one where the options allow it.

    Raises:
        BackendUnavailable: nothing here does what the options ask for.
    """
    able = [device for device in devices if options.backend in ("auto", device.backend)]
    chosen = [device for device in able if _is_asked_for(device, options.device)]
    if options.backend == "onnxruntime":
        # Who installs it for CUDA and names it wants no other device, though it opens slowly.
        chosen = [device for device in chosen if device.name == "CUDA"] or chosen
    if not chosen:
        raise BackendUnavailable(_no_device(options, able))
    plans = [
        Plan(device.backend, device.name, precision, _threads(device, options), variant.file)
        for variant in variants
        for device in chosen
        for precision in _precisions(device, variant)
    ]
    wanted = [plan for plan in plans if _is_precise(plan, options.precision, variants)]
    if not wanted:
        raise BackendUnavailable(_no_precision(options, chosen, variants))
    return tuple(sorted(wanted, key=lambda plan: _rank(plan, variants)))


def other_threads(plan: Plan, options: PlanOptions, cores: int) -> Iterator[Plan]:
    """The same plan with as few and with as many threads as there can be.

    Args:
        plan: as it ran.
        options: what is asked of a plan.
        cores: logical ones, that this process may use.
    """
    if plan.device != "CPU" or options.threads:
        return
    for threads in sorted({1, cores} - {plan.threads}):
        yield replace(plan, threads=threads)


def is_plain(plan: Plan, variants: Sequence[Variant]) -> bool:
    """Whether others can be held to its answers: the CPU's, of the model's own file.

    Files with fp16 weights are computed in fp32 by OpenVINO and, for the most part, by ONNX
    Runtime, which calls it fp16.
    """
    own = variants[0].precision
    plain = own if own == "int8" or plan.backend == "onnxruntime" else "fp32"
    return plan.device == "CPU" and not plan.file and plan.precision == plain


def _is_precise(plan: Plan, precision: str, variants: Sequence[Variant]) -> bool:
    """Whether a plan has the precision asked for; fp32 asks for the plain ones."""
    if precision in ("auto", plan.precision):
        return True
    return precision == "fp32" and plan.precision != "int8" and is_plain(plan, variants)


def _is_asked_for(device: Device, wanted: str) -> bool:
    if AUTO in (device.name, wanted):
        return device.name == wanted
    name = wanted.upper()
    if name == "AUTO":
        return True
    return name in (device.name, device.name.partition(".")[0]) or (name, device.name) == (
        "GPU",
        "CUDA",
    )


def _precisions(device: Device, variant: Variant) -> tuple[str, ...]:
    """In which a device can compute a file."""
    if variant.precision == "int8":
        return ("int8",) if "int8" in device.precisions else ()
    if device.backend == "onnxruntime":
        # It computes in what the file holds.
        return (variant.precision,)
    if variant.file:
        # Of the same network, the plain file serves for all of these.
        return ()
    if device.name == AUTO:
        return ("fp32",)
    return tuple(name for name in device.precisions if name != "int8")


def _threads(device: Device, options: PlanOptions) -> int:
    return options.threads if device.name == "CPU" else 0


def _rank(plan: Plan, variants: Sequence[Variant]) -> tuple[object, ...]:
    """Sorts plans: the plain ones first, then by the time it takes to try them, and by promise."""
    family = plan.device.partition(".")[0]
    return (
        _ORDER.index(family) if family in _ORDER else len(_ORDER),
        not is_plain(plan, variants),
        _PROMISE.index(plan.precision) if not is_plain(plan, variants) else 0,
        plan.backend != "openvino",
    )


def _no_device(options: PlanOptions, able: Sequence[Device]) -> str:
    if not able:
        return "no inference backend is installed: pip install openvino"
    names = ", ".join(["auto", *sorted({device.name for device in able})])
    there = "; ".join(
        f"{device.backend} {device.describe()}" for device in able if device.name != AUTO
    )
    return f"--device {options.device}: there is none here; give one of {names}: {there}"


def _no_precision(
    options: PlanOptions, chosen: Sequence[Device], variants: Sequence[Variant]
) -> str:
    if options.precision == "int8":
        return (
            "--precision int8: there is no int8 file beside the model, NAME.int8.onnx for "
            "NAME.onnx; make one with fer-convert --precision int8"
        )
    have = sorted({name for device in chosen for v in variants for name in _precisions(device, v)})
    return f"--precision {options.precision}: this machine has {', '.join(have)} for this model"
