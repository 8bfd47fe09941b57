"""The forms in which faces are labelled. Each reader gives pictures' names and their faces."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from fer_edge.engine.errors import BadInput

from .labels import FORMS, Labelled

Faces = Iterator[tuple[str, Sequence[Labelled]]]
# Of one XML file: a few faces take a few kilobytes.
MAX_XML_BYTES = 16 << 20
# Where a set labels other things too, its faces have this name.
FACE = "face"
# Values after the box in WIDER FACE: blur, expression, illumination, invalid, occlusion, pose.
_INVALID = 7


def wider(text: str) -> Faces:
    """WIDER FACE (S. Yang et al., CVPR 2016): a name, a number of faces, and a line a face.

    A picture without a face has a line of zeros all the same. Faces called invalid, which are
    too small or blurred to be told, are ignored.

    Raises:
        ValueError: lines of another form.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    at = 0
    while at < len(lines):
        name = lines[at]
        if at + 1 >= len(lines) or not lines[at + 1].isdecimal():
            raise ValueError(f"after {name[:60]!r} a number of faces is missing")
        count = int(lines[at + 1])
        # A line of zeros stands for no face.
        following = lines[at + 2 : at + 2 + max(count, 1)]
        rows = [[float(word) for word in line.split()] for line in following if _numeric(line)]
        if len(rows) < count or any(len(row) < 4 for row in rows):
            raise ValueError(f"{name[:60]}: {count} faces are announced, {len(rows)} follow")
        yield name, [_wider_face(row) for row in rows[:count]]
        at += 2 + (count or len(rows))


def _numeric(line: str) -> bool:
    return all(word.lstrip("-").replace(".", "", 1).isdecimal() for word in line.split())


def _wider_face(row: Sequence[float]) -> Labelled:
    x, y, w, h = row[:4]
    return Labelled((x, y, w, h), ignored=len(row) > _INVALID and row[_INVALID] != 0)


def from_json(raw: Any) -> tuple[str, Faces]:
    """COCO's JSON or faces.json, whichever it is.

    Raises:
        ValueError: neither.
    """
    if isinstance(raw, Mapping) and {"images", "annotations"} <= raw.keys():
        return "COCO", coco(raw)
    if isinstance(raw, Mapping) and all(isinstance(value, list) for value in raw.values()):
        return "faces.json", plain(raw)
    raise ValueError("JSON of another form")


def coco(raw: Mapping[str, Any]) -> Faces:
    """COCO's JSON (T.-Y. Lin et al., ECCV 2014); crowds, and what says `ignore`, are ignored.

    With a category named face, the others do not count; else every one does.
    """
    names = {one["id"]: str(one["name"]) for one in raw.get("categories", [])}
    chosen = _faces_among(names.values())
    faces: dict[Any, list[Labelled]] = defaultdict(list)
    for one in raw["annotations"]:
        if chosen is not None and names.get(one.get("category_id")) not in chosen:
            continue
        x, y, w, h = one["bbox"]
        crowd = bool(one.get("iscrowd", 0))
        box = (float(x), float(y), float(w), float(h))
        faces[one["image_id"]].append(Labelled(box, bool(one.get("ignore", 0)), crowd))
    for image in raw["images"]:
        yield str(image["file_name"]), faces.get(image["id"], [])


def plain(raw: Mapping[str, Any]) -> Faces:
    """A list of faces a picture, each with `box_xywh` in pixels and, if so, `ignore`."""
    for name, found in raw.items():
        faces = []
        for one in found:
            x, y, w, h = one["box_xywh"]
            box = (float(x), float(y), float(w), float(h))
            faces.append(Labelled(box, bool(one.get("ignore", False))))
        yield str(name), faces


def voc(folder: Path) -> Faces:
    """A folder of Pascal VOC's XML, a file a picture; `difficult` objects are ignored.

    A box is as wide as xmax - xmin. With objects named face, the others do not count; else
    every one does.

    Raises:
        BadInput: no XML files, or one that is damaged or of another form.
    """
    paths = sorted(folder.glob("*.xml")) or sorted((folder / "Annotations").glob("*.xml"))
    if not paths:
        raise BadInput(f"{folder}: no XML files and no faces.json in it; give {FORMS}")
    read = [(path, _xml(path)) for path in paths]
    objects = [one for _, root in read for one in root.iter("object")]
    chosen = _faces_among({one.findtext("name", "") for one in objects})
    for path, root in read:
        wanted = [
            one for one in root.iter("object") if chosen is None or one.findtext("name") in chosen
        ]
        try:
            faces = [_voc_face(one) for one in wanted]
        except (ValueError, TypeError) as error:
            raise BadInput(f"{path}: a box is not four numbers ({error})") from error
        yield root.findtext("filename") or path.with_suffix(".jpg").name, faces


def _xml(path: Path) -> ElementTree.Element:
    data = path.read_bytes() if path.stat().st_size <= MAX_XML_BYTES else b""
    # Entities can grow without bounds, and labels need none.
    if not data or b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise BadInput(f"{path}: empty, too large, or with a DOCTYPE: no labels of Pascal VOC")
    try:
        root = ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        raise BadInput(f"{path}: not XML ({error}); give {FORMS}") from error
    if root.tag != "annotation":
        raise BadInput(f"{path}: XML of <{root.tag}>, not of Pascal VOC's <annotation>")
    return root


def _voc_face(one: ElementTree.Element) -> Labelled:
    x0, y0, x1, y1 = (
        float(one.findtext(f"bndbox/{name}") or "missing")
        for name in ("xmin", "ymin", "xmax", "ymax")
    )
    ignored = (one.findtext("difficult") or "0").strip() not in ("0", "")
    return Labelled((x0, y0, x1 - x0, y1 - y0), ignored)


def _faces_among(names: Any) -> set[str] | None:
    """The names that mean a face; None where none does and everything counts."""
    return {name for name in names if name.strip().lower() == FACE} or None
