"""The facts that travel in a converted file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from fer_edge.engine.errors import BadInput, InputNotFound
from fer_edge.engine.model import FER2013_LABELS

from .orders import ORDERS, choices


def converter_version() -> str:
    """The version of fer-edge that is running."""
    try:
        return version("fer-edge")
    except PackageNotFoundError:
        return "unknown"


def read_labels(text: str) -> tuple[str, ...]:
    """Labels from a comma list, a text file with one a line, or a `.pbtxt` label map.

    Raises:
        InputNotFound: a name of a file that is not there.
        BadInput: a file without labels.
    """
    path = Path(text)
    if path.suffix.lower() not in (".txt", ".pbtxt", ".labels"):
        return tuple(label.strip() for label in text.split(",") if label.strip())
    if not path.is_file():
        raise InputNotFound(f"{path}: no such label file")
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read as text") from error
    if path.suffix.lower() == ".pbtxt":
        return _label_map(content, path)
    labels = tuple(line.strip() for line in content.splitlines() if line.strip())
    if not labels:
        raise BadInput(f"{path}: no labels in it; give one a line")
    return labels


def _label_map(content: str, path: Path) -> tuple[str, ...]:
    """Names of a StringIntLabelMap, in the order of their ids, which must run from 1."""
    items: dict[int, str] = {}
    for body in re.findall(r"item\s*:?\s*\{([^}]*)\}", content):
        number = re.search(r"\bid\s*:\s*(\d+)", body)
        name = re.search(r"\bdisplay_name\s*:\s*[\"']([^\"']+)", body) or re.search(
            r"\bname\s*:\s*[\"']([^\"']+)", body
        )
        if number and name:
            items[int(number[1])] = name[1]
    if not items or sorted(items) != list(range(1, len(items) + 1)):
        raise BadInput(f"{path}: no label map with ids from 1 without a gap")
    return tuple(items[number] for number in sorted(items))


def detector_labels(given: Sequence[str] | None, classes: int) -> tuple[tuple[str, ...], int]:
    """(labels, face class) of a detector.

    Raises:
        BadInput: several classes and no names for them, or none that is a face.
    """
    if given is None and classes == 1:
        return ("face",), 0
    if given is None:
        raise BadInput(
            f"{classes} classes, and nothing says which of them is a face: give the label map "
            "that came with it, as --labels label_map.pbtxt, or their names"
        )
    _check_count(given, classes)
    named = [index for index, label in enumerate(given) if "face" in label.lower()]
    if not named and classes > 1:
        raise BadInput(f"none of its classes is named a face: {', '.join(given)}")
    return tuple(given), named[0] if named else 0


def expression_labels(
    given: Sequence[str] | None,
    own: Sequence[str] | None,
    order: str | None,
    classes: int,
    judged: tuple[str, str] | None = None,
) -> tuple[tuple[str, ...], str]:
    """(labels of an expression model, what they were taken from).

    Args:
        given: by the user.
        own: of the file.
        order: of seven expressions, a name of `ORDERS`.
        classes: number of them.
        judged: of `orders.judge`.

    Raises:
        BadInput: nothing names the classes, or not as many as there are.
    """
    hint = f"; {judged[1]}: --order {judged[0]} is the better one" if judged else ""
    names = given or own
    if own and order is not None:
        raise BadInput(f"the file names its classes ({', '.join(own)}); leave --order out")
    if names is not None:
        _check_count(names, classes)
        return tuple(names), "--labels" if given else "the file"
    if classes != len(FER2013_LABELS):
        raise BadInput(f"{classes} classes and no names for them: give --labels")
    if order is None:
        raise BadInput(f"7 classes and no names for them: give {choices()}, or --labels{hint}")
    said = hint if judged and judged[0] != order else ""
    return ORDERS[order], f"--order {order}{said}"


def _check_count(given: Sequence[str], classes: int) -> None:
    if len(given) != classes:
        raise BadInput(f"{len(given)} labels for {classes} classes: {', '.join(given)}")
