"""The direction of imports, and what a bare install may import."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import REPOSITORY

PARTS = ("engine", "convert", "models", "benchmarks")
# A part may import those after it in its own row, and nothing else of ours.
MAY_IMPORT = {
    "engine": set(),
    "convert": {"engine"},
    "models": {"engine", "convert"},
    "benchmarks": {"engine", "convert", "models"},
}
# Inside the engine: a module may only import from layers below its own.
LAYERS = [
    {"errors", "head_pose", "console", "signals", "git_lfs"},
    {"misnamed"},
    {"types", "model", "timing", "places", "redaction", "command", "ffmpeg"},
    {"tolerances", "folders", "cores", "outputs"},
    {"engine_file", "tracing"},
    {"gray"},
    {
        "geometry",
        "input_size",
        "whole_picture",
        "preprocess",
        "crops",
        "draw",
        "progress",
        "scheduler",
        "smoothing",
        "certainty",
        "cuts",
    },
    {"cuda"},
    {"tensorrt"},
    {"backends", "sources", "tracking", "sinks"},
    {"plans"},
    {"detector", "classifier", "background", "haar", "expressions"},
    {"gpu", "second_look"},
    {"config"},
    {"lane", "shared_detector", "stages"},
    {"pipeline", "stream"},
    {"streams"},
    {"monitor", "batch"},
    {"run"},
    {"cli"},
]
HEAVY = {"tensorflow", "tf_keras", "keras", "tf2onnx", "onnx", "onnx_ir", "torch", "jax", "h5py"}


def modules(part: str) -> list[Path]:
    return sorted((REPOSITORY / part).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Absolute dotted names of what a module of ours imports, anywhere in it."""
    package = ["fer_edge", *path.relative_to(REPOSITORY).parent.parts]
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            names |= {origin} | (
                {f"{origin}.{a.name}" for a in node.names} if not node.module else set()
            )
    return names


@pytest.mark.parametrize("part", PARTS)
def test_parts_import_only_what_lies_below_them(part: str) -> None:
    for path in modules(part):
        for name in imported(path):
            if name.startswith("fer_edge."):
                other = name.split(".")[1]
                assert other == part or other in MAY_IMPORT[part], f"{path} imports {name}"


def test_the_engine_imports_downwards() -> None:
    level = {name: depth for depth, layer in enumerate(LAYERS) for name in layer}
    for path in modules("engine"):
        own = path.relative_to(REPOSITORY / "engine").parts[0].removesuffix(".py")
        if own == "__init__":
            continue
        for name in imported(path):
            parts = name.split(".")
            if parts[:2] == ["fer_edge", "engine"] and len(parts) > 2 and parts[2] != own:
                assert level[parts[2]] < level[own], f"{path} imports {name}"


def test_the_engine_needs_nothing_of_the_converter() -> None:
    for path in modules("engine"):
        assert not {name.split(".")[0] for name in imported(path)} & HEAVY, path


def loaded_after(code: str) -> set[str]:
    script = f"{code}\nimport sys; print('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return {name.split(".")[0] for name in done.stdout.split()}


def test_help_imports_no_library() -> None:
    code = "from fer_edge.engine.cli import main, build_parser; build_parser().format_help()"
    assert not loaded_after(code) & (HEAVY | {"numpy", "cv2", "lap", "openvino", "rich"})


def test_the_benchmarks_help_imports_no_library() -> None:
    code = "from fer_edge.benchmarks.cli import build_parser; build_parser().format_help()"
    assert not loaded_after(code) & (HEAVY | {"numpy", "cv2", "openvino", "rich", "matplotlib"})


def test_no_benchmark_hides_a_module_of_python() -> None:
    # `python benchmarks/script.py` looks for modules there first.
    names = {path.stem for path in (REPOSITORY / "benchmarks").glob("*.py")} - {"__init__"}
    assert not names & sys.stdlib_module_names


def test_a_run_never_imports_tensorflow() -> None:
    code = (
        "from fer_edge.engine.cli import main\nassert main(['--max-frames', '3', '--quiet']) == 0"
    )
    loaded = loaded_after(code)
    assert "cv2" in loaded
    assert not loaded & HEAVY


def test_a_benchmark_without_baseline_never_imports_tensorflow() -> None:
    code = (
        "from fer_edge.benchmarks.cli import main\n"
        "assert main(['detect', '--size', '160x120', '--frames', '10', '--quiet']) == 0"
    )
    loaded = loaded_after(code)
    assert "openvino" in loaded
    assert not loaded & (HEAVY | {"matplotlib"})


def test_every_package_is_listed_for_the_wheel() -> None:
    text = (REPOSITORY / "pyproject.toml").read_text()
    for part in PARTS:
        for folder in {path.parent for path in modules(part)}:
            name = ".".join(["fer_edge", *folder.relative_to(REPOSITORY).parts])
            assert f'"{name}"' in text, f"{name} is missing in pyproject.toml"
