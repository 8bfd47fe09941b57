from __future__ import annotations

import re

from fer_edge.engine.model import FER2013_LABELS
from fer_edge.engine.monitor.pages import FOLDER, languages

SCRIPTS = {path.name: path.read_text() for path in FOLDER.glob("*.js")}
PAGES = {path.name: path.read_text() for path in FOLDER.glob("*.html")}


def test_all_languages_have_the_same_keys_and_blanks() -> None:
    texts = languages()
    assert {"en", "zh"} <= set(texts)
    for code, words in texts.items():
        assert set(words) == set(texts["en"]), code
        for key, text in words.items():
            assert text.strip()
            blanks = re.findall(r"\{(\w+)\}", texts["en"][key])
            assert sorted(re.findall(r"\{(\w+)\}", text)) == sorted(blanks), (code, key)


def test_every_word_of_the_page_is_a_key() -> None:
    used = set()
    for text in PAGES.values():
        used |= set(re.findall(r'data-(?:text|label|placeholder)="(\w+)"', text))
    for text in SCRIPTS.values():
        used |= set(re.findall(r'\bt\("(\w+)"', text))
    assert len(used) > 30
    assert used <= set(languages()["en"])


def test_every_label_state_and_level_has_a_name() -> None:
    words = languages()["en"]
    states = ("opening", "running", "paused", "ended", "failed", "stopped")
    for key in (
        *(f"expression_{label}" for label in FER2013_LABELS),
        *(f"state_{state}" for state in states),
        *(f"level_{level}" for level in ("low", "medium", "high")),
    ):
        assert key in words


def test_pages_have_no_inline_code_and_ask_no_other_site() -> None:
    for name, text in {**PAGES, **SCRIPTS}.items():
        assert not re.search(r"https?://(?!www\.w3\.org)", text), name
    for name, text in PAGES.items():
        assert not re.search(r"\son\w+=|\sstyle=|javascript:|<style|<script(?![^>]*src)", text), (
            name
        )
