from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.engine.errors import BadInput
from fer_edge.engine.sources.images import read_image
from fer_edge.models.data import load_dataset
from fer_edge.models.data.crop import FaceCropper
from fer_edge.models.data.folder import gray_face, read_folder

from ...conftest import REPOSITORY
from ..tiny_faces import write_folders

PORTRAIT = REPOSITORY / "engine" / "sources" / "astronaut.jpg"


def test_a_folder_a_class_in_alphabetical_order(tmp_path: Path) -> None:
    data = load_dataset(write_folders(tmp_path, ("smile", "frown", "calm")))
    assert data.classes == ("calm", "frown", "smile")
    assert data.class_counts("all") == {"calm": 10, "frown": 10, "smile": 10}
    assert data.splits["all"].names[0] == "calm/S000_001_00000000.png"
    image = cv2.imread(str(tmp_path / data.splits["all"].names[0]), cv2.IMREAD_GRAYSCALE)
    np.testing.assert_array_equal(data.splits["all"].images[0], image)


def test_names_of_fer2013_are_in_its_order(tmp_path: Path) -> None:
    data = load_dataset(write_folders(tmp_path, ("neutral", "happy", "angry")))
    assert data.classes == ("angry", "happy", "neutral")


def test_train_and_test_above_the_classes(tmp_path: Path) -> None:
    write_folders(tmp_path / "Train", ("a", "b", "c"))
    write_folders(tmp_path / "test", ("a", "b"))
    data = load_dataset(tmp_path)
    assert set(data.splits) == {"train", "test"}
    assert data.class_counts("test") == {"a": 10, "b": 10, "c": 0}


def test_folders_below_a_class_belong_to_it(tmp_path: Path) -> None:
    write_folders(tmp_path, ("a", "b"))
    deep = tmp_path / "a" / "S999" / "001"
    deep.mkdir(parents=True)
    shutil.copy(next((tmp_path / "a").glob("*.png")), deep / "S999_001_00000001.png")
    assert load_dataset(tmp_path).class_counts("all") == {"a": 11, "b": 10}


def test_what_is_no_such_folder_is_explained(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="a folder of images for each class"):
        load_dataset(tmp_path)
    write_folders(tmp_path, ("only",))
    with pytest.raises(BadInput, match="found only"):
        load_dataset(tmp_path)
    write_folders(tmp_path / "train", ("a", "b"))
    with pytest.raises(BadInput, match="has only beside train"):
        load_dataset(tmp_path)


def test_a_file_that_is_no_image_is_named(tmp_path: Path) -> None:
    write_folders(tmp_path, ("a", "b"))
    (tmp_path / "b" / "broken.png").write_bytes(b"not a picture")
    with pytest.raises(BadInput, match=r"broken\.png: not an image"):
        load_dataset(tmp_path)
    (tmp_path / "b" / "broken.png").unlink()
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="empty: no images of this class"):
        load_dataset(tmp_path)


def test_the_detector_cuts_the_face_out(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        shutil.copy(PORTRAIT, tmp_path / name / "S001_001_00000001.jpg")
    cv2.imwrite(str(tmp_path / "b" / "wall.png"), np.full((300, 300, 3), 90, np.uint8))
    with FaceCropper() as crop:
        data, left_out = read_folder(tmp_path, crop)
        face = crop(read_image(PORTRAIT))
    assert left_out == ("b/wall.png",)
    assert data.class_counts("all") == {"a": 1, "b": 1}
    assert face is not None
    assert face.shape[0] == face.shape[1] < min(read_image(PORTRAIT).shape[:2])
    np.testing.assert_array_equal(data.splits["all"].images[0], gray_face(face))


def test_photographs_without_any_face_say_so(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "wall.png"), np.full((300, 300, 3), 90, np.uint8))
    with FaceCropper() as crop, pytest.raises(BadInput, match="no face was found in 2 images"):
        read_folder(tmp_path, crop)
