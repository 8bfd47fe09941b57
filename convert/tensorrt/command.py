"""From an ONNX file of fer-convert to an engine file."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

from fer_edge.engine.cuda.gpu import GPU, present_gpu
from fer_edge.engine.errors import BackendUnavailable, BadInput
from fer_edge.engine.model import ModelFacts, read_facts
from fer_edge.engine.outputs import PendingFile
from fer_edge.engine.tensorrt.engine_build import engine_bytes
from fer_edge.engine.tensorrt.find import fitted
from fer_edge.engine.tensorrt.libraries import Library, load_library
from fer_edge.engine.tensorrt.options import (
    DEFAULT_BATCH,
    EngineOptions,
    Size,
    parse_batch,
    parse_capabilities,
)

from ..conversion import Step


def engine_options(args: argparse.Namespace) -> EngineOptions:
    """The options out of the command line's, but for the sizes.

    Raises:
        BadInput: a value that cannot be read or used.
    """
    return EngineOptions(
        target=args.target,
        batch=parse_batch(args.batch) if args.batch else DEFAULT_BATCH,
        capabilities=parse_capabilities(args.sm) if args.sm else (),
        workspace_mib=args.workspace,
        timing_cache=args.timing_cache,
        version_compatible=args.version_compatible,
        hardware_compatible=args.hardware_compatible,
    )


@dataclass(frozen=True)
class Job:
    """Builds that can begin.

    Attributes:
        options: what the user chose.
        library: that shall run the engines.
        gpu: the GPU at hand; None where others were named.
    """

    options: EngineOptions
    library: Library
    gpu: GPU | None


def prepare(options: EngineOptions) -> Job:
    """Find the library and the GPUs.

    Raises:
        BackendUnavailable: the library is not installed or does not run on the GPU at hand,
            or there is no GPU and none named.
    """
    library = load_library(options.target)
    if options.capabilities:
        return Job(options, library, None)
    gpu = present_gpu()
    if gpu is None:
        remedy = "name the GPUs to build for, as --sm 75,86,89,120"
        if options.target == "tensorrt":
            remedy = "build on the machine that shall run it, or take --target tensorrt-rtx"
        raise BackendUnavailable(f"no NVIDIA GPU or driver here: {remedy}")
    library.check_gpu(gpu)
    return Job(options, library, gpu)


def build(
    job: Job, onnx: Path, outputs: Mapping[Size | None, Path], step: Step, quiet: bool
) -> None:
    """Build an engine file for each size.

    Args:
        job: see `prepare`.
        onnx: a file of fer-convert.
        outputs: of the engines, by the size of their input; None for the model's own.
        step: shows that something long has begun.
        quiet: whether to say nothing of the outcome.

    Raises:
        BadInput: see `engine_bytes`; or the model does not take one of the sizes.
        OutputNotWritable: an engine cannot be written.
    """
    facts = read_facts(onnx)
    # All sizes are looked at before the first engine is built.
    chosen = [(fitted(replace(job.options, size=size), facts), outputs[size]) for size in outputs]
    for options, output in chosen:
        _build(replace(job, options=options), facts, onnx, output, step, quiet)


def _build(job: Job, facts: ModelFacts, onnx: Path, output: Path, step: Step, quiet: bool) -> None:
    started = perf_counter()
    content, library = onnx.read_bytes(), job.library
    with PendingFile(output) as pending:
        with step(f"building {output.name} with {library.product} {library.version}"):
            about, data = engine_bytes(onnx.name, content, facts, library, job.options, job.gpu)
        with pending.writing(), pending.open("wb") as file:
            file.write(data)
    if not quiet:
        size = "" if about.size is None else f"{about.size[0]}x{about.size[1]}, "
        print(
            f"{output}: {facts.kind}, {size}{about.precision}, for SM "
            f"{', '.join(about.compute_capabilities)}, {len(data) / 1e6:.1f} MB, "
            f"in {perf_counter() - started:.1f} s"
        )


def check_source(onnx: Path, precision: str | None) -> None:
    """Make sure that an ONNX file has the precision that was asked for.

    Raises:
        BadInput: it has another. Precision is in the graph, and a builder cannot change it.
    """
    has = read_facts(onnx).precision
    if precision is not None and precision != has:
        raise BadInput(
            f"{onnx}: is {has}, and --precision {precision} was asked for; convert the original "
            f"with --precision {precision}"
        )
