from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.engine_file import (
    MAGIC,
    EngineFacts,
    check_runs_on,
    is_engine,
    read_engine,
    to_bytes,
)
from fer_edge.engine.errors import BadInput, InputNotFound

from .scripted import detector_facts, expression_facts

ENGINE = EngineFacts(
    target="tensorrt-rtx", version="1.7.1.116", precision="fp16", onnx_name="face.onnx",
    onnx_sha256="0" * 64, compute_capabilities=("7.5", "8.6"), gpu=None, batch=(1, 4, 16),
    version_compatible=False, hardware_compatible=False,
)  # fmt: skip


sizes = st.tuples(st.integers(1, 4096), st.integers(1, 4096))


@given(
    payload=st.binary(max_size=300), gpu=st.none() | st.text(max_size=20), size=st.none() | sizes
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    payload: bytes,
    gpu: str | None,
    size: tuple[int, int] | None,
) -> None:
    path = tmp_path_factory.mktemp("e") / "m.engine"
    engine = replace(ENGINE, gpu=gpu, size=size)
    path.write_bytes(to_bytes(expression_facts(), engine, payload))
    read = read_engine(path)
    assert (read.facts, read.engine, read.payload) == (expression_facts(), engine, payload)
    assert is_engine(path)


def test_engines_of_before_there_were_sizes_are_read(tmp_path: Path) -> None:
    path = tmp_path / "m.engine"
    whole = to_bytes(expression_facts(), ENGINE, b"payload")
    header = whole[len(MAGIC) + 36 : -7].replace(b', "size": null', b"")
    digest = hashlib.sha256(header + b"payload").digest()
    path.write_bytes(MAGIC + len(header).to_bytes(4, "little") + digest + header + b"payload")
    assert read_engine(path).engine == ENGINE


def test_a_size_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.engine"
    path.write_bytes(to_bytes(detector_facts(), replace(ENGINE, size=(320,)), b""))  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="unusable header"):
        read_engine(path)


def test_the_command_that_builds_it_again_names_the_size() -> None:
    assert replace(ENGINE, size=(320, 256)).rebuild_command() == (
        "fer-convert face.onnx --target tensorrt-rtx --size 320x256 --precision fp16"
    )


@given(data=st.data())
def test_no_damage_goes_unseen(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("e") / "m.engine"
    whole = to_bytes(detector_facts(), ENGINE, b"payload" * 20)
    place = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        damaged = whole[:place]
    else:
        damaged = whole[:place] + bytes([whole[place] ^ data.draw(st.integers(1, 255))])
        damaged += whole[place + 1 :]
    path.write_bytes(damaged)
    with pytest.raises(BadInput, match=r"m\.engine"):
        read_engine(path)


def test_files_of_others_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound, match=r"none\.engine"):
        read_engine(tmp_path / "none.engine")
    (tmp_path / "x.engine").write_bytes(b"vtrt" + b"\0" * 100)
    with pytest.raises(BadInput, match="not an engine of fer-convert"):
        read_engine(tmp_path / "x.engine")
    assert not is_engine(tmp_path / "x.engine")
    assert not is_engine(tmp_path / "none.engine")
    (tmp_path / "y.engine").write_bytes(b"FEREDGE\x01" + b"\xff" * 4 + b"{}")
    with pytest.raises(BadInput, match="cut off in its header"):
        read_engine(tmp_path / "y.engine")
    (tmp_path / "z.engine").write_bytes(b"FEREDGE\x01\x02\0\0\0" + b"\0" * 32 + b"[]")
    with pytest.raises(BadInput, match="header is damaged"):
        read_engine(tmp_path / "z.engine")


def test_a_cut_off_engine_says_how_to_build_it_again(tmp_path: Path) -> None:
    path = tmp_path / "m.engine"
    path.write_bytes(to_bytes(detector_facts(), ENGINE, b"x" * 1000)[:-400])
    with pytest.raises(BadInput, match=r"600 of 1,000 bytes.*fer-convert face\.onnx --target"):
        read_engine(path)


@pytest.mark.parametrize(
    ("changes", "version", "capability", "runs"),
    [
        ({}, "1.7.1.116", "8.6", True),
        ({}, "1.7.1.116", "8.9", False),
        ({}, "1.6.0.1", "8.6", False),
        ({"version_compatible": True}, "1.8.0.1", "8.6", True),
        ({"version_compatible": True}, "1.6.0.1", "8.6", False),
        ({"version_compatible": True}, "2.0.0.1", "8.6", False),
        ({"hardware_compatible": True}, "1.7.1.116", "12.0", True),
        ({"hardware_compatible": True}, "1.7.1.116", "7.5", False),
    ],
)
def test_both_sides_are_named_where_it_does_not_run(
    changes: dict[str, bool], version: str, capability: str, runs: bool
) -> None:
    engine = replace(ENGINE, **changes)
    if runs:
        check_runs_on(Path("m.engine"), engine, version, capability)
        return
    with pytest.raises(BadInput) as caught:
        check_runs_on(Path("m.engine"), engine, version, capability)
    message = str(caught.value)
    assert "built by TensorRT-RTX 1.7.1.116 for SM 7.5, 8.6" in message
    assert f"this machine has TensorRT-RTX {version}, SM {capability}" in message
    assert "fer-convert face.onnx --target tensorrt-rtx --precision fp16" in message
