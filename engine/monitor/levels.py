"""Expressions to levels: how well it goes, in three steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ..errors import BadInput

Level = Literal["low", "medium", "high"]
LEVELS: tuple[Level, ...] = ("low", "medium", "high")


@dataclass(frozen=True)
class Levels:
    """Which level an expression stands for.

    Attributes:
        of: expression label to level; labels that are missing have none.

    Raises:
        BadInput: a level that is not low, medium or high.
    """

    of: Mapping[str, Level]

    def __post_init__(self) -> None:
        for expression, level in self.of.items():
            if level not in LEVELS:
                raise BadInput(f"level {level!r} of {expression}: give low, medium or high")

    def __call__(self, expression: str | None) -> Level | None:
        """The level of an expression; None without one."""
        return self.of.get(expression) if expression is not None else None
