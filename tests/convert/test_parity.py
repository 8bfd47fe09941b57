"""Does the parity check notice what it is there to notice?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from fer_edge.convert.conversion import Conversion, Options, write
from fer_edge.convert.convert import check_parity
from fer_edge.convert.detector import convert_detector
from fer_edge.convert.expression import convert_expression
from fer_edge.convert.parity import DetectorParity, ExpressionParity
from fer_edge.convert.report import make_step
from fer_edge.engine.errors import ParityError
from fer_edge.engine.tolerances import TOLERANCES

from .ssd_graph import Recipe, write_ssd
from .tiny import save_tiny

Change = Callable[[np.ndarray], np.ndarray]


def edit(path: Path, wanted: Callable[[str, np.ndarray], bool], change: Change) -> None:
    """Change the one weight of an ONNX file that is `wanted`."""
    model = onnx.load(path)
    found = [
        tensor
        for tensor in model.graph.initializer
        if wanted(tensor.name, numpy_helper.to_array(tensor))
    ]
    assert len(found) == 1, [tensor.name for tensor in found]
    array = change(numpy_helper.to_array(found[0]).copy())
    found[0].CopyFrom(numpy_helper.from_array(array.astype(np.float32), found[0].name))
    onnx.save(model, path)


@pytest.fixture(scope="module")
def expression(tmp_path_factory: pytest.TempPathFactory) -> tuple[Conversion, Path]:
    folder = tmp_path_factory.mktemp("expression")
    source = save_tiny(keras, folder / "m.keras")
    conversion = convert_expression(source, Options(order="fer2013"), make_step(quiet=True))
    write(conversion, folder / "m.onnx")
    return conversion, folder / "m.onnx"


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> tuple[Conversion, Path]:
    folder = tmp_path_factory.mktemp("detector")
    write_ssd(folder / "d.pb", Recipe())
    conversion = convert_detector(folder / "d.pb", Options(), make_step(quiet=True))
    write(conversion, folder / "d.onnx")
    return conversion, folder / "d.onnx"


def test_a_faithful_expression_model_passes(expression: tuple[Conversion, Path]) -> None:
    parity = check_parity(*expression, None)
    assert isinstance(parity, ExpressionParity)
    assert parity.max_error < 1e-5
    assert parity.spread > 0.1
    assert not parity.notes()


@pytest.mark.parametrize(
    "change",
    [
        lambda w: w * 1.01,
        lambda w: w[::-1],
        lambda w: np.roll(w, 1, axis=1),
        lambda w: np.where(w == w.max(), np.nan, w),
    ],
    ids=["one percent more", "classes reversed", "features moved", "not a number"],
)
def test_a_changed_dense_layer_fails(
    change: Change, expression: tuple[Conversion, Path], tmp_path: Path
) -> None:
    conversion, original = expression
    path = tmp_path / "m.onnx"
    path.write_bytes(original.read_bytes())
    # The dense layer is a 1x1 convolution there, (classes, features, 1, 1).
    edit(path, lambda _, array: array.shape[2:] == (1, 1), change)
    with pytest.raises(ParityError, match=r"m\.keras: not converted"):
        check_parity(conversion, path, None)


def test_half_precision_has_a_tolerance_of_its_own_and_is_not_let_off(
    expression: tuple[Conversion, Path], tmp_path: Path
) -> None:
    conversion, _ = expression
    source = save_tiny(keras, tmp_path / "m.keras")
    half = convert_expression(
        source, Options(precision="fp16", order="fer2013"), make_step(quiet=True)
    )
    write(half, tmp_path / "half.onnx")
    assert check_parity(half, tmp_path / "half.onnx", None)
    with pytest.raises(ParityError):
        # Its errors are of half precision: those of fp32 do not allow them.
        check_parity(conversion, tmp_path / "half.onnx", None)


def test_a_faithful_detector_passes_on_detections(detector: tuple[Conversion, Path]) -> None:
    parity = check_parity(*detector, None)
    assert isinstance(parity, DetectorParity)
    assert parity.detections > 10
    assert not parity.notes()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("head/anchors", lambda a: a + np.array([0.02, 0, 0, 0])),
        ("head/anchors", lambda a: a * np.array([1, 1, 1.05, 1])),
        ("head/anchors", lambda a: a[:, [1, 0, 3, 2]]),
        ("head/yx", lambda a: a * 1.5),
        ("head/hw", lambda a: a * 0.5),
        ("head/half", lambda a: a * 1.1),
    ],
    ids=["moved", "taller", "x and y swapped", "centres coded", "sizes coded", "corners"],
)
def test_a_wrong_box_decoding_fails(
    name: str, change: Change, detector: tuple[Conversion, Path], tmp_path: Path
) -> None:
    conversion, original = detector
    path = tmp_path / "d.onnx"
    path.write_bytes(original.read_bytes())
    edit(path, lambda found, _: found.startswith(name), change)
    with pytest.raises(ParityError, match=r"d\.pb: not converted"):
        check_parity(conversion, path, None)


def test_an_untrained_network_is_said_to_prove_little(tmp_path: Path) -> None:
    image = keras.layers.Input((12, 12, 1))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(image))
    dense = keras.layers.Dense(7, activation="softmax", kernel_initializer="zeros")
    keras.Model(image, dense(x)).save(tmp_path / "m.keras")
    options = Options(order="fer2013")
    conversion = convert_expression(tmp_path / "m.keras", options, make_step(quiet=True))
    write(conversion, tmp_path / "m.onnx")
    parity = check_parity(conversion, tmp_path / "m.onnx", None)
    assert "proves little" in parity.notes()[0]


def test_pictures_without_a_detection_are_said_to_compare_nothing() -> None:
    parity = DetectorParity(1, 0.3, 0, 0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    assert "--images" in parity.notes()[0]


def test_of_many_detections_int8_may_lose_a_few() -> None:
    def parity(matched: int) -> DetectorParity:
        return DetectorParity(10, 0.5, 60, matched, 0.7, 0.2, 0.0, 0.01, 0.1, 0.1)

    parity(57).check(TOLERANCES["int8"])
    for precision, matched in (("int8", 56), ("fp16", 59), ("fp32", 59)):
        with pytest.raises(ParityError, match="of 60 detections differ"):
            parity(matched).check(TOLERANCES[precision])
