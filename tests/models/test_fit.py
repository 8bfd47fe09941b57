from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fer_edge.engine.errors import BadInput, OutputNotWritable
from fer_edge.models.cli import main
from fer_edge.models.data import divide, load_dataset, seen_in
from fer_edge.models.data.faces import join
from fer_edge.models.data.splits import keep_back
from fer_edge.models.keras_backend import import_keras

keras = import_keras()

from fer_edge.models.finetune import start_from  # noqa: E402
from fer_edge.models.fit import CHECKPOINT, MODEL, heads, predict  # noqa: E402
from fer_edge.models.keras_files import load_for_training  # noqa: E402
from fer_edge.models.networks import build_network  # noqa: E402
from fer_edge.models.networks.initial import named_variables  # noqa: E402
from fer_edge.models.runs import train  # noqa: E402

from .tiny_faces import SEVEN, TINY, shades, voted, write_npz  # noqa: E402
from .training import HELD_OUT, assert_same, run, run_in_parts  # noqa: E402


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


def test_killed_without_warning_it_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """SIGKILL at whatever moment: the same command then finishes the run."""
    data = write_npz(tmp_path / "faces.npz")
    (tmp_path / "run.json").write_text(replace(TINY, epochs=12).to_json())
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
    assert 1 <= reached < 12
    assert main(words) == 0
    assert "going on after epoch" in capsys.readouterr().err
    lines = (tmp_path / "out/log.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == [str(e) for e in range(1, 13)]
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


TWO_HEADS = replace(
    TINY, network={"widths": [4, 8], "convolutions": [1, 1], "label_head": True}, epochs=10,
    peak_learning_rate=0.1, label_share=0.4, kept_back_share=0.2,
)  # fmt: skip


def test_two_heads_learn_what_people_say_and_the_label(tmp_path: Path) -> None:
    faces = voted(160)
    network = run(tmp_path, TWO_HEADS, training=faces)
    by_votes, by_label = heads(network, HELD_OUT.images)
    for rows in (by_votes, by_label):
        assert (rows.argmax(1) == HELD_OUT.labels).mean() > 0.6
        np.testing.assert_allclose(rows.sum(1), 1, rtol=1e-4)
    loaded, _ = load_for_training(tmp_path / MODEL)
    np.testing.assert_allclose(predict(loaded, HELD_OUT.images), by_votes, atol=1e-5)


def test_a_second_head_begins_as_the_first_and_may_be_left_out(tmp_path: Path) -> None:
    network = {name: of for name, of in TWO_HEADS.network.items() if name != "label_head"}
    first = replace(TINY, network=network)
    two = replace(TWO_HEADS, previous=first, epochs=1, peak_learning_rate=1e-9, kept_back_share=0.0)
    network = run(tmp_path, two, training=voted(160))
    by_votes, by_label = heads(network, HELD_OUT.images)
    np.testing.assert_allclose(by_votes, by_label, atol=1e-3)
    start = start_from(tmp_path / MODEL, SEVEN)
    assert not start.new_head
    np.testing.assert_allclose(predict(start.network, HELD_OUT.images), by_votes, atol=1e-5)


def test_equal_pictures_are_kept_back_together() -> None:
    faces = voted(200)
    twice = join([faces, faces])
    others, kept = keep_back(twice, 0.3)
    assert 60 < len(kept) < 180
    assert not seen_in(kept.images, others.images).any()
    assert len(keep_back(faces, 0.0)[1]) == 0
