"""Levels and rules out of a TOML file."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import BadInput, InputNotFound
from ..redaction import redacted
from .levels import LEVELS, Levels
from .rules import Action, Condition, Rule

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SHIPPED = Path(__file__).with_name("rulesets")
_MAX_BYTES = 1 << 20
_RULE_KEYS = frozenset(
    {
        *("name", "level", "expression", "min_probability", "no_face", "for_s"),
        *("at_most_every_s", "text", "page", "log", "post", "mqtt"),
    }
)


@dataclass(frozen=True)
class Rulebook:
    """What a rules file says."""

    levels: Levels
    rules: tuple[Rule, ...]


def read_rulebook(name: str) -> Rulebook:
    """Read a rules file.

    Args:
        name: a path, or the name of a shipped rule set (`default`, `driver`).

    Raises:
        InputNotFound: no such file or rule set.
        BadInput: not TOML, or a key or value that makes no sense.
    """
    path = SHIPPED / f"{name}.toml" if name in shipped_rulesets() else Path(name).expanduser()
    if not path.is_file():
        known = ", ".join(shipped_rulesets())
        raise InputNotFound(f"{name}: no such rules file; shipped rule sets: {known}")
    if path.stat().st_size > _MAX_BYTES:
        raise BadInput(f"{path}: more than 1 MB is no rules file")
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        return _rulebook(raw)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise BadInput(f"{path}: {redacted(str(error))}") from error


def shipped_rulesets() -> tuple[str, ...]:
    """The names of the rule sets that come with the package."""
    return tuple(sorted(path.stem for path in SHIPPED.glob("*.toml")))


def _rulebook(raw: Mapping[str, Any]) -> Rulebook:
    unknown = raw.keys() - {"levels", "rule"}
    if unknown:
        raise BadInput(f"unknown table {', '.join(sorted(unknown))}; there are levels and rule")
    rules = tuple(_rule(entry) for entry in raw.get("rule", []))
    names = [rule.name for rule in rules]
    if len(set(names)) < len(names):
        raise BadInput("two rules have the same name")
    return Rulebook(_levels(raw["levels"]) if "levels" in raw else default_levels(), rules)


def default_levels() -> Levels:
    """The mapping of the shipped default rule set."""
    return _levels(tomllib.loads((SHIPPED / "default.toml").read_text(encoding="utf-8"))["levels"])


def _levels(raw: Mapping[str, Any]) -> Levels:
    """`low = ["angry", ...]` and so on, turned round."""
    of: dict[str, Any] = {}
    for level, expressions in raw.items():
        if level not in LEVELS:
            raise BadInput(f"unknown level {level}; there are low, medium and high")
        for expression in _strings(expressions):
            if expression in of:
                raise BadInput(f"{expression} has two levels")
            of[expression] = level
    return Levels(of)


def _rule(raw: Mapping[str, Any]) -> Rule:
    name = raw.get("name")
    if not isinstance(name, str) or not name:
        raise BadInput("a rule has no name")
    unknown = raw.keys() - _RULE_KEYS
    if unknown:
        raise BadInput(f"rule {name}: unknown key {', '.join(sorted(unknown))}")
    try:
        condition = Condition(
            frozenset(_known_levels(_strings(raw.get("level", [])))),
            frozenset(_strings(raw.get("expression", []))),
            float(raw.get("min_probability", 0.0)),
            bool(raw.get("no_face", False)),
        )
        text = raw.get("text", name)
        return Rule(
            name,
            condition,
            float(raw.get("for_s", 10)),
            float(raw.get("at_most_every_s", 60)),
            {"en": text} if isinstance(text, str) else {k: str(v) for k, v in text.items()},
            _action(raw),
        )
    except (ValueError, TypeError) as error:
        raise BadInput(f"rule {name}: {error}") from error


def _action(raw: Mapping[str, Any]) -> Action:
    post, mqtt = raw.get("post"), raw.get("mqtt")
    if post is not None and not (_scheme(post) in ("http", "https") and urlsplit(post).hostname):
        raise BadInput(f"post {redacted(str(post))}: give an http or https address")
    if mqtt is not None and not (_scheme(mqtt) == "mqtt" and urlsplit(mqtt).path.strip("/")):
        raise BadInput(f"mqtt {redacted(str(mqtt))}: give mqtt://host/topic")
    return Action(bool(raw.get("page", True)), bool(raw.get("log", True)), post, mqtt)


def _scheme(address: Any) -> str:
    return urlsplit(address).scheme if isinstance(address, str) else ""


def _known_levels(levels: list[str]) -> list[str]:
    for level in levels:
        if level not in LEVELS:
            raise BadInput(f"unknown level {level}; there are low, medium and high")
    return levels


def _strings(value: Any) -> list[str]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(entry, str) for entry in values):
        raise BadInput(f"expected text or a list of texts, not {value!r}")
    return values
