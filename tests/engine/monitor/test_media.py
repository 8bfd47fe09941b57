from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.errors import BadInput
from fer_edge.engine.monitor.media import Media


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("media")
    for name in ("open/a.mp4", "open/deep/b.png", "open/notes.txt", "secret/c.mp4", "opener/d.mp4"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    (root / "open" / "link.mp4").symlink_to(root / "secret" / "c.mp4")
    (root / "open" / "out").symlink_to(root / "secret")
    return root


def test_files_of_allowed_folders_are_offered_and_no_others(tree: Path) -> None:
    _, files = Media([tree / "open"]).offers()
    assert [Path(file).name for file in files] == ["a.mp4", "b.png"]
    assert Media().offers()[1] == []


@pytest.mark.parametrize(
    "name", ["open/a.mp4", "open/deep/../a.mp4", "open/deep", "secret/../open/a.mp4"]
)
def test_paths_inside_may_be_opened(tree: Path, name: str) -> None:
    uri = Media([tree / "open"]).allowed(f"{tree}/{name}")
    assert uri == str((tree / name).resolve())


@pytest.mark.parametrize(
    "name",
    [
        *("secret/c.mp4", "open/../secret/c.mp4", "open/link.mp4", "open/out/c.mp4"),
        *("opener/d.mp4", "open/missing.mp4", "open/*", "open/a.mp4\0", ""),
        "open/" + "long" * 100,
    ],
)
def test_paths_that_lead_out_may_not(tree: Path, name: str) -> None:
    for prefix in ("", "file://"):
        with pytest.raises(BadInput):
            Media([tree / "open"]).allowed(f"{prefix}{tree}/{name}")


@pytest.mark.parametrize("name", ["~nobody-of-this-name.mp4", "~nobody-of-this-name/x.mp4", "~"])
def test_homes_lead_out_whether_they_exist_or_not(tree: Path, name: str) -> None:
    with pytest.raises(BadInput, match="not in a folder"):
        Media([tree / "open"]).allowed(name)


@given(
    parts=st.lists(
        st.sampled_from(
            ["..", ".", "open", "secret", "c.mp4", "a.mp4", "out", "~", "link.mp4", "//", "%2e%2e"]
        ),
        max_size=8,
    )
)
def test_no_path_reaches_the_secret(tree: Path, parts: list[str]) -> None:
    try:
        uri = Media([tree / "open"]).allowed(f"{tree}/open/" + "/".join(parts))
    except BadInput:
        return
    assert (tree / "open") in [Path(uri), *Path(uri).parents]
    assert "secret" not in Path(uri).resolve().parts


@pytest.mark.parametrize("uri", ["demo", "camera:0", "rtsp://me:pw@host/live", "http://host/a.mp4"])
def test_cameras_streams_and_the_demo_may_be_opened(uri: str) -> None:
    assert Media().allowed(uri) == uri


@pytest.mark.parametrize(
    "uri",
    [
        "camera:",
        "camera:-1",
        "camera:0/../x",
        "concat:/etc/passwd|x",
        "data://x",
        "rtsp://",
        "http://[",
        "pipe:0",
        "rtsp://me:pw@",
    ],
)
def test_other_addresses_may_not_and_keep_their_secrets(uri: str) -> None:
    with pytest.raises(BadInput) as caught:
        Media().allowed(uri)
    assert "pw" not in str(caught.value)
