from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_edge.engine.errors import BadInput, InputNotFound, OutputNotWritable
from fer_edge.engine.outputs import only_run_in
from fer_edge.models.keras_backend import import_keras

import_keras()

from fer_edge.models import fit, runs  # noqa: E402
from fer_edge.models.batches import as_input  # noqa: E402
from fer_edge.models.fit import CHECKPOINT, MODEL, predict  # noqa: E402
from fer_edge.models.keras_files import load_for_training  # noqa: E402
from fer_edge.models.networks import build_network  # noqa: E402
from fer_edge.models.networks.initial import named_variables  # noqa: E402
from fer_edge.models.runs import train  # noqa: E402
from fer_edge.models.teachers import Teachers  # noqa: E402

from .tiny_faces import SEVEN, TINY  # noqa: E402
from .training import HELD_OUT, TRAINING, assert_same, run, run_in_parts  # noqa: E402

RESIDUAL = {"widths": [8, 8], "blocks": [1, 1], "dropout": 0.0}


def test_a_run_begins_with_the_network_of_the_one_before(tmp_path: Path) -> None:
    first = replace(TINY, architecture="residual", network=RESIDUAL, epochs=2)
    grown = replace(first, network={**RESIDUAL, "blocks": [2, 1]}, snapshot_share=0.5)
    still = replace(grown, epochs=1, peak_learning_rate=1e-12, average_decay=0.0, previous=first)
    network = run(tmp_path / "a", still)
    earlier = run(tmp_path / "b", first)
    assert_same(load_for_training(tmp_path / "a/previous" / MODEL)[0], earlier)
    assert network.count_params() > earlier.count_params()
    # A new block begins as the identity, and so the answers are those of the earlier network.
    tables = named_variables(network)
    np.testing.assert_allclose(tables["stage1_2_conv2_norm/gamma"], 0, atol=1e-9)
    for name, array in named_variables(earlier).items():
        if "moving" not in name:
            np.testing.assert_allclose(array, tables[name], atol=1e-6)
    with np.load(tmp_path / "a" / CHECKPOINT) as archive:
        said = archive["taught0000"].astype(float)
    images = TRAINING.images
    both = predict(earlier, images), predict(earlier, images[..., ::-1])
    np.testing.assert_allclose(said, np.mean(both, axis=0), atol=2e-3)


def test_a_narrower_mobilenet_begins_with_channels_of_the_one_before(tmp_path: Path) -> None:
    wide = {"resolution": 32, "widths": [6] * 13, "features": 6}
    first = replace(TINY, architecture="mobilenet", network=wide, epochs=1)
    narrow = {**wide, "widths": [4] * 13, "features": 4}
    still = replace(first, network=narrow, peak_learning_rate=1e-12, average_decay=0.0)
    network = run(tmp_path, replace(still, previous=first))
    earlier = load_for_training(tmp_path / "previous" / MODEL)[0]
    assert network.count_params() < earlier.count_params()
    kernels, before = (np.asarray(net.get_layer("stem").kernel) for net in (network, earlier))
    for kernel in np.moveaxis(kernels, -1, 0):
        assert np.isclose(kernel[..., None], before, atol=1e-6).all(axis=(0, 1, 2)).sum() == 1


def test_missing_first_weights_are_missed_before_the_first_run(tmp_path: Path) -> None:
    lacking = replace(TINY, seed=9, initial_weights=str(tmp_path / "none.npz"))
    config = replace(TINY, teachers=[TINY, lacking])
    with pytest.raises(InputNotFound, match=r"none\.npz"):
        run(tmp_path / "a", config)
    assert not (tmp_path / "a").exists()


def test_runs_in_a_row_go_on_where_they_were_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(TINY, snapshot_share=0.5, previous=replace(TINY, epochs=1, seed=4))
    whole = run(tmp_path / "whole", config)
    assert_same(run_in_parts(tmp_path / "parts", config, monkeypatch), whole)
    with pytest.raises(BadInput, match="another seed"):
        run(tmp_path / "parts", replace(config, previous=replace(TINY, epochs=1, seed=5)))
    wider = replace(TINY, network={**TINY.network, "widths": [8]}, previous=TINY)
    with pytest.raises(BadInput, match=r"the previous run: .* is "):
        run(tmp_path / "wider", wider)


TEACHERS = [
    replace(TINY, epochs=1, seed=2),
    replace(TINY, epochs=1, seed=3, architecture="residual", network=RESIDUAL),
]


def test_a_run_learns_what_its_teachers_say(tmp_path: Path) -> None:
    """Taught by networks that know nothing, and by them alone, it comes to know nothing."""
    knowing = replace(TINY, epochs=12, peak_learning_rate=0.1, label_smoothing=0.0)
    ignorant = [replace(knowing, epochs=1, peak_learning_rate=1e-12, seed=n) for n in (2, 3)]
    network = run(tmp_path, replace(knowing, teachers=ignorant, teacher_share=1.0))
    images = HELD_OUT.images
    teachers = [load_for_training(tmp_path / f"teachers/{n}" / MODEL)[0] for n in (1, 2)]
    said = np.mean([predict(one, images) for one in teachers], axis=0)
    np.testing.assert_allclose(Teachers(teachers, "float32")(as_input(images)), said, atol=1e-5)
    far = np.abs(np.eye(7)[HELD_OUT.labels] - said).mean()
    assert np.abs(predict(network, images) - said).mean() < 0.2 * far


def test_the_network_of_the_run_before_may_teach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught: list[Any] = []

    class Asked(Teachers):
        def __init__(self, networks: Sequence[Any], *rest: Any) -> None:
            taught.extend(networks)
            super().__init__(networks, *rest)

    monkeypatch.setattr(fit, "Teachers", Asked)
    first = replace(TINY, epochs=1)
    config = replace(TINY, previous=first, previous_teaches=True, teachers=TEACHERS[:1])
    run(tmp_path, config)
    names = [Path("previous"), Path("teachers/1")]
    for network, name in zip(taught, names, strict=True):
        assert_same(network, load_for_training(tmp_path / name / MODEL)[0])


def test_teachers_may_take_turns(tmp_path: Path) -> None:
    networks = [build_network("residual", 7, RESIDUAL) for _ in range(3)]
    images = HELD_OUT.images
    alone = [predict(network, images) for network in networks]
    said = Teachers(networks, "float32", take_turns=True)(as_input(images))
    parts = np.array_split(np.arange(len(images)), 3)
    for part, answer in zip(parts, alone, strict=True):
        np.testing.assert_allclose(said[part], answer[part], atol=1e-5)
    assert np.abs(alone[0] - alone[1]).max() > 1e-3


def test_equal_runs_are_made_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    teacher = replace(TEACHERS[0], epochs=1)
    earlier = replace(TINY, epochs=1, seed=8, teachers=[teacher])
    config = replace(
        TINY, previous=earlier, teachers=[teacher, earlier, TEACHERS[1]], teachers_take_turns=True
    )
    train(config, TRAINING, HELD_OUT, SEVEN, tmp_path)
    made = {str(path.parent.relative_to(tmp_path)) for path in tmp_path.rglob(MODEL)}
    assert made == {".", "previous", "previous/teachers/1", "teachers/3"}
    said = capfd.readouterr().err
    assert f"the previous run: {tmp_path / 'previous'}" in said
    assert "teacher 2 of 3: one that was made before" in said
    again = train(config, TRAINING, HELD_OUT, SEVEN, tmp_path)
    assert_same(again, load_for_training(tmp_path / MODEL)[0])
    assert {str(path.parent.relative_to(tmp_path)) for path in tmp_path.rglob(MODEL)} == made
    said = capfd.readouterr().err
    inner = tmp_path / "previous" / "teachers" / "1" / MODEL
    assert f"teacher 1 of 3: {inner}, finished" in said
    assert "epoch 1/" not in said


def test_a_finished_run_is_read_and_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(TINY, previous=replace(TINY, epochs=1), teachers=TEACHERS)
    run(tmp_path, replace(config, decay="constant"))
    made: list[Path] = []
    once = runs.train_one
    monkeypatch.setattr(runs, "train_one", lambda *rest: (made.append(rest[4]), once(*rest))[1])
    longer = replace(config, decay="constant", epochs=3)
    network = run(tmp_path, longer)
    assert made == [tmp_path]
    monkeypatch.undo()
    assert_same(network, run(tmp_path / "whole", longer))
    with pytest.raises(BadInput, match="another seed"):
        run(tmp_path, replace(longer, previous=replace(TINY, epochs=1, seed=5)))


def test_a_taught_run_goes_on_where_it_was_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(TINY, mixup=0.2, teachers=TEACHERS)
    whole = run(tmp_path / "whole", config)
    assert_same(run_in_parts(tmp_path / "parts", config, monkeypatch, 4), whole)
    with pytest.raises(BadInput, match="another seed"):
        run(tmp_path / "parts", replace(config, teachers=[replace(TEACHERS[0], seed=9)]))


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    with only_run_in(tmp_path), pytest.raises(OutputNotWritable, match="another run"):
        run(tmp_path, replace(TINY, epochs=1))
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]
