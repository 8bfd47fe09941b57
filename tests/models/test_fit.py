from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_edge.engine.errors import BadInput, OutputNotWritable
from fer_edge.models.data import divide, load_dataset
from fer_edge.models.keras_backend import import_keras

keras = import_keras()

from fer_edge.models import fit  # noqa: E402
from fer_edge.models.batches import as_input  # noqa: E402
from fer_edge.models.fit import CHECKPOINT, MODEL, predict, train  # noqa: E402
from fer_edge.models.keras_files import load_for_training  # noqa: E402
from fer_edge.models.networks import build_network  # noqa: E402
from fer_edge.models.networks.initial import named_variables  # noqa: E402
from fer_edge.models.teachers import Teachers  # noqa: E402

from .tiny_faces import SEVEN, TINY, shades, write_npz  # noqa: E402

TRAINING, HELD_OUT = shades(96), shades(28, seed=5)


def run(folder: Path, config: Any = TINY, training: Any = TRAINING) -> Any:
    return train(config, training, HELD_OUT, SEVEN, folder, quiet=True)


def run_in_parts(
    folder: Path, config: Any, monkeypatch: pytest.MonkeyPatch, interruptions: int = 2
) -> Any:
    """A run that is interrupted after each of the first epochs that it does."""
    save = fit.save_checkpoint

    def killed(*arguments: Any) -> None:
        save(*arguments)
        raise KeyboardInterrupt

    for _ in range(interruptions):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(fit, "save_checkpoint", killed)
            run(folder, config)
    return run(folder, config)


def assert_same(one: Any, other: Any) -> None:
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_a_tiny_network_learns_shades(tmp_path: Path) -> None:
    network = run(tmp_path, replace(TINY, epochs=12, peak_learning_rate=0.1))
    right = predict(network, HELD_OUT.images).argmax(1) == HELD_OUT.labels
    assert right.mean() > 0.6
    rows = [line.split(",") for line in (tmp_path / "log.csv").read_text().splitlines()]
    assert [row[0] for row in rows] == ["epoch", *map(str, range(1, 13))]
    losses = [float(row[1]) for row in rows[1:]]
    assert losses[-1] < losses[0]
    assert float(rows[-1][3]) == pytest.approx(right.mean(), abs=1e-4)
    assert list((tmp_path / "tensorboard").glob("events*"))


def test_the_file_holds_network_scaling_and_names(tmp_path: Path) -> None:
    network = run(tmp_path)
    loaded, file = load_for_training(tmp_path / MODEL)
    assert file.labels == SEVEN
    assert file.scales_pixels
    assert_same(network, loaded)


def test_an_interrupted_run_ends_as_a_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(TINY, epochs=3, mixup=0.2, network={**TINY.network, "dropout": 0.5})
    whole = run(tmp_path / "whole", config)
    assert_same(run_in_parts(tmp_path / "parts", config, monkeypatch), whole)
    lines = (tmp_path / "parts/log.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch", "1", "2", "3"]


def test_killed_without_warning_it_goes_on(tmp_path: Path) -> None:
    """SIGKILL at whatever moment: the same command then finishes the run."""
    data = write_npz(tmp_path / "faces.npz")
    (tmp_path / "run.json").write_text(replace(TINY, epochs=40).to_json())
    words = ["fit", str(data), "-o", str(tmp_path / "out"), "--config", str(tmp_path / "run.json")]
    command = [sys.executable, "-m", "fer_edge.models.cli", *words]
    state = tmp_path / "out" / CHECKPOINT
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while not state.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
    with np.load(state, allow_pickle=False) as archive:
        reached = json.loads(str(archive["about"]))["progress"]["epoch"]
    assert 1 <= reached < 40
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "going on after epoch" in done.stderr
    lines = (tmp_path / "out/log.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == [str(e) for e in range(1, 41)]
    splits = load_dataset(data).splits
    figures = json.loads((tmp_path / "out/report/figures.json").read_text())
    assert figures["accuracy"]["count"] == len(splits["PublicTest"]) == 32
    assert figures["without_seen"]["count"] == 31


def test_a_constant_rate_can_be_made_longer(tmp_path: Path) -> None:
    short = replace(TINY, decay="constant", epochs=2)
    run(tmp_path / "a", short)
    longer = replace(short, epochs=4, cooldown_epochs=1)
    assert_same(run(tmp_path / "a", longer), run(tmp_path / "b", longer))
    with pytest.raises(BadInput, match="its 4 epochs were made with another epochs;"):
        run(tmp_path / "a", replace(longer, epochs=6))


def test_a_run_that_has_ended_can_be_restarted(tmp_path: Path) -> None:
    ended = replace(TINY, decay="constant", epochs=2, cooldown_epochs=1)
    run(tmp_path / "a", ended)
    longer = replace(ended, epochs=4, restarts=[[2, 1]], snapshot_share=0.5)
    assert_same(run(tmp_path / "a", longer), run(tmp_path / "b", longer))
    with np.load(tmp_path / "a" / CHECKPOINT) as archive:
        said = archive["taught0000"]
    assert said.shape == (len(shades(96)), 7)
    np.testing.assert_allclose(said.astype(float).sum(1), 1, atol=1e-2)
    with pytest.raises(BadInput, match="another snapshot_share"):
        run(tmp_path / "a", replace(longer, snapshot_share=0.2))


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


def test_runs_in_a_row_go_on_where_they_were_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(TINY, snapshot_share=0.5, previous=replace(TINY, epochs=1, seed=4))
    whole = run(tmp_path / "whole", config)
    assert_same(run_in_parts(tmp_path / "parts", config, monkeypatch), whole)
    with pytest.raises(BadInput, match="another seed"):
        run(tmp_path / "parts", replace(config, previous=replace(TINY, epochs=1, seed=5)))
    wider = replace(TINY, network={**TINY.network, "widths": [4, 4]}, previous=TINY)
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
    images = as_input(HELD_OUT.images)
    alone = [np.asarray(network(images)) for network in networks]
    said = Teachers(networks, "float32", take_turns=True)(images)
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


def test_a_taught_run_goes_on_where_it_was_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(TINY, mixup=0.2, teachers=TEACHERS)
    whole = run(tmp_path / "whole", config)
    assert_same(run_in_parts(tmp_path / "parts", config, monkeypatch, 4), whole)
    with pytest.raises(BadInput, match="another seed"):
        run(tmp_path / "parts", replace(config, teachers=[replace(TEACHERS[0], seed=9)]))


def test_another_run_s_folder_is_left_alone(tmp_path: Path) -> None:
    run(tmp_path)
    before = (tmp_path / CHECKPOINT).read_bytes()
    with pytest.raises(BadInput, match=r"another epochs; give another --output"):
        run(tmp_path, replace(TINY, epochs=3))
    with pytest.raises(BadInput, match="another batch_size, seed"):
        run(tmp_path, replace(TINY, seed=2, batch_size=8))
    with pytest.raises(BadInput, match="with other faces"):
        run(tmp_path, TINY, shades(96, seed=9))
    assert (tmp_path / CHECKPOINT).read_bytes() == before
    (tmp_path / CHECKPOINT).write_bytes(before[:1000])
    with pytest.raises(BadInput, match="a damaged checkpoint"):
        run(tmp_path)


def test_patience_ends_a_run_and_takes_its_best(tmp_path: Path) -> None:
    still = replace(TINY, epochs=30, patience=3, peak_learning_rate=1e-12)
    network = run(tmp_path, still)
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 1 + 1 + 3
    assert_same(run(tmp_path, still), network)


def test_too_few_faces_and_bad_folders_are_explained(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="9 faces to train on do not fill a batch of 16"):
        run(tmp_path / "x", TINY, shades(9))
    (tmp_path / "file").touch()
    with pytest.raises(OutputNotWritable, match="cannot be made"):
        run(tmp_path / "file" / "x")


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_other_back_ends_train_the_same_network(tmp_path: Path, backend: str) -> None:
    pytest.importorskip(backend, reason=f"{backend} is not installed")
    data = write_npz(tmp_path / "faces.npz")
    # Back ends draw first weights and dropout differently.
    first = named_variables(build_network(TINY.architecture, 7, TINY.network))
    np.savez(tmp_path / "first.npz", **{name: np.array(v) for name, v in first.items()})
    config = replace(
        TINY,
        initial_weights=str(tmp_path / "first.npz"),
        network={**TINY.network, "dropout": 0.0},
    )
    (tmp_path / "run.json").write_text(config.to_json())
    words = ["fit", str(data), "-o", f"{tmp_path}/out", "--config", f"{tmp_path}/run.json"]
    command = [sys.executable, "-m", "fer_edge.models.cli", *words, "--keras-backend", backend]
    subprocess.run(command, capture_output=True, text=True, check=True)
    there, _ = load_for_training(tmp_path / "out" / MODEL)
    division = divide(load_dataset(data), config.seed)
    here = train(config, division.training, division.held_out, SEVEN, tmp_path / "here", quiet=True)
    images = division.held_out.images
    np.testing.assert_allclose(predict(there, images), predict(here, images), atol=0.01)
