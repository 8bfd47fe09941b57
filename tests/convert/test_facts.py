from __future__ import annotations

from pathlib import Path

import pytest

from fer_edge.convert.facts import detector_labels, expression_labels, read_labels
from fer_edge.engine.errors import BadInput
from fer_edge.engine.model import FER2013_LABELS


def test_labels_from_a_list_a_file_and_a_label_map(tmp_path: Path) -> None:
    assert read_labels("calm, angry ,happy") == ("calm", "angry", "happy")
    (tmp_path / "names.txt").write_text("calm\n\nangry\n")
    assert read_labels(str(tmp_path / "names.txt")) == ("calm", "angry")
    (tmp_path / "map.pbtxt").write_text(
        'item {\n  name: "/m/1"\n  id: 2\n  display_name: "Face"\n}\nitem { id: 1 name: \'hand\' }'
    )
    assert read_labels(str(tmp_path / "map.pbtxt")) == ("hand", "Face")


@pytest.mark.parametrize("content", ["", "item { id: 2 name: 'x' }", "item { name: 'x' }", "{"])
def test_label_maps_with_gaps_or_nothing_in_them_are_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "map.pbtxt").write_text(content)
    with pytest.raises(BadInput, match=r"map\.pbtxt"):
        read_labels(str(tmp_path / "map.pbtxt"))


def test_the_face_class_is_found_by_name_and_asked_for_where_there_are_several() -> None:
    assert detector_labels(["hand", "Human face"], 2) == (("hand", "Human face"), 1)
    assert detector_labels(None, 1) == (("face",), 0)
    assert detector_labels(["target"], 1) == (("target",), 0)
    with pytest.raises(BadInput, match=r"20 classes.*--labels label_map\.pbtxt"):
        detector_labels(None, 20)
    with pytest.raises(BadInput, match="named a face: aeroplane, bicycle"):
        detector_labels(["aeroplane", "bicycle"], 2)


def test_seven_classes_without_names_need_an_order_and_others_need_names() -> None:
    names = ("a", "b", "c", "d", "e", "f", "g")
    assert expression_labels(None, None, "fer2013", 7) == (FER2013_LABELS, "--order fer2013")
    alphabetical, _ = expression_labels(None, None, "alphabetical", 7)
    assert alphabetical == ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
    assert expression_labels(names, FER2013_LABELS, None, 7) == (names, "--labels")
    assert expression_labels(None, names, None, 7) == (names, "the file")
    with pytest.raises(BadInput, match=r"--order fer2013 .*--order alphabetical .*--labels"):
        expression_labels(None, None, None, 7)
    with pytest.raises(BadInput, match="--labels"):
        expression_labels(None, None, "fer2013", 6)
    with pytest.raises(BadInput, match=r"names its classes \(a, b, .*leave --order out"):
        expression_labels(None, names, "fer2013", 7)
