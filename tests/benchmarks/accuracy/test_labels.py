"""The forms of labels: the same faces in each of them, and one line about what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.benchmarks.accuracy.labels import read_labels
from fer_edge.engine.errors import BadInput, FerError, InputNotFound

FACES = {"a.jpg": [(10.0, 20.0, 30.0, 40.0), (1.0, 2.0, 3.0, 4.0)], "b.jpg": []}
IGNORED = {"a.jpg": [False, True], "b.jpg": []}

WIDER = """a.jpg
2
10 20 30 40 0 0 0 0 2 0
1 2 3 4 2 0 0 1 0 0
b.jpg
0
0 0 0 0 0 0 0 0 0 0
"""
COCO = {
    "images": [{"id": 7, "file_name": "a.jpg"}, {"id": 9, "file_name": "b.jpg"}],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 2, "bbox": [10, 20, 30, 40]},
        {"id": 2, "image_id": 7, "category_id": 2, "bbox": [1, 2, 3, 4], "ignore": 1},
        {"id": 3, "image_id": 9, "category_id": 1, "bbox": [0, 0, 9, 9]},
    ],
    "categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "Face"}],
}
PLAIN = {
    "a.jpg": [
        {"box_xywh": [10, 20, 30, 40], "mask": "with_mask"},
        {"box_xywh": [1, 2, 3, 4], "ignore": True},
    ],
    "b.jpg": [],
}
VOC = """<annotation><filename>{name}</filename>{objects}</annotation>"""
OBJECT = (
    "<object><name>{name}</name><difficult>{difficult}</difficult><bndbox><xmin>{x0}</xmin>"
    "<ymin>{y0}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object>"
)


def wider(folder: Path) -> Path:
    (folder / "anything").write_text(WIDER)
    return folder / "anything"


def coco(folder: Path) -> Path:
    (folder / "labels.txt").write_text(json.dumps(COCO))
    return folder / "labels.txt"


def plain(folder: Path) -> Path:
    (folder / "faces.json").write_text(json.dumps(PLAIN))
    return folder


def voc(folder: Path) -> Path:
    faces = [
        OBJECT.format(name="face", difficult=int(skip), x0=x, y0=y, x1=x + w, y1=y + h)
        for (x, y, w, h), skip in zip(FACES["a.jpg"], IGNORED["a.jpg"], strict=True)
    ]
    hat = OBJECT.format(name="hat", difficult=0, x0=0, y0=0, x1=5, y1=5)
    (folder / "a.xml").write_text(VOC.format(name="a.jpg", objects="".join([*faces, hat])))
    (folder / "b.xml").write_text(VOC.format(name="b.jpg", objects=""))
    return folder


@pytest.mark.parametrize(
    ("write", "form"),
    [(wider, "WIDER FACE"), (coco, "COCO"), (plain, "faces.json"), (voc, "Pascal VOC")],
    ids=["wider", "coco", "plain", "voc"],
)
def test_every_form_says_the_same(write: object, form: str, tmp_path: Path) -> None:
    labels = read_labels(write(tmp_path))  # type: ignore[operator]
    assert labels.form == form
    assert [picture.path for picture in labels.pictures] == [tmp_path / name for name in FACES]
    for picture in labels.pictures:
        known = picture.truths
        assert [tuple(box) for box in known.boxes.tolist()] == FACES[picture.path.name]
        assert known.ignored.tolist() == IGNORED[picture.path.name]
        assert not known.crowd.any()


def test_crowds_and_boxes_without_area_are_ignored(tmp_path: Path) -> None:
    raw = {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "annotations": [
            {"image_id": 1, "bbox": [0, 0, 90, 90], "iscrowd": 1},
            {"image_id": 1, "bbox": [0, 0, 0, 9]},
            {"image_id": 1, "bbox": [0, 0, 5, 9]},
        ],
    }
    (tmp_path / "c.json").write_text(json.dumps(raw))
    (picture,) = read_labels(tmp_path / "c.json").pictures
    assert picture.truths.crowd.tolist() == [True, False, False]
    assert picture.truths.ignored.tolist() == [True, True, False]


def test_pictures_are_found_where_the_sets_keep_them(tmp_path: Path) -> None:
    split, pictures = tmp_path / "wider_face_split", tmp_path / "WIDER_val" / "images"
    split.mkdir()
    pictures.mkdir(parents=True)
    (pictures / "a.jpg").touch()
    assert read_labels(wider(split)).pictures[0].path == pictures / "a.jpg"
    elsewhere = tmp_path / "elsewhere"
    assert read_labels(wider(split), elsewhere).pictures[0].path == elsewhere / "a.jpg"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.jpg\n",
        "a.jpg\n3\n1 2 3 4\n",
        "a.jpg\n1\n1 2 three 4\n",
        "[]",
        "{}",
        "{",
        '{"a.jpg": 3}',
        '{"a.jpg": [{"box": [1, 2, 3, 4]}]}',
        '{"a.jpg": [{"box_xywh": [1, 2, 3]}]}',
        '{"a.jpg": [{"box_xywh": [1, 2, NaN, 4]}]}',
        '{"images": [{"id": 1}], "annotations": []}',
        '{"images": [], "annotations": 3}',
        "\x00\x01\x02",
    ],
)
def test_what_is_wrong_is_said_in_one_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "labels"
    path.write_text(text)
    with pytest.raises(BadInput, match="labels") as caught:
        read_labels(path)
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=300))
def test_no_bytes_bring_anything_but_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.mktemp("labels") / "labels"
    path.write_bytes(data)
    with pytest.raises(FerError):
        read_labels(path)


def test_xml_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound, match="no such labels"):
        read_labels(tmp_path / "none")
    with pytest.raises(BadInput, match="no XML files"):
        read_labels(tmp_path)
    path = tmp_path / "a.xml"
    for text, reason in (
        ("<svg></svg>", "<svg>"),
        ("<annotation>", "not XML"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>', "DOCTYPE"),
        (VOC.format(name="a.jpg", objects="<object><name>face</name></object>"), "four numbers"),
    ):
        path.write_text(text)
        with pytest.raises(BadInput, match=reason):
            read_labels(tmp_path)
