from __future__ import annotations

from pathlib import Path

import pytest

from fer_edge.engine.errors import BadInput, InputNotFound
from fer_edge.engine.model import FER2013_LABELS
from fer_edge.engine.monitor.pages import languages
from fer_edge.engine.monitor.rulebook import default_levels, read_rulebook, shipped_rulesets


def test_the_default_levels() -> None:
    assert dict(default_levels().of) == {
        "angry": "low", "disgust": "low", "fear": "low", "sad": "low",
        "neutral": "medium", "surprise": "medium", "happy": "high",
    }  # fmt: skip


@pytest.mark.parametrize("name", shipped_rulesets())
def test_shipped_rule_sets_speak_every_language_and_know_every_label(name: str) -> None:
    book = read_rulebook(name)
    assert set(book.levels.of) == set(FER2013_LABELS)
    assert book.rules
    for rule in book.rules:
        assert set(rule.text) == set(languages())
        assert rule.condition.expressions <= set(FER2013_LABELS)


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        """
        [levels]
        high = ["smiling"]
        [[rule]]
        name = "smile"
        expression = "smiling"
        for_s = 2
        text = "Nice."
        page = false
        post = "https://example.org/hook"
        mqtt = "mqtt://me:secret@broker/a/b"
        """
    )
    (rule,) = read_rulebook(str(path)).rules
    assert rule.text == {"en": "Nice."}
    assert (rule.action.page, rule.action.log) == (False, True)
    assert rule.action.post == "https://example.org/hook"
    assert read_rulebook(str(path)).levels("smiling") == "high"
    assert read_rulebook(str(path)).levels("sad") is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[levels", "Expected"),
        ("[levels]\nlow = ['sad']\nhigh = ['sad']", "sad has two levels"),
        ("[levels]\nbest = ['sad']", "low, medium and high"),
        ("[rules]", "unknown table rules"),
        ("[[rule]]\nlevel = 'low'", "no name"),
        ("[[rule]]\nname = 'a'", "rule a: a rule needs"),
        ("[[rule]]\nname = 'a'\nlevel = 'bad'", "unknown level bad"),
        ("[[rule]]\nname = 'a'\nlevel = 'low'\nfor = 3", "unknown key for"),
        ("[[rule]]\nname = 'a'\nlevel = 'low'\nfor_s = 0", "1 or more"),
        ("[[rule]]\nname = 'a'\nlevel = 'low'\npost = 'ftp://me:pw@x'", "http or https"),
        ("[[rule]]\nname = 'a'\nlevel = 'low'\nmqtt = 'mqtt://x'", "mqtt://host/topic"),
        ("[[rule]]\nname = 'a'\nlevel = 'low'\n[[rule]]\nname = 'a'\nlevel = 'low'", "same name"),
        ("rule = 3", "not iterable"),
    ],
)
def test_mistakes_are_named_in_one_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(text)
    with pytest.raises(BadInput, match=words) as caught:
        read_rulebook(str(path))
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    assert "pw" not in str(caught.value)


def test_a_missing_file_names_the_shipped_ones() -> None:
    with pytest.raises(InputNotFound, match="default, driver"):
        read_rulebook("nothing.toml")
