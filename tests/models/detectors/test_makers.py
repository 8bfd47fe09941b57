"""The programs that make the shipped detectors of other people's packages."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from fer_edge.engine.errors import BadInput, InputNotFound
from fer_edge.models.detectors import centerface, yunet_s
from fer_edge.models.detectors.wheel import Member, make_detector

CONTENT = b"weights of a network"
MEMBER = Member(
    wheel="package==1.0",
    name="package/network.onnx",
    size=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
)


def wheel(path: Path, name: str = MEMBER.name, content: bytes = CONTENT) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return path


def test_a_pinned_file_is_read_out_of_a_wheel(tmp_path: Path) -> None:
    assert MEMBER.read(wheel(tmp_path / "p.whl")) == CONTENT


def test_any_other_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound, match=r"pip download package==1\.0"):
        MEMBER.read(tmp_path / "none.whl")
    (tmp_path / "text.whl").write_text("hello")
    with pytest.raises(BadInput, match="cannot be read as a wheel"):
        MEMBER.read(tmp_path / "text.whl")
    with pytest.raises(BadInput, match=r"holds no package/network\.onnx"):
        MEMBER.read(wheel(tmp_path / "other.whl", name="package/other.onnx"))
    with pytest.raises(BadInput, match="another size"):
        MEMBER.read(wheel(tmp_path / "bomb.whl", content=bytes(1 << 24)))
    with pytest.raises(BadInput, match=r"has SHA-256 .* expected"):
        MEMBER.read(wheel(tmp_path / "changed.whl", content=CONTENT[::-1]))


def test_the_command_line_says_it_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = wheel(tmp_path / "changed.whl", content=CONTENT[::-1])
    monkeypatch.setattr("sys.argv", ["maker", str(path), "-o", str(tmp_path / "out.onnx")])
    assert make_detector(MEMBER, "network.onnx", bytes, "Make it.") == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out.onnx").exists()


def test_a_library_without_the_arrays_is_refused() -> None:
    with pytest.raises(BadInput, match="no shared library"):
        yunet_s.yunet_s(b"no ELF at all")
    with pytest.raises(BadInput, match="has no array"):
        yunet_s.yunet_s(next(Path(np.__file__).parent.rglob("*.so")).read_bytes())


def test_sources_are_pinned() -> None:
    for source in (centerface.SOURCE, yunet_s.SOURCE):
        assert len(source.sha256) == 64
        assert "==" in source.wheel


class Arrays:
    """Arrays of a YuNet-s by the names of their symbols, as the library keeps them."""

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        self.weights = weights

    def __call__(self, name: str) -> np.ndarray:
        unit, part, kind = name.rsplit("_", 2)
        array = self.weights[f"{unit}_{part}.{kind[0]}"]
        if kind == "bias":
            return array
        if name == "backbone__model0_pw_weight":
            rows = np.zeros((16, 32), np.float32)
            rows[:, :27] = array.transpose(0, 2, 3, 1).reshape(16, 27)
            return rows.ravel()
        return array.reshape(len(array), 9).T.ravel() if part == "dw" else array.ravel()


def test_the_network_is_that_of_the_same_weights(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rebuilt from the arrays of a file that others made, it answers as that file does."""
    import onnx
    from onnx import numpy_helper

    path = shared / "models" / "yunet_s.onnx"
    weights = {w.name: numpy_helper.to_array(w) for w in onnx.load(path).graph.initializer}
    monkeypatch.setattr(yunet_s, "SharedLibrary", lambda _: Arrays(weights))
    ours = ort.InferenceSession(yunet_s.yunet_s(b""))
    theirs = ort.InferenceSession(str(path))
    names = [output.name for output in theirs.get_outputs()]
    picture = np.random.default_rng(0).integers(0, 256, (1, 3, 96, 128)).astype(np.float32)
    found = ours.run(names, {"image": picture})
    expected = theirs.run(names, {theirs.get_inputs()[0].name: picture})
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
