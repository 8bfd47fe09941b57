from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.errors import BadInput
from fer_edge.engine.sources.listing import find_images, is_glob, list_folder, list_glob

TREE = (
    "10.jpg", "2.JPG", "10²5.jpg", "talk.mp4", "scan.heic", "notes.txt", "README", ".hidden.jpg",
    "._2.jpg", "__MACOSX/2.jpg", ".thumbs/2.jpg", "monday/3.png", "monday/late/4.webp",
    "monday/.x.png", "monday/walk.MOV",
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in TREE:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "round").symlink_to(".")
    os.mkfifo(tmp_path / "pipe.jpg")
    return tmp_path


def test_a_folder_is_told_apart(folder: Path) -> None:
    found = list_folder(folder)
    assert [path.name for path in found.pictures] == ["2.JPG", "10.jpg", "10²5.jpg"]
    assert [path.name for path in found.films] == ["talk.mp4"]
    assert sorted(found.others) == [".heic", ".jpg", ".txt", "README"]
    assert found.left_out(films=False) == (
        "1 video, 4 hidden, 2 folders (--recursive reads them), "
        "4 other files (README, .txt, .jpg, .heic)"
    )
    assert found.left_out(films=True).startswith("3 pictures, 4 hidden")


def test_folders_in_a_folder_are_read_when_asked_for(folder: Path) -> None:
    found = list_folder(folder, recursive=True)
    names = [str(path.relative_to(folder)) for path in found.pictures]
    assert names == ["2.JPG", "10.jpg", "10²5.jpg", "monday/3.png", "monday/late/4.webp"]
    assert [path.name for path in found.films] == ["walk.MOV", "talk.mp4"]
    assert (found.hidden, found.folders) == (5, 0)


def test_a_glob_leaves_the_same_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = list_glob(f"{folder}/*.jpg")
    assert [path.name for path in found.pictures] == ["10.jpg", "10²5.jpg"]
    assert (found.hidden, found.root) == (2, folder)
    monkeypatch.chdir(folder)
    found = list_glob("mon*/*.png")
    assert found.pictures == (Path("monday/3.png"),)
    assert found.hidden == 1


def pictures_of(pattern: str) -> tuple[Path, ...]:
    """None where the pattern is refused, which is one line."""
    try:
        return list_glob(pattern).pictures
    except BadInput as error:
        return () if "\n" not in str(error) else (Path("more than a line"),)


@pytest.mark.parametrize("pattern", ["***/x", "[", "a" * 300 + "*", "~nobody/*.jpg", "**a/*"])
def test_a_pattern_that_cannot_be_finds_nothing(pattern: str, tmp_path: Path) -> None:
    assert pictures_of(f"{tmp_path}/{pattern}") == ()
    assert pictures_of(pattern) == ()


@given(st.text(alphabet="*?[]/~!a²1.", min_size=1, max_size=8).filter(is_glob))
def test_no_pattern_breaks_it(pattern: str) -> None:
    assert pictures_of(f"/proc/sys/net/{pattern}".replace("**", "*")) == ()


def test_a_folder_without_images_is_one_line(folder: Path) -> None:
    (folder / "none").mkdir()
    with pytest.raises(BadInput, match="no images"):
        find_images(folder / "none")
    with pytest.raises(BadInput, match="No such file"):
        find_images(folder / "nowhere")
