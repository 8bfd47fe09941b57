from __future__ import annotations

import base64
import csv
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.engine.errors import OutputNotWritable
from fer_edge.models.evaluation.metrics import measure
from fer_edge.models.evaluation.report import Extra, Subject, at_surest, summary, write_report
from fer_edge.models.evaluation.sizes import SizeFigures
from fer_edge.models.evaluation.votes import COVERAGES, measure_votes

from ..tiny_faces import SEVEN, shades, voted

FACES = shades(70)
PICTURES = ("confusion", "roc", "reliability", "coverage", "worst")
NAMES = ("<script>alert(1)</script>", *SEVEN[1:])


def rows() -> np.ndarray:
    chances = np.random.default_rng(0).dirichlet([0.4] * 7, 70).astype(np.float32)
    chances[:40] = np.eye(7, dtype=np.float32)[FACES.labels[:40]]
    return chances


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "new" / "one"
    figures = measure(rows(), FACES.labels, NAMES)
    subject = Subject("m<b>.onnx", "0" * 64, "a machine", "d & e", NAMES)
    votes = measure_votes(rows(), voted(70))
    extra = Extra(votes, (SizeFigures(20, figures.accuracy),))
    write_report(folder, subject, figures, rows(), FACES.labels, FACES.images, FACES.names, extra)
    return folder


def test_the_page_holds_its_pictures_and_loads_nothing(folder: Path) -> None:
    page = (folder / "report.html").read_text()
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert [base64.b64decode(p) for p in pictures] == [
        (folder / f"{name}.png").read_bytes() for name in PICTURES
    ]
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert page.count("<img alt=") == len(PICTURES)


def test_names_are_text_and_never_markup(folder: Path) -> None:
    page = (folder / "report.html").read_text()
    assert "<script" not in page
    assert "m&lt;b&gt;.onnx on d &amp; e" in page


def test_pictures_are_pictures(folder: Path) -> None:
    for name in PICTURES:
        image = cv2.imread(str(folder / f"{name}.png"))
        assert image is not None
        assert min(image.shape[:2]) > 400
        assert image.std() > 5


def test_the_tables_hold_the_same_numbers(folder: Path) -> None:
    figures = measure(rows(), FACES.labels, NAMES)
    with (folder / "confusion.csv").open() as file:
        table = list(csv.reader(file))
    assert table[0] == ["true class", *NAMES]
    np.testing.assert_array_equal(np.array([r[1:] for r in table[1:]], int), figures.confusion)
    raw = json.loads((folder / "figures.json").read_text())
    assert raw["accuracy"]["right"] == figures.accuracy.right
    assert raw["confusion"] == figures.confusion.tolist()
    assert raw["without_seen"] is None
    assert raw["sizes"][0]["accuracy"] == raw["accuracy"]
    votes = measure_votes(rows(), voted(70))
    assert votes is not None
    assert raw["votes"]["agreement"]["right"] == votes.agreement.right
    assert "By size of the face" in (folder / "report.html").read_text()
    with (folder / "predictions.csv").open() as file:
        predictions = list(csv.DictReader(file))
    assert len(predictions) == 70
    wrong = sum(row["true class"] != row["answer"] for row in predictions)
    assert wrong == 70 - figures.accuracy.right


def test_a_perfect_model_has_a_report_too(tmp_path: Path) -> None:
    perfect = np.eye(7, dtype=np.float32)[FACES.labels]
    figures = measure(perfect, FACES.labels, SEVEN, np.ones(70, bool))
    subject = Subject("m", "0", "x", "d", SEVEN)
    write_report(tmp_path, subject, figures, perfect, FACES.labels, FACES.images, FACES.names)
    assert "no faces" in (tmp_path / "report.html").read_text()
    assert "100.0%" in summary(figures)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    figures = measure(rows(), FACES.labels, SEVEN)
    subject = Subject("m", "0", "x", "d", SEVEN)
    with pytest.raises(OutputNotWritable, match="cannot be made"):
        write_report(
            tmp_path / "file" / "r", subject, figures, rows(), FACES.labels, FACES.images,
            FACES.names,
        )  # fmt: skip


@pytest.mark.parametrize("count", range(60, 70))
def test_the_surest_share_is_the_one_that_was_asked_for(count: int) -> None:
    """Of most counts no part is just four fifths."""
    votes = measure_votes(rows()[:count], voted(70).take(np.arange(count)))
    assert votes is not None
    assert at_surest(votes, 0.8) == votes.coverage[COVERAGES.index(0.8)].right
