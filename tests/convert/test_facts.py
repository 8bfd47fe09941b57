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


def test_the_face_class_is_found_by_name_or_taken_to_be_the_first() -> None:
    assert detector_labels(["hand", "Human face"], 2) == (("hand", "Human face"), 1)
    assert detector_labels(None, 3) == (("face", "class_2", "class_3"), 0)


def test_seven_classes_are_those_of_fer2013_and_others_need_names() -> None:
    assert expression_labels(None, 7) == FER2013_LABELS
    with pytest.raises(BadInput, match="--labels"):
        expression_labels(None, 6)
