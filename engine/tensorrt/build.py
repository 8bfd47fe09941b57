"""An engine out of a strongly typed ONNX file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from ..errors import BadInput
from ..model import InputFacts, ModelFacts
from ..outputs import write_file
from .libraries import Library
from .log import open_log
from .options import EngineOptions

# Layers whose types decide the speed, by the names of both products.
_HEAVY = ("CONVOLUTION", "DECONVOLUTION", "MATRIX_MULTIPLY")
_TYPES = {"FLOAT": "fp32", "HALF": "fp16", "INT8": "int8"}


def build_engine(onnx: bytes, facts: ModelFacts, library: Library, options: EngineOptions) -> bytes:
    """Build an engine.

    Args:
        onnx: the ONNX file's content.
        facts: of the model in it; an open height and width are fixed to those of `facts.input`.
        library: that shall run the engine.
        options: see `EngineOptions`.

    Returns:
        The vendor's bytes.

    Raises:
        BadInput: the library refuses the network or cannot build it, with its own reason; or
            the network has not the precision that its facts say.
    """
    trt = library.module
    log = open_log(trt)
    builder = trt.Builder(log)
    if builder is None:
        raise BadInput(f"{library.product} cannot start: {log.reason()}")
    network = builder.create_network(library.network_flags())
    parser = trt.OnnxParser(network, log)
    if not parser.parse(onnx):
        reasons = [parser.get_error(i).desc() for i in range(parser.num_errors)]
        reason = reasons[0] if reasons else log.reason()
        raise BadInput(f"{facts.source_name}: {library.product} refuses the network: {reason}")
    if facts.expression is not None and facts.expression.label_output is not None:
        _leave_out(network, facts.expression.label_output)
    if library.strongly_typed:
        check_precision(network_precision(network), facts.precision, facts.source_name)
    _fix_size(network.get_input(0), facts.input)
    config = builder.create_builder_config()
    _configure(builder, network, config, facts, library, options)
    cache = _load_timing_cache(config, options.timing_cache)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise BadInput(f"{facts.source_name}: {library.product} builds no engine: {log.reason()}")
    if cache is not None and options.timing_cache is not None:
        write_file(options.timing_cache, bytes(cache.serialize()))
    return bytes(engine)


def _leave_out(network: Any, output: str) -> None:
    """Take an output, and what only it needs, off a parsed network."""
    for value in [network.get_output(index) for index in range(network.num_outputs)]:
        if value.name == output:
            network.unmark_output(value)


def network_precision(network: Any) -> dict[str, int]:
    """How many heavy layers of a parsed network compute in each precision."""
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    dequantised = {layer.get_output(0).name for layer in layers if layer.type.name == "DEQUANTIZE"}
    inputs = [layer.get_input(0) for layer in layers if layer.type.name in _HEAVY]
    kinds = ["INT8" if value.name in dequantised else value.dtype.name for value in inputs]
    return {_TYPES.get(name, name.lower()): count for name, count in Counter(kinds).items()}


def check_precision(found: dict[str, int], wanted: str, name: str) -> None:
    """Make sure that nothing fell back. A network in int8 may keep layers in half.

    Raises:
        BadInput: some heavy layer computes in another precision.
    """
    allowed = {"int8", "fp16"} if wanted == "int8" else {wanted}
    if set(found) - allowed or (wanted == "int8" and "int8" not in found):
        counts = ", ".join(f"{count} in {kind}" for kind, count in sorted(found.items()))
        raise BadInput(f"{name}: asked for {wanted}, but its heavy layers compute {counts}")


def _configure(
    builder: Any,
    network: Any,
    config: Any,
    facts: ModelFacts,
    library: Library,
    options: EngineOptions,
) -> None:
    trt = library.module
    library.set_types(config, facts.precision)
    library.set_capabilities(config, options.capabilities)
    # Detailed, so that an inspector can tell what every layer became.
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    if options.workspace_mib is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_mib << 20)
    if options.version_compatible:
        config.set_flag(trt.BuilderFlag.VERSION_COMPATIBLE)
    if options.hardware_compatible:
        config.hardware_compatibility_level = trt.HardwareCompatibilityLevel.AMPERE_PLUS
    image = network.get_input(0)
    batch, *rest = tuple(image.shape)
    if batch == -1:
        profile = builder.create_optimization_profile()
        profile.set_shape(image.name, *((size, *rest) for size in options.batch))
        config.add_optimization_profile(profile)


def _fix_size(image: Any, see: InputFacts) -> None:
    """Close the axes that a network leaves open, all but the batch."""
    batch, *rest = tuple(image.shape)
    if -1 in rest:
        image.shape = (batch, see.channels, see.height, see.width)


def _load_timing_cache(config: Any, path: Path | None) -> Any:
    if path is None:
        return None
    cache = config.create_timing_cache(path.read_bytes() if path.is_file() else b"")
    if cache is None or not config.set_timing_cache(cache, False):
        raise BadInput(f"{path}: a timing cache of another TensorRT or GPU; remove it")
    return cache
