"""Compiles the kernels to PTX: `python -m fer_edge.engine.cuda.compile`.

NVRTC, of the wheel `nvidia-cuda-nvrtc-cu12`, needs no GPU and no other part of CUDA. The PTX is
kept in the repository and ships in the wheel, so that nobody needs a compiler to run it. CUDA 12
is the last that knows Pascal.
"""

from __future__ import annotations

import ctypes
import hashlib
import sys
from importlib.util import find_spec
from pathlib import Path

from ..errors import BackendUnavailable, BadInput, FerError
from ..outputs import write_file

# Each becomes a module of its own, which the driver compiles when a kernel of it is wanted.
SOURCES = {name: Path(__file__).with_name(f"{name}.cu") for name in ("kernels", "kcf")}
PTX_FOLDER = Path(__file__).with_name("ptx")
# Pascal, Turing, Ampere, Hopper; newer GPUs run the PTX of an older one.
ARCHITECTURES = ("61", "75", "86", "90")
_INSTALL = "pip install nvidia-cuda-nvrtc-cu12"


def source_mark(name: str, source: str) -> str:
    """The first line of PTX made from the text of a source of `SOURCES`."""
    return f"// {name}.cu SHA-256 {hashlib.sha256(source.encode()).hexdigest()}"


def ptx_path(name: str, architecture: str) -> Path:
    """Where the PTX of a source for a compute capability, as `86`, is kept."""
    return PTX_FOLDER / f"{name}_{architecture}.ptx"


def compile_ptx(name: str, source: str, architecture: str) -> str:
    """Compile CUDA C++ for a compute capability, as `86`.

    Args:
        name: of the source, for the compiler's log.
        source: its text.
        architecture: the compute capability.

    Raises:
        BackendUnavailable: NVRTC is not installed.
        BadInput: the compiler refuses the source, with its log.
    """
    nvrtc = _library()
    program = ctypes.c_void_p()
    _check(
        nvrtc,
        nvrtc.nvrtcCreateProgram(
            ctypes.byref(program), source.encode(), f"{name}.cu".encode(), 0, None, None
        ),
    )
    try:
        options = [f"--gpu-architecture=compute_{architecture}".encode(), b"--std=c++17"]
        status = nvrtc.nvrtcCompileProgram(
            program, len(options), (ctypes.c_char_p * len(options))(*options)
        )
        if status:
            log = _text(nvrtc, nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog, program)
            raise BadInput(f"{name}.cu for compute_{architecture}: {log.strip()}")
        return _text(nvrtc, nvrtc.nvrtcGetPTXSize, nvrtc.nvrtcGetPTX, program)
    finally:
        nvrtc.nvrtcDestroyProgram(ctypes.byref(program))


def _text(nvrtc: ctypes.CDLL, size_of: object, read: object, program: ctypes.c_void_p) -> str:
    size = ctypes.c_size_t()
    _check(nvrtc, size_of(program, ctypes.byref(size)))  # type: ignore[operator]
    data = ctypes.create_string_buffer(size.value)
    _check(nvrtc, read(program, data))  # type: ignore[operator]
    return data.value.decode()


def _library() -> ctypes.CDLL:
    spec = find_spec("nvidia.cuda_nvrtc") if find_spec("nvidia") else None
    folders = list(spec.submodule_search_locations or []) if spec else []
    for folder in folders:
        for path in sorted(Path(folder, "lib").glob("libnvrtc.so.*")):
            try:
                return ctypes.CDLL(str(path))
            except OSError as error:
                raise BackendUnavailable(f"NVRTC cannot be loaded ({error}): {_INSTALL}") from error
    raise BackendUnavailable(f"NVRTC is not installed: {_INSTALL}")


def _check(nvrtc: ctypes.CDLL, status: int) -> None:
    if status:
        nvrtc.nvrtcGetErrorString.restype = ctypes.c_char_p
        raise BadInput(f"NVRTC: {nvrtc.nvrtcGetErrorString(status).decode()}")


def main() -> int:
    """Compile for every architecture, then replace the PTX; 2 where that fails."""
    sources = {name: path.read_text() for name, path in SOURCES.items()}
    try:
        # All before any is replaced: the shipped files are of one state of the sources.
        made = {
            (name, architecture): compile_ptx(name, source, architecture)
            for name, source in sources.items()
            for architecture in ARCHITECTURES
        }
    except FerError as error:
        print(error, file=sys.stderr)
        return 2
    PTX_FOLDER.mkdir(exist_ok=True)
    for (name, architecture), ptx in made.items():
        path = ptx_path(name, architecture)
        write_file(path, f"{source_mark(name, sources[name])}\n{ptx}")
        print(f"{path}: {path.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
