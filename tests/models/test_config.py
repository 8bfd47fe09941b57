from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.errors import BadInput, InputNotFound
from fer_edge.models.config import TrainingConfig, config_from_json, read_config

from ..conftest import REPOSITORY


@pytest.mark.parametrize(
    "name",
    ["expression.json", "expression_64.json", "finetune.json", "fit.json", "mobilenet.json"],
)
def test_the_shipped_ones_read_back_as_they_are_written(name: str) -> None:
    config = read_config(REPOSITORY / "models" / name)
    assert config_from_json(config.to_json()) == config


def test_restarts_are_read() -> None:
    config = config_from_json('{"epochs": 9, "restarts": [[3, 1], [7, 4]]}')
    assert config.restarts == [[3, 1], [7, 4]]


@given(epochs=st.integers(1, 400))
def test_a_run_of_another_length_keeps_its_proportions(epochs: int) -> None:
    whole = TrainingConfig(epochs=106, cooldown_epochs=32, restarts=[[46, 18], [60, 0]])
    scaled = whole.scaled(epochs)
    assert scaled.epochs == epochs
    assert abs(scaled.cooldown_epochs - 32 * epochs / 106) <= 0.5
    if epochs >= 10:
        ends = [end for end, _ in scaled.restarts]
        assert ends == pytest.approx([46 * epochs / 106, 60 * epochs / 106], abs=0.51)
    assert whole.scaled(106) == whole


@given(epochs=st.integers(1, 400))
def test_runs_in_a_row_share_the_epochs(epochs: int) -> None:
    first = TrainingConfig(epochs=106, initial_weights="face_recognition")
    whole = TrainingConfig(epochs=41, cooldown_epochs=34, previous=first, previous_teaches=True)
    scaled = whole.scaled(epochs)
    assert scaled.all_epochs == epochs
    assert scaled.first.initial_weights == "face_recognition"
    assert scaled.previous_teaches == (scaled.previous is not None)
    assert abs(scaled.epochs - max(1, 41 * epochs / 147)) < 1
    assert whole.scaled(147) == whole
    changed = whole.with_all(seed=7)
    assert (changed.seed, changed.first.seed, changed.all_epochs) == (7, 7, 147)


@given(epochs=st.integers(1, 900))
def test_teachers_share_the_epochs(epochs: int) -> None:
    teachers = [TrainingConfig(epochs=140, seed=seed) for seed in (2, 3, 4)]
    whole = TrainingConfig(epochs=180, previous=TrainingConfig(epochs=20), teachers=teachers)
    scaled = whole.scaled(epochs)
    assert scaled.all_epochs == epochs
    assert len(scaled.teachers) == (3 if 140 * epochs >= 620 else 0)
    for teacher in scaled.teachers:
        assert 0 <= 140 * epochs / 620 - teacher.epochs < 1
    assert whole.scaled(620) == whole


@given(epochs=st.integers(1, 900), seed=st.integers(0, 2**32 - 1))
def test_equal_runs_are_one_and_stay_equal(epochs: int, seed: int) -> None:
    teacher = TrainingConfig(epochs=140, seed=2)
    earlier = TrainingConfig(epochs=90, seed=9, teachers=[teacher])
    whole = TrainingConfig(epochs=70, previous=earlier, teachers=[teacher, earlier])
    assert [run.epochs for run in whole.runs] == [140, 90, 70]
    assert whole.scaled(epochs).all_epochs == epochs
    changed = whole.with_all(seed=seed, batch_size=9)
    assert changed.teachers == [changed.previous.teachers[0], changed.previous]
    assert len({run.seed for run in changed.runs}) == 3
    assert {run.batch_size for run in changed.runs} == {9}
    assert changed.seed == seed
    assert changed.with_all(seed=1, batch_size=64) == whole


def test_teachers_are_read() -> None:
    text = '{"teachers": [{"epochs": 2}, {"seed": 4}], "teacher_share": 1}'
    config = config_from_json(text)
    assert config.teachers == [TrainingConfig(epochs=2), TrainingConfig(seed=4)]
    assert config_from_json(config.to_json()) == config


def test_runs_are_read_by_name() -> None:
    one, two = TrainingConfig(epochs=3), TrainingConfig(teachers=[TrainingConfig(epochs=3)])
    text = """{"runs": {"one": {"epochs": 3}, "two": {"teachers": ["one"]}},
        "previous": "two", "teachers": ["one", {"previous": "two"}]}"""
    config = config_from_json(text)
    assert config == TrainingConfig(previous=two, teachers=[one, TrainingConfig(previous=two)])
    assert config_from_json(config.to_json()) == config


def test_the_run_before_is_read() -> None:
    config = config_from_json('{"epochs": 3, "previous": {"epochs": 2, "augmentation": {}}}')
    assert config.previous == TrainingConfig(epochs=2)
    assert config_from_json(config.to_json()) == config


def test_what_is_left_out_keeps_its_default() -> None:
    assert config_from_json("{}") == TrainingConfig()
    assert config_from_json('{"augmentation": {"shift": 0}}').augmentation.zoom == 0.15


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "no JSON"),
        ('{"restarts": [3]}', r"restarts is \[3\], expected \[epoch, cooldown_epochs\]"),
        ('{"restarts": [[9, 2], [10, 2]]}', "in order and without overlap"),
        ('{"restarts": [[3, true]]}', "restarts is"),
        ('{"epochs": 9, "cooldown_epochs": 3, "restarts": [[7, 2]]}', "without overlap"),
        ('{"snapshot_share": 1}', "below 1"),
        ('{"epochs": 0}', r"\.json: epochs is 0"),
        ('{"previous": {"epochs": 0}}', r"\.json: previous: epochs is 0"),
        ('{"teachers": [{"epochs": 0}]}', r"\.json: teachers: epochs is 0"),
        ('{"teachers": {"epochs": 1}}', "teachers must be a list"),
        ('{"teachers": [3]}', "teachers: expected one JSON object"),
        ('{"teachers": ["one"]}', "teachers: no run 'one' is named in runs before it; .* none"),
        ('{"runs": {"one": {"previous": "one"}}}', "one: previous: no run 'one' is named"),
        ('{"runs": {"one": {}}, "previous": "two"}', "named are one"),
        ('{"runs": {"one": {"epochs": 0}}}', "one: epochs is 0"),
        ('{"runs": []}', "runs must be an object"),
        ('{"previous": {"runs": {}}}', "previous: unknown runs"),
        ('{"seed": 4294967296}', "seed is 4294967296, expected from 0"),
        (
            '{"teachers": [{}, {}], "teachers_take_turns": true, "batch_size": 1}',
            "batch_size is 1, expected a face for each teacher",
        ),
        ('{"previous_teaches": true}', "previous_teaches is True, expected a previous run"),
        ('{"previous_teaches": 1, "previous": {}}', "previous_teaches is 1, expected something"),
        ('{"epochs": true}', "epochs is True, expected something like 40"),
        ('{"teacher_share": 1.5}', "teacher_share is 1.5, expected from 0 to 1"),
        ('{"previous": 3}', "previous: expected one JSON object"),
        ('{"previous": ' * 5000 + "{}" + "}" * 5000, "no JSON"),
        ("[]", "one JSON object"),
        ('{"epoch": 3}', "unknown epoch"),
        ('{"epochs": "3"}', "epochs is '3'"),
        ('{"epochs": 2.5}', "epochs is 2.5"),
        ('{"epochs": true}', "epochs is True"),
        ('{"epochs": 0}', "at least 1"),
        ('{"cooldown_epochs": 99}', "from 0 to epochs"),
        ('{"decay": "step"}', "cosine or constant"),
        ('{"precision": "int8"}', "mixed_bfloat16"),
        ('{"initial_weights": 3}', "initial_weights is 3"),
        ('{"network": []}', "network is"),
        ('{"augmentation": 3}', "augmentation must be an object"),
        ('{"augmentation": {"fog": 1}}', "unknown fog"),
        ('{"augmentation": {"shift": 9}}', "shift 9 is outside"),
        ('{"learning_rate": 1}', "unknown learning_rate; known are .*peak_learning_rate"),
        ('{"average_decay": 1.0}', "below 1"),
    ],
)
def test_each_mistake_is_named_with_the_file(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "run.json"
    path.write_text(text)
    with pytest.raises(BadInput, match=message) as caught:
        read_config(path)
    assert "run.json" in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound, match=r"none\.json.* shipped .*, finetune\.json"):
        read_config(tmp_path / "none.json")


def test_shipped_ones_are_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    there = read_config(REPOSITORY / "models" / "finetune.json")
    assert read_config(Path("finetune.json")) == there
    (tmp_path / "finetune.json").write_text('{"epochs": 3}')
    assert read_config(Path("finetune.json")) == TrainingConfig(epochs=3)
    with pytest.raises(InputNotFound):
        read_config(tmp_path / "a" / "finetune.json")


def test_a_configuration_is_readable() -> None:
    raw = json.loads((REPOSITORY / "models" / "fit.json").read_text())
    assert {"architecture", "seed", "epochs", "augmentation"} <= raw.keys()
