"""From a model file to the model open, by the plan that is best for it here."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Any

from ..backends import BACKENDS, Backend, choose_backend, open_backend
from ..backends.devices import Device, find_devices
from ..backends.plan import Decision, Plan
from ..cores import cores
from ..engine_file import is_engine
from ..errors import BackendUnavailable, FerError
from ..model import ModelFacts, read_facts, sha256_of
from . import cache
from .candidates import Variant, candidates, find_variants, is_plain, other_threads
from .machine import is_busy, machine
from .measure import Contest
from .options import PlanOptions, may_measure
from .probe import probe_for

# Seconds for trying plans, beyond what opening the plain one takes: 1.5 for a pipeline's two.
_LIMIT_S = {"detector": 1.0, "expression": 0.5}
# Enough for GPUs and NPUs to compile a network, which takes seconds: where it was asked for.
_PATIENT_LIMIT_S = 20.0


def open_model(path: Path, options: PlanOptions | None = None) -> Backend:
    """Open a model by the best plan: the one kept from an earlier run, or measured now.

    The model's `decision` says which and why. Where there is but one way, or `FER_EDGE_MEASURE`
    is `never`, nothing is measured and the first that the options allow is taken. A detector is
    measured at its file's own input size, an expression model with one face.

    Args:
        path: an ONNX or engine file of fer-convert.
        options: what is asked of the plan; by default nothing.

    Raises:
        InputNotFound: no file at `path`.
        BadInput: a file that fer-convert did not write, or that cannot be loaded.
        BackendUnavailable: nothing here does what the options ask for.
    """
    options = options or PlanOptions()
    named = choose_backend(options.backend, path)
    if is_engine(path) or named == "tensorrt":
        model = _on_nvidia(path, named, options)
        if model is not None:
            return model
    facts = read_facts(path)
    variants = find_variants(path, facts)
    if not may_measure() and not options.again:
        return _plain(path, options, variants)
    key = _key(path, variants, options)
    if not options.again:
        model = _remembered(path, _still_good(cache.recall(key)), variants)
        if model is not None:
            return model
    return _measured(path, facts, options, variants, key)


def known_decision(path: Path, options: PlanOptions | None = None) -> Decision | None:
    """The decision kept for a model from an earlier run; None where there is none.

    Raises:
        InputNotFound, BadInput: the model cannot be read.
    """
    if is_engine(path):
        return None
    options = options or PlanOptions()
    return cache.recall(_key(path, find_variants(path, read_facts(path)), options))


def _on_nvidia(path: Path, backend: str, options: PlanOptions) -> Backend | None:
    """The model with TensorRT; None where another device is asked for, which may run it too."""
    if options.device.lower() not in ("auto", "gpu", "cuda"):
        if options.backend == "auto" and not is_engine(path):
            return None
        raise BackendUnavailable(
            f"--device {options.device}: TensorRT runs on NVIDIA GPUs only; leave it out"
        )
    return _opened(path, backend, "as the engine was built")


def _opened(path: Path, how: str | Plan, reason: str) -> Backend:
    model = open_backend(path, how)
    model.decision = Decision(model.plan, reason)
    return model


def _plain(path: Path, options: PlanOptions, variants: Sequence[Variant]) -> Backend:
    """The first plan that the options allow."""
    reason = "the plain plan, not measured"
    if (options.device, options.precision) == ("auto", "auto"):
        backend = choose_backend(options.backend)
        return _opened(path, Plan(backend, "", "fp32", options.threads), reason)
    return _opened(path, candidates(options, devices_here(options.backend), variants)[0], reason)


def _still_good(decision: Decision | None) -> Decision | None:
    """What was measured beside other work holds as long as there is some."""
    return None if decision is not None and decision.busy and not is_busy() else decision


def _remembered(
    path: Path, decision: Decision | None, variants: Sequence[Variant]
) -> Backend | None:
    """The model by a decision of an earlier run; None where it does not work any more."""
    if decision is None or decision.plan.file not in [variant.file for variant in variants]:
        return None
    try:
        model = open_backend(path, decision.plan)
    except FerError:
        return None
    if model.device != decision.plan.device:
        # ONNX Runtime leaves a model to the CPU where CUDA is gone.
        model.close()
        return None
    model.decision = decision
    return model


def _measured(
    path: Path,
    facts: ModelFacts,
    options: PlanOptions,
    variants: Sequence[Variant],
    key: dict[str, Any],
) -> Backend:
    plans = candidates(options, devices_here(options.backend), variants)
    if len(plans) == 1 and not _has_other_threads(plans[0], options):
        return _opened(path, plans[0], "the only way here")
    limit_s = _PATIENT_LIMIT_S if options.again else _LIMIT_S[facts.kind]
    # What was asked for holds until it is asked for again: it may have taken 20 seconds.
    busy = is_busy() and not options.again
    contest = Contest(lambda plan: open_backend(path, plan), probe_for(facts), limit_s)
    with ExitStack() as opened:
        reference = None
        if not is_plain(plans[0], variants):
            reference = opened.enter_context(_plain(path, PlanOptions(), variants))
        contest.begin(plans[0], reference)
    contest.try_all(plans[1:])
    contest.try_all(other_threads(contest.winner().plan, options, cores()))
    model = contest.winner()
    today = date.today().isoformat()
    model.decision = Decision(
        model.plan, trials=tuple(contest.trials), measured_on=today, busy=busy
    )
    cache.keep(key, model.decision)
    return model


def _has_other_threads(plan: Plan, options: PlanOptions) -> bool:
    return cores() > 1 and bool(list(other_threads(plan, options, cores())))


def devices_here(backend: str = "auto") -> tuple[Device, ...]:
    """What the installed libraries find, but for TensorRT; those of one backend, or all."""
    names = [name for name, entry in BACKENDS.items() if entry.installed_version()]
    return find_devices([name for name in names if backend in ("auto", name)])


def _key(path: Path, variants: Sequence[Variant], options: PlanOptions) -> dict[str, Any]:
    """Everything that decides which plan is best, as JSON has it."""
    files = [path.with_name(variant.file) if variant.file else path for variant in variants]
    model, *others = [sha256_of(file) for file in files]
    return {
        "model": model, "variants": others, "options": options.as_json(), "machine": machine(),
    }  # fmt: skip
