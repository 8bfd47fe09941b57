from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fer_edge.engine.errors import BadInput
from fer_edge.models.data import load_dataset
from fer_edge.models.data.faces import UNKNOWN, LabelledFaces, join
from fer_edge.models.data.ferplus import TAGS, votes_by_class

from ..tiny_faces import SEVEN, shades


def tags(**votes: int) -> np.ndarray:
    row = np.zeros((1, len(TAGS)), np.uint8)
    for name, count in votes.items():
        row[0, TAGS.index(name)] = count
    return row


def faces_with(votes: np.ndarray) -> LabelledFaces:
    plain = shades(len(votes))
    return LabelledFaces(plain.images, plain.labels, plain.names, votes_by_class(votes))


def test_votes_follow_their_classes() -> None:
    row = votes_by_class(np.arange(10, dtype=np.uint8)[None])[0]
    named = dict(zip((*SEVEN, "contempt"), row.tolist(), strict=True))
    assert named == {
        "angry": 4, "disgust": 5, "fear": 6, "happy": 1, "sad": 3, "surprise": 2, "neutral": 0,
        "contempt": 7,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("votes", "name"),
    [
        ({"fear": 6, "sadness": 4}, "fear"),
        ({"fear": 5, "sadness": 5}, None),
        ({"contempt": 8, "anger": 1}, None),
        ({"neutral": 3, "contempt": 2}, "neutral"),
        ({"neutral": 3, "contempt": 3}, None),
        ({"neutral": 2, "unknown": 7, "NF": 1}, "neutral"),
        ({"unknown": 10}, None),
        ({"anger": 200, "fear": 190}, "angry"),
    ],
)
def test_a_majority_is_more_than_half_of_the_votes(votes: dict[str, int], name: str | None) -> None:
    (found,) = faces_with(tags(**votes)).majorities
    assert found == (UNKNOWN if name is None else SEVEN.index(name))


def test_an_archive_brings_votes_and_may_lack_labels(tmp_path: Path) -> None:
    faces = shades(12)
    rng = np.random.default_rng(0)
    votes = rng.integers(0, 11, (12, 10)).astype(np.uint8)
    emotion = faces.labels.astype(np.uint8)
    emotion[[2, 9]] = 255
    usage = (np.arange(12) >= 8).astype(np.uint8)
    np.savez(tmp_path / "f.npz", pixels=faces.images, emotion=emotion, usage=usage, votes=votes)
    data = load_dataset(tmp_path / "f.npz")
    training, public = data.splits["Training"], data.splits["PublicTest"]
    assert np.flatnonzero(~training.labelled).tolist() == [2]
    assert np.flatnonzero(~public.labelled).tolist() == [1]
    assert sum(data.class_counts("Training").values()) == 7
    both = join([training, public])
    assert both.votes is not None
    np.testing.assert_array_equal(both.votes, votes_by_class(votes))
    assert both.fingerprint() != LabelledFaces(both.images, both.labels, both.names).fingerprint()
    assert join([training, shades(3)]).votes is None


PIXELS = " ".join(["7"] * 2304)
HEADER = (
    "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
)


def write_both(folder: Path, *rows: str, header: str = HEADER) -> Path:
    usages = ("Training", "Training", "PublicTest")
    lines = [f"{label},{PIXELS},{usage}" for label, usage in enumerate(usages)]
    (folder / "fer2013.csv").write_text("\n".join(["emotion,pixels,Usage", *lines]) + "\n")
    (folder / "fer2013new.csv").write_text("\n".join([header, *rows]) + "\n")
    return folder / "fer2013.csv"


ROWS = (
    "Training,fer0000000.png,4,0,0,1,3,2,0,0,0,0",
    "Training,fer0000001.png,0,6,0,1,1,0,0,0,2,0",
    "PublicTest,,0,0,0,0,0,0,0,0,0,10",
)


def test_votes_beside_the_csv_file_come_with_it(tmp_path: Path) -> None:
    splits = load_dataset(write_both(tmp_path, *ROWS)).splits
    assert splits["Training"].votes is not None
    assert splits["Training"].votes.tolist() == [
        [3, 2, 0, 0, 1, 0, 4, 0], [1, 0, 0, 6, 1, 0, 0, 0],
    ]  # fmt: skip
    assert splits["Training"].majorities.tolist() == [UNKNOWN, SEVEN.index("happy")]
    assert splits["PublicTest"].majorities.tolist() == [UNKNOWN]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (ROWS[:2], "2 rows, fer2013.csv has 3"),
        ((*ROWS, ROWS[2]), "line 5: more rows than fer2013.csv has"),
        ((ROWS[0], ROWS[2], ROWS[1]), "line 3: Usage is 'PublicTest', fer2013.csv has Training"),
        ((ROWS[0].replace(",4,", ",x,"), *ROWS[1:]), "line 2: 'x' votes"),
        ((ROWS[0].replace(",4,", ",256,"), *ROWS[1:]), "line 2: '256' votes"),
        (("Training,a.png,4", *ROWS[1:]), "line 2: 'None' votes"),
    ],
)
def test_votes_that_do_not_fit_are_named_by_their_line(
    tmp_path: Path, rows: tuple[str, ...], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        load_dataset(write_both(tmp_path, *rows))


def test_other_tables_of_votes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no column neutral, happiness"):
        load_dataset(write_both(tmp_path, header="Usage,Image name"))
