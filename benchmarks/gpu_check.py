"""Everything that needs a GPU, in one command of less than eight minutes and without a network.

    python benchmarks/gpu_check.py --json gpu.json
    python benchmarks/gpu_check.py --wheels wheels --photos photos --json gpu.json

It works in a checkout on a machine with a driver, NumPy and OpenCV, and uses what else is there:
PyCUDA (or its sdist in `--wheels`, g++ and CUDA's headers), TensorRT or TensorRT-RTX, ONNX
Runtime, PyTorch or CuPy, compute-sanitizer. What it cannot do it names, with the reason. Checks
run in processes of their own: one that crashes or hangs is recorded, and the others go on.

The report is one JSON object:

    schema      1
    machine     gpu, capability and driver (null without a GPU), cpu, cores, python, libraries
                (name: version, or null)
    wheels      file: "installed", or why not
    checks      in order, each with
        name, purpose
        status      "passed", "failed" or "skipped"
        reason      of what did not pass, one line; else null
        seconds     that it took
        facts       what was found: times in s, rates per s, errors in the unit of the values
    ratios      name: share of this GPU's measured copy or product speed, where both were measured
    checked     how many passed that prove something, and do not only measure
    seconds     in all

Exit status: 0 when all that could be checked passed, 1 when something failed, 3 when nothing was
checked, 2 for arguments of no use.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LIMIT_S = 450.0
NOTHING_CHECKED = 3
NO_GPU = "no NVIDIA GPU or driver here"


def main() -> int:
    """Run all checks, or one; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there")
    parser.add_argument("--wheels", type=Path, metavar="DIR", help="wheels and sdists to install")
    parser.add_argument("--photos", type=Path, metavar="DIR", help="more pictures for parity")
    parser.add_argument("--only", metavar="NAMES", help="checks to run, as kernels,engines")
    parser.add_argument("--limit", type=float, default=LIMIT_S, help="seconds in all (450)")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--run", help=argparse.SUPPRESS)
    parser.add_argument("--short", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.run:
        prepare(args.work)
        return run_one(args)
    for folder in (args.wheels, args.photos):
        if folder is not None and not folder.is_dir():
            parser.error(f"{folder}: no such folder")
    with tempfile.TemporaryDirectory(prefix="gpu-check-") as work:
        args.work = Path(work)
        return run_all(args, parser)


def prepare(work: Path) -> None:
    """Let the parts of the checkout be found under the names that they import each other by."""
    package = work / "parts" / "fer_edge"
    package.mkdir(parents=True, exist_ok=True)
    for part in ("engine", "models", "benchmarks"):
        if not (package / part).exists():
            (package / part).symlink_to(ROOT / part)
    sys.path[:0] = [str(work / "parts"), str(work / "site"), str(ROOT)]


def run_all(args: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Run the checks one after the other, and report."""
    started = time.perf_counter()
    prepare(args.work)
    from fer_edge.benchmarks.gpu_checks import CHECKS, MACHINE

    names = [check.name for check in CHECKS]
    wanted = args.only.split(",") if args.only else names
    if unknown := set(wanted) - set(names):
        parser.error(f"no check {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    wheels = install(args.wheels, args.work / "site") if args.wheels else {}
    about = run_apart(MACHINE, args, MACHINE.limit_s)
    report: dict[str, Any] = {"schema": 1, "machine": about["facts"], "wheels": wheels}
    report["checks"] = [about] if about["status"] == "failed" else []
    show_machine(report)
    known = about["status"] == "passed"
    missing = NO_GPU if known and about["facts"]["gpu"] is None else None
    for check in CHECKS:
        if check.name not in wanted:
            continue
        left = args.limit - (time.perf_counter() - started)
        result = run_apart(check, args, min(check.limit_s, left), missing)
        report["checks"].append(result)
        show(result)
    proofs = {check.name for check in CHECKS if not check.measures}
    passed = {row["name"] for row in report["checks"] if row["status"] == "passed"}
    report["checked"] = len(passed & proofs)
    report["ratios"] = ratios({row["name"]: row["facts"] for row in report["checks"]})
    report["seconds"] = time.perf_counter() - started
    for name, value in report["ratios"].items():
        print(f"    {name}: {value:.1%} of what the GPU reaches")
    if args.json:
        args.json.write_text(json.dumps(report, indent=1) + "\n")
    return conclude(report)


def run_apart(
    check: Any, args: argparse.Namespace, limit_s: float, missing: str | None = None
) -> dict[str, Any]:
    """One check in a process of its own, and what became of it; `missing` is why it cannot be."""
    result = {"name": check.name, "purpose": check.purpose, "status": "skipped", "facts": {}}
    if limit_s <= 1:
        missing = "no time was left"
    if missing is not None:
        return {**result, "reason": missing, "seconds": 0.0}
    started = time.perf_counter()
    words = [sys.executable, __file__, "--run", check.name, "--work", str(args.work)]
    words += ["--photos", str(args.photos)] if args.photos else []
    words += ["--short"] if args.short else []
    answer = args.work / f"{check.name}.json"
    # What the runtime keeps for its user, it keeps here.
    environment = {**os.environ, "FER_EDGE_CACHE": str(args.work / "cache")}
    # In a session of its own, so that what it started can be ended with it.
    process = subprocess.Popen(
        words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        _, said = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        result |= {"status": "failed", "reason": f"not done after {limit_s:.0f} s"}
    else:
        if answer.is_file():
            result |= json.loads(answer.read_text())
        else:
            last = (said.strip().splitlines() or ["it said nothing"])[-1]
            ended = f"ended with {process.returncode} before it was done: {last}"
            result |= {"status": "failed", "reason": ended}
    return {**result, "seconds": time.perf_counter() - started}


def run_one(args: argparse.Namespace) -> int:
    """One check in this process; its result goes into a file for the process above."""
    from fer_edge.benchmarks.gpu_checks import Skipped

    result: dict[str, Any] = {"status": "passed", "reason": None, "facts": {}}
    try:
        result["facts"] = import_module(f"fer_edge.benchmarks.gpu_checks.{args.run}").check(args)
    except (Skipped, ModuleNotFoundError) as error:
        result |= {"status": "skipped", "reason": one_line(error)}
    except Exception as error:
        traceback.print_exc()
        result |= {"status": "failed", "reason": f"{type(error).__name__}: {one_line(error)}"}
    (args.work / f"{args.run}.json").write_text(json.dumps(result, default=str))
    return 1 if result["status"] == "failed" else 0


def install(folder: Path, target: Path) -> dict[str, str]:
    """Install what lies in a folder, each for itself; sdists are built."""
    target.mkdir(exist_ok=True)
    environment = {**os.environ, **settings_of_builds(target)}
    found = {}
    # Wheels first: an sdist may need them.
    for path in sorted(folder.iterdir(), key=lambda path: (path.suffix != ".whl", path.name)):
        if not path.name.endswith((".whl", ".tar.gz")):
            continue
        words = [
            sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps",
            "--no-build-isolation", "--no-cache-dir", "--upgrade", "--target", str(target),
            str(path),
        ]  # fmt: skip
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        said = [line for line in done.stderr.splitlines() if "error" in line.lower()]
        reason = (said or done.stderr.splitlines() or ["it said nothing"])[-1]
        found[path.name] = reason if done.returncode else "installed"
    return found


def settings_of_builds(target: Path) -> dict[str, str]:
    """What PyCUDA's setup wants to know: where CUDA and the driver are, and to leave cuRAND out.

    It reads a file in the home folder. A machine that only runs has a `libcuda.so.1` and not
    the `libcuda.so` that a linker looks for.
    """
    home = target / "home"
    home.mkdir(exist_ok=True)
    driver = driver_path()
    if driver is not None and not (home / "libcuda.so").exists():
        (home / "libcuda.so").symlink_to(driver)
    root = os.environ.get("CUDA_HOME", "/usr/local/cuda")
    lines = [f"CUDA_ROOT = {root!r}", f"CUDA_INC_DIR = [{root + '/include'!r}]"]
    lines += [f"CUDADRV_LIB_DIR = [{str(home)!r}]", "CUDA_ENABLE_CURAND = False"]
    (home / ".aksetup-defaults.py").write_text("\n".join(lines) + "\n")
    # Optimising PyCUDA's C++ takes minutes, and nothing in it is slow.
    return {"HOME": str(home), "CFLAGS": "-O0 -g0", "CXXFLAGS": "-O0 -g0"}


def driver_path() -> Path | None:
    """Where the loader finds the driver; it is not loaded, since it might take this process."""
    folders = [Path(text) for text in os.environ.get("LD_LIBRARY_PATH", "").split(":") if text]
    tool = shutil.which("ldconfig", path=f"{os.environ.get('PATH', '')}:/sbin:/usr/sbin")
    listed = ""
    if tool is not None:
        listed = subprocess.run([tool, "-p"], capture_output=True, text=True, check=False).stdout
    places = [line.rpartition("=> ")[2] for line in listed.splitlines()]
    known = [Path(place) for place in places if place.endswith("/libcuda.so.1")]
    found = [folder / "libcuda.so.1" for folder in folders] + known
    return next((path for path in found if path.is_file()), None)


def ratios(facts: dict[str, Any]) -> dict[str, float]:
    """What kernels move and the detector computes, as shares of the measured ceilings."""
    ceilings, found = facts.get("ceilings", {}), {}
    if copy := ceilings.get("copy_bytes_per_s"):
        for name, row in facts.get("kernel_times", {}).get("kernels", {}).items():
            found[f"bytes of {name}"] = row["bytes_per_s"] / copy
    rate = facts.get("stages", {}).get("detector_flop_per_s")
    product = ceilings.get("fp16_flop_per_s")
    if rate and product:
        found["operations of the detector"] = rate / product
    return found


def one_line(error: BaseException) -> str:
    """An error's message in one line of sensible length."""
    return " ".join(str(error).split())[:500]


def show_machine(report: dict[str, Any]) -> None:
    """The first lines of the output."""
    about = report["machine"]
    if about.get("gpu"):
        print(f"{about['gpu']}, SM {about['capability']}, driver {about['driver']}")
    else:
        print(NO_GPU)
    for name, state in report["wheels"].items():
        print(f"  {name}: {state}")


def show(result: dict[str, Any]) -> None:
    """A check's lines of the output."""
    print(f"{result['status']:8} {result['name']:13} {result['seconds']:5.1f} s", end="  ")
    print(result["reason"] or result["purpose"], flush=True)
    for name, value in result["facts"].items():
        print(f"    {name}: {json.dumps(value, default=str)}", flush=True)


def conclude(report: dict[str, Any]) -> int:
    """The last line of the output, and the exit status."""
    failed = [row["name"] for row in report["checks"] if row["status"] == "failed"]
    if failed:
        print(f"failed: {', '.join(failed)}")
        return 1
    if not report["checked"]:
        print("nothing was checked")
        return NOTHING_CHECKED
    print(f"{report['checked']} checks passed in {report['seconds']:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
