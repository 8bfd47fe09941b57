"""What half precision and int8 cost: accuracy of the converted models, and build times of engines.

    python benchmarks/conversion_accuracy.py graph.pb expression.keras fer2013.npz photos
    python benchmarks/conversion_accuracy.py graph.pb expression.keras --builds --keep converted

Every model is converted anew, by `fer-convert`, in all three precisions. Detectors are held
against the original graph in TensorFlow on the photographs, expression models against their own
fp32 on all of PublicTest. Int8 is calibrated on other pictures: the demo video for the detector,
faces of the training set for the expression model. `--builds` times TensorRT-RTX instead, one
engine a precision and GPU, three builds each; conversion and writing are not in the clock.
`--keep` leaves the converted files in a folder, and takes those that are there.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fer_edge.engine.backends import open_backend
from fer_edge.engine.errors import BadInput
from fer_edge.engine.model import ModelFacts, read_facts
from fer_edge.engine.tensorrt.build import build_engine
from fer_edge.engine.tensorrt.find import fitted
from fer_edge.engine.tensorrt.libraries import Library, load_library
from fer_edge.engine.tensorrt.options import EngineOptions

PRECISIONS = ("fp32", "fp16", "int8")
GPUS = ("7.5", "8.6", "8.9", "12.0")
CALIBRATION_FACES, CALIBRATION_FRAMES = 256, 200
BUILDS = 3


@dataclass(frozen=True)
class Faces:
    """Labelled 48x48 gray faces: uint8 `(n, 48, 48)` and int `(n,)`."""

    pixels: Any
    labels: Any


def main() -> None:
    """Convert, measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("graph", type=Path, help="frozen SSD graph")
    parser.add_argument("keras", type=Path, help="expression model")
    parser.add_argument("fer2013", type=Path, nargs="?", help=".npz with Training and PublicTest")
    parser.add_argument("photos", type=Path, nargs="?", help="folder of photographs with faces")
    parser.add_argument("--builds", action="store_true", help="time engines instead")
    parser.add_argument("--precisions", default=",".join(PRECISIONS), help="fp32,fp16,int8")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="of the converted files")
    args = parser.parse_args()
    if not args.builds and args.photos is None:
        parser.error("give FER2013 and photographs, or --builds")
    with tempfile.TemporaryDirectory(prefix="conversion-") as name:
        folder = args.keep or Path(name)
        folder.mkdir(exist_ok=True)
        training = usage(args.fer2013, 0) if args.fer2013 else None
        made = {
            "detector": convert(args, args.graph, folder, demo_video(folder), args.photos),
            "expression": convert(args, args.keras, folder, face_folder(folder, training), None),
        }
        if args.builds:
            print_builds(made)
        else:
            print_int8(made)
            print_detectors(made["detector"])
            print_expressions(made["expression"], usage(args.fer2013, 1))


def convert(
    args: argparse.Namespace, source: Path, folder: Path, calibrate: Path, photos: Path | None
) -> dict[str, tuple[Path, dict[str, Any]]]:
    """(ONNX file, fer-convert's own report) for each precision that it can make."""
    made = {}
    for precision in args.precisions.split(","):
        output, report = (folder / f"{source.stem}-{precision}{end}" for end in (".onnx", ".json"))
        if output.is_file() and report.is_file():
            made[precision] = output, json.loads(report.read_text())
            continue
        words = [source, "-o", output, "--precision", precision, "--json", report, "--quiet"]
        words += ["--calibrate", calibrate] if precision == "int8" else []
        words += ["--images", photos] if photos else []
        done = subprocess.run(
            [sys.executable, "-m", "fer_edge.convert.cli", *map(str, words)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            print(f"{source.name} {precision}: {done.stderr.strip().splitlines()[-1]}")
        else:
            made[precision] = output, json.loads(report.read_text())
    return made


def demo_video(folder: Path) -> Path:
    """The product's own demo."""
    path = folder / "demo.mp4"
    if path.is_file():
        return path
    words = ["--max-frames", str(CALIBRATION_FRAMES), "--no-expression", "--quiet"]
    subprocess.run(
        [sys.executable, "-m", "fer_edge.engine.cli", *words, "--save", str(path)], check=True
    )
    return path


def face_folder(folder: Path, faces: Faces | None) -> Path:
    """Faces of the training set as pictures; without one, the demo video."""
    if faces is None:
        return folder / "demo.mp4"
    path = folder / "faces"
    path.mkdir(exist_ok=True)
    chosen = np.random.default_rng(0).choice(len(faces.labels), CALIBRATION_FACES, replace=False)
    for index in chosen:
        cv2.imwrite(str(path / f"{index:05}.png"), faces.pixels[index])
    return path


def usage(path: Path, number: int) -> Faces:
    """0 for Training, 1 for PublicTest."""
    with np.load(path) as archive:
        chosen = archive["usage"] == number
        return Faces(archive["pixels"][chosen], archive["emotion"][chosen])


def print_int8(made: dict[str, dict[str, tuple[Path, dict[str, Any]]]]) -> None:
    """How much is in int8, and what the converter found it to cost."""
    for kind, files in made.items():
        for _, report in files.values():
            for name in ("int8", "cost of int8"):
                if name in report["description"]:
                    print(f"{kind:11} {name}: {report['description'][name]}")


def print_detectors(made: dict[str, tuple[Path, dict[str, Any]]]) -> None:
    """Detections of the original, and how they come out."""
    print("detector    against TensorFlow, on the photographs")
    for precision, (_, report) in made.items():
        parity = report["parity"]
        print(
            f"  {precision}  {parity['matched']} of {parity['detections']} detections of score >= "
            f"{parity['least_score']:g} matched, IoU {parity['min_iou']:.4f} at least, score off "
            f"by {parity['max_score_error']:.4f} at most"
        )


def print_expressions(made: dict[str, tuple[Path, dict[str, Any]]], faces: Faces) -> None:
    """Accuracy, and how often the most probable class is that of fp32."""
    print(f"expression  on {len(faces.labels)} faces of PublicTest")
    plain: Any = None
    for precision, (path, _) in made.items():
        answers = classified(path, faces)
        plain = answers if plain is None else plain
        accuracy = float((answers == faces.labels).mean())
        behind = accuracy - float((plain == faces.labels).mean())
        print(
            f"  {precision}  accuracy {accuracy:.2%} ({100 * behind:+.2f} points), top-1 agreement "
            f"{float((answers == plain).mean()):.2%}"
        )


def classified(path: Path, faces: Faces) -> Any:
    """The most probable class of each face, on the CPU."""
    with open_backend(path, "onnxruntime") as backend:
        see, about = backend.facts.input, backend.facts.expression
        assert about is not None
        mean, scale = np.float32(see.mean[0]), np.float32(see.scale[0])
        inputs = (faces.pixels[:, None].astype(np.float32) - mean) * scale
        assert inputs.shape[1:] == (see.channels, see.height, see.width)
        rows = [
            backend.infer({see.name: part})[about.probabilities_output]
            for part in np.array_split(inputs, max(1, len(inputs) // 64))
        ]
    return np.concatenate(rows).argmax(axis=1)


def print_builds(made: dict[str, dict[str, tuple[Path, dict[str, Any]]]]) -> None:
    """Seconds and sizes of engines of TensorRT-RTX."""
    library = load_library("tensorrt-rtx")
    print(f"{library.product} {library.version}, seconds (the slowest of {BUILDS}) and MB, by SM")
    for kind, files in made.items():
        for precision, (path, _) in files.items():
            facts: ModelFacts = read_facts(path)
            content = path.read_bytes()
            options = fitted(EngineOptions("tensorrt-rtx"), facts)
            cells = [
                build_cell(content, facts, library, replace(options, capabilities=(gpu,)))
                for gpu in GPUS
            ]
            print(f"  {kind:10} {precision}  {'  '.join(cells)}")


def build_cell(content: bytes, facts: ModelFacts, library: Library, options: EngineOptions) -> str:
    """One cell of the table."""
    (gpu,) = options.capabilities
    times = []
    for _ in range(BUILDS):
        started = time.perf_counter()
        try:
            payload = build_engine(content, facts, library, options)
        except BadInput as error:
            print(f"{gpu}: {error}", file=sys.stderr)
            return f"{gpu}: refused"
        times.append(time.perf_counter() - started)
    return f"{gpu}: {max(times):.2f} s {len(payload) / 1e6:.1f} MB"


if __name__ == "__main__":
    main()
