"""Contrast of the page's colours (WCAG 2.2, 1.4.3)."""

from __future__ import annotations

import re

import pytest

from fer_edge.engine.monitor.pages import FOLDER

STYLE = (FOLDER / "style.css").read_text()


def colours(selector: str) -> dict[str, str]:
    block = STYLE[STYLE.index(selector + " {") :].split("}", 1)[0]
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [":root", ':root[data-theme="dark"]'])
def test_text_can_be_read_in_both_themes(theme: str) -> None:
    known = colours(":root") | colours(theme)
    pairs = [(text, ground) for text in ("ink", "dim") for ground in ("ground", "card")]
    pairs += [(text, "card") for text in ("bad", "low", "medium", "high")]
    pairs += [("on-accent", "accent"), ("card", "bad")]
    for text, ground in pairs:
        assert contrast(known[text], known[ground]) >= 4.5, (theme, text, ground)


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
