"""The shipped weights do what their cards say."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.engine import Pipeline
from fer_edge.engine.backends import Backend, open_backend
from fer_edge.engine.config import DETECTOR_FILE, DETECTOR_FILES, EXPRESSION_FILE, shipped_weights
from fer_edge.engine.detector import Detector
from fer_edge.engine.geometry import iou_matrix
from fer_edge.engine.model import FER2013_LABELS, HEADS, ModelFacts, read_facts
from fer_edge.engine.plans.candidates import Variant, find_variants
from fer_edge.engine.preprocess import network_input
from fer_edge.engine.sources.demo import demo_face_box
from fer_edge.engine.types import Floats
from fer_edge.models.data import load_dataset

from ..conftest import REPOSITORY

MODELS = REPOSITORY / "models"


def test_every_demo_frame_has_its_one_face_where_it_is() -> None:
    overlaps, ids, names = [], set(), []
    with Pipeline.open("demo") as pipeline:
        for result in pipeline:
            assert len(result.faces) == 1, result.frame.index
            (face,) = result.faces
            truth = np.array([demo_face_box(result.frame.index)], np.float32)
            overlaps.append(iou_matrix(np.array([face.track.box], np.float32), truth)[0, 0])
            ids.add(face.track.id)
            names.append(face.expression)
            if result.frame.index == 299:
                pipeline.stop()
    assert len(overlaps) == 300
    # The detector's boxes are taller than the hand-marked one, by hair and neck.
    assert np.median(overlaps) > 0.6
    assert min(overlaps) > 0.45
    assert ids == {1}
    assert names.count("happy") > 240


def test_frames_as_bytes_give_the_faces_that_the_oracle_gives(shared: Path) -> None:
    """OpenVINO's own way from frame to network, held to what fer-convert allows of half."""
    photos = sorted((shared / "data" / "photos").glob("*.jpg"))
    with open_backend(shipped_weights(DETECTOR_FILE), "openvino") as backend:
        quick, plain = Detector(backend, 0.3), Detector(_Plain(backend), 0.3)
        for path in photos:
            photo = np.asarray(cv2.imread(str(path)), np.uint8)
            found, expected = quick(photo), plain(photo)
            assert len(found) == len(expected) > 0
            overlap = iou_matrix(found.boxes, expected.boxes)
            assert overlap.max(axis=1).min() >= 0.9
            partner = overlap.argmax(axis=1)
            np.testing.assert_allclose(found.scores, expected.scores[partner], atol=0.03)


class _Plain(Backend):
    """A backend that prepares frames as every other does."""

    def __init__(self, backend: Backend) -> None:
        self.facts, self._backend = backend.facts, backend

    @classmethod
    def open(cls, path: Path, facts: ModelFacts) -> Backend:
        raise NotImplementedError

    def infer(self, inputs: Mapping[str, Floats]) -> dict[str, Floats]:
        return self._backend.infer(inputs)

    def close(self) -> None:
        pass


def test_both_models_are_half_precision_and_small_enough() -> None:
    paths = [shipped_weights(name) for name in (DETECTOR_FILE, EXPRESSION_FILE)]
    assert sum(path.stat().st_size for path in paths) < 18e6
    detector, expression = map(read_facts, paths)
    assert (detector.kind, expression.kind) == ("detector", "expression")
    assert {detector.precision, expression.precision} == {"fp16"}
    assert expression.labels == FER2013_LABELS


@pytest.mark.parametrize(
    "name",
    [
        "centerface.onnx",
        "yunet_s.onnx",
        "face_detector.onnx",
        "expression.onnx",
        "expression.keras",
        "expression_64.keras",
    ],
)
def test_the_cards_name_the_very_files(name: str) -> None:
    card = (MODELS / name).with_suffix(".md").read_text()
    assert hashlib.sha256((MODELS / name).read_bytes()).hexdigest() in card
    for word in ("Origin", "Licence", "Training data", "Accuracy", "limits", "SHA-256"):
        assert word in card, word


def test_what_detectors_frame_is_cut_out_as_the_model_learned_it() -> None:
    frames = {
        name: getattr(read_facts(shipped_weights(file)).detector, "face_frame", None)
        for name, file in DETECTOR_FILES.items()
    }
    assert None not in frames.values()
    small = read_facts(MODELS / "centerface.int8.onnx").detector
    assert small is not None
    assert small.face_frame == frames["default"]
    expression = read_facts(shipped_weights(EXPRESSION_FILE)).expression
    assert expression is not None
    assert expression.crop_scale is None


def test_the_default_detector_has_an_int8_file_beside_it() -> None:
    path, beside = MODELS / "centerface.onnx", MODELS / "centerface.int8.onnx"
    assert Variant(beside.name, "int8") in find_variants(path, read_facts(path))
    assert hashlib.sha256(beside.read_bytes()).hexdigest() in path.with_suffix(".md").read_text()
    assert beside.stat().st_size < 2.2e6


@pytest.mark.parametrize("library", ["openvino", "onnxruntime"])
def test_int8_finds_the_same_faces_whoever_runs_it(shared: Path, library: str) -> None:
    photos = sorted((shared / "data" / "photos").glob("*.jpg"))
    seen = 0
    with (
        open_backend(MODELS / "centerface.onnx") as half,
        open_backend(MODELS / "centerface.int8.onnx", library) as small,
    ):
        for path in photos:
            photo = np.asarray(cv2.imread(str(path)), np.uint8)
            # A face at the edge of being none may be on either side of it.
            expected, found = Detector(half, 0.6)(photo), Detector(small, 0.45)(photo)
            overlap = iou_matrix(expected.boxes, found.boxes)
            assert overlap.max(axis=1).min() >= 0.7, path
            partner = overlap.argmax(axis=1)
            np.testing.assert_allclose(found.scores[partner], expected.scores, atol=0.15)
            seen += len(expected)
    assert seen > 15


def test_the_expression_model_is_the_converted_keras_file() -> None:
    source = hashlib.sha256((MODELS / "expression.keras").read_bytes()).hexdigest()
    assert read_facts(shipped_weights(EXPRESSION_FILE)).source_sha256 == source


def test_the_detector_was_made_of_the_shared_graph(shared: Path) -> None:
    graph = shared / "models" / "frozen_inference_graph_face.pb"
    facts = read_facts(shipped_weights(DETECTOR_FILE))
    assert facts.source_sha256 == hashlib.sha256(graph.read_bytes()).hexdigest()


def test_the_card_tells_the_true_figures_on_public_test(shared: Path) -> None:
    data = load_dataset(shared / "data" / "fer2013_original_train_public.npz")
    public = data.splits["PublicTest"]
    with open_backend(shipped_weights(EXPRESSION_FILE), "onnxruntime") as backend:
        see, expression = backend.facts.input, backend.facts.expression
        faces = [
            network_input(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), see) for image in public.images
        ]
        runs = [
            backend.infer({see.name: np.concatenate(faces[at : at + 64])})
            for at in range(0, len(faces), 64)
        ]
    assert expression is not None
    answers = {
        head: np.concatenate([run[expression.output_of(head, "")] for run in runs]).argmax(axis=1)
        for head in HEADS
    }
    card = (MODELS / "expression.md").read_text()
    truths = {"votes": public.majorities, "label": public.labels}
    rows = {"votes": "FER\\+'s ten taggers", "label": "FER2013's label, by its head"}
    for head, truth in truths.items():
        known = truth >= 0
        share = float((answers[head] == truth)[known].mean())
        told = re.search(rf"{rows[head]} \| ([\d.]+) % of {known.sum():,} ", card)
        assert told is not None, head
        assert share * 100 == pytest.approx(float(told[1]), abs=0.15)
    assert (answers["votes"] == public.majorities)[public.majorities >= 0].mean() > 0.85


@pytest.mark.parametrize("name", ["expression", "expression_64"])
def test_the_configuration_is_the_one_that_trained_it(name: str) -> None:
    from fer_edge.models.config import read_config
    from fer_edge.models.keras_backend import import_keras
    from fer_edge.models.keras_files import load_for_training

    import_keras()
    from fer_edge.models.networks import build_network

    config = read_config(MODELS / f"{name}.json")
    network = build_network(config.architecture, 7, config.network)
    shipped, file = load_for_training(MODELS / f"{name}.keras")
    assert file.labels == FER2013_LABELS
    shapes = [tuple(weight.shape) for weight in shipped.weights]
    assert shapes == [tuple(weight.shape) for weight in network.weights]
    assert f"{network.count_params():,}" in (MODELS / f"{name}.md").read_text()
