from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.errors import BadInput, InputNotFound
from fer_edge.models.data import load_dataset, seen_in
from fer_edge.models.data.fer2013 import USAGES, read_npz

from ..tiny_faces import shades, write_npz

HEADER = "emotion,pixels,Usage"
ROW = f"3,{' '.join(['7'] * 2304)},Training"


def write(tmp_path: Path, *rows: str, header: str = HEADER) -> Path:
    path = tmp_path / "fer2013.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_both_forms_give_the_same_faces(tmp_path: Path) -> None:
    faces = shades(12)
    usage = np.arange(12) % 3
    rows = [
        f"{label},{' '.join(map(str, image.ravel()))},{USAGES[u]}"
        for label, image, u in zip(faces.labels, faces.images, usage, strict=True)
    ]
    csv = load_dataset(write(tmp_path, *rows))
    np.savez(
        tmp_path / "f.npz", pixels=faces.images, emotion=faces.labels.astype(np.uint8),
        usage=usage.astype(np.uint8),
    )  # fmt: skip
    npz = load_dataset(tmp_path / "f.npz")
    assert csv.classes == npz.classes
    assert tuple(csv.splits) == tuple(npz.splits) == USAGES
    for name in USAGES:
        np.testing.assert_array_equal(csv.splits[name].images, npz.splits[name].images)
        np.testing.assert_array_equal(csv.splits[name].labels, npz.splits[name].labels)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (ROW.replace("3,", "7,", 1), "line 3: emotion is '7', expected 0-6"),
        (ROW.replace("3,", "x,", 1), "line 3: emotion is 'x'"),
        (ROW.replace("7 7", "7", 1), "line 3: 2303 pixels, expected 2304"),
        (ROW.replace("7 7", "7 256", 1), "line 3: pixels from 7 to 256"),
        (ROW.replace("7 7", "7 -1", 1), "line 3: pixels from -1"),
        (ROW.replace("7 7", "7 a", 1), "line 3: pixels hold something"),
        (ROW.replace("7 7", "7 " + "9" * 40, 1), "line 3: pixels hold something"),
        (ROW.replace("Training", "Final"), "line 3: Usage is 'Final'"),
        (ROW + ",more", "line 3: 4 fields, expected 3"),
        ("3,7", "line 3: 2 fields"),
        ("3," + "7 " * 50000 + ",Training", "is no CSV file"),
    ],
)
def test_a_malformed_row_is_named_by_its_line(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        load_dataset(write(tmp_path, ROW, row))


def test_columns_are_found_by_name(tmp_path: Path) -> None:
    emotion, pixels, usage = ROW.split(",")
    path = write(tmp_path, f"{usage},{emotion},{pixels}", header="Usage,emotion, pixels")
    assert load_dataset(path).splits["Training"].labels.tolist() == [3]


def test_other_csv_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no column emotion, pixels"):
        load_dataset(write(tmp_path, "1,2", header="a,Usage"))
    with pytest.raises(BadInput, match="no column"):
        load_dataset(write(tmp_path, header=""))
    with pytest.raises(BadInput, match="has no rows"):
        load_dataset(write(tmp_path))
    binary = tmp_path / "b.csv"
    binary.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(BadInput, match="no CSV file"):
        load_dataset(binary)


@given(junk=st.binary(max_size=200))
def test_no_bytes_are_taken_for_an_archive(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes
) -> None:
    path = tmp_path_factory.mktemp("junk") / "x.npz"
    path.write_bytes(junk)
    with pytest.raises(BadInput, match="not a FER2013 archive"):
        load_dataset(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pixels": np.zeros((4, 48, 40), np.uint8)}, "expected uint8"),
        ({"pixels": np.zeros((4, 48, 48), np.float32)}, "pixels are float32"),
        ({"usage": np.zeros(3, np.uint8)}, "do not match"),
        ({"emotion": np.full(4, 7, np.uint8)}, "emotion must be 0-6"),
        ({"votes": np.zeros((4, 8), np.uint8)}, r"votes are uint8 \(4, 8\), expected"),
        ({"votes": np.zeros((4, 10), np.int64)}, "votes are int64"),
        ({"emotion": np.array([None] * 4)}, "not a FER2013 archive"),
        ({"usage": None}, "usage"),
    ],
)
def test_archives_that_do_not_fit_are_refused(
    tmp_path: Path, change: dict[str, np.ndarray | None], message: str
) -> None:
    arrays = {
        "pixels": np.zeros((4, 48, 48), np.uint8),
        "emotion": np.zeros(4, np.uint8),
        "usage": np.zeros(4, np.uint8),
    } | change
    kept = {name: value for name, value in arrays.items() if value is not None}
    np.savez(tmp_path / "f.npz", **kept)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match=message):
        load_dataset(tmp_path / "f.npz")


def test_nothing_there_and_other_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound, match=r"expected fer2013\.csv"):
        load_dataset(tmp_path / "none.csv")
    (tmp_path / "a.txt").touch()
    with pytest.raises(BadInput, match=r"a\.txt: expected fer2013\.csv"):
        load_dataset(tmp_path / "a.txt")


def test_faces_that_occur_twice_are_found(tmp_path: Path) -> None:
    splits = load_dataset(write_npz(tmp_path / "f.npz")).splits
    seen = seen_in(splits["PublicTest"].images, splits["Training"].images)
    assert np.flatnonzero(seen).tolist() == [30]


def test_the_shared_set_is_what_is_known_of_it(shared: Path) -> None:
    data = load_dataset(shared / "data" / "fer2013_original_train_public.npz")
    assert {name: len(faces) for name, faces in data.splits.items()} == {
        "Training": 28558,
        "PublicTest": 3579,
    }
    training, public = data.splits["Training"], data.splits["PublicTest"]
    assert sum((~faces.labelled).sum() for faces in (training, public)) == 119
    assert training.votes is not None
    assert training.votes.shape == (28558, 8)
    # Where people agree, they agree with two labels of three.
    clear = (public.majorities >= 0) & public.labelled
    assert clear.mean() > 0.8
    assert (public.majorities == public.labels)[clear].mean() > 0.6


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("emotion", np.full(6, -1), "emotion has -1 at 0; emotion must be 0-6"),
        ("emotion", np.array([0, 1, 2, 3, 0.5, 6]), "emotion has 0.5 at 4"),
        ("emotion", np.full(6, np.nan), "emotion has nan at 0"),
        ("emotion", np.array(["happy"] * 6), r"emotion is <U5 \(6,\), expected numbers"),
        ("emotion", np.zeros(6, complex), "emotion is complex128"),
        ("emotion", np.array(3), r"emotion is int64 \(\), expected numbers"),
        ("usage", np.full(6, -1), "usage has -1 at 0"),
        ("usage", np.array(["Training"] * 6), "usage is <U8"),
    ],
)
def test_values_that_are_no_labels_are_one_line(
    name: str, values: np.ndarray, words: str, tmp_path: Path
) -> None:
    arrays = {"emotion": np.zeros(6), "usage": np.zeros(6), name: values}
    np.savez(tmp_path / "faces.npz", pixels=np.zeros((6, 48, 48), np.uint8), **arrays)
    with pytest.raises(BadInput, match=words):
        read_npz(tmp_path / "faces.npz")


def test_whole_numbers_may_have_a_point(tmp_path: Path) -> None:
    arrays = {"emotion": np.array([0.0, 6.0, 255.0]), "usage": np.zeros(3)}
    np.savez(tmp_path / "faces.npz", pixels=np.zeros((3, 48, 48), np.uint8), **arrays)
    assert read_npz(tmp_path / "faces.npz").splits["Training"].labels.tolist() == [0, 6, -1]
