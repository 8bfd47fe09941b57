"""When to act: rules over seconds. Numbers and times in, firings out; no clock, no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import BadInput
from .seconds import FaceSecond, SourceSecond

# Seconds that a condition may fail in between without starting anew: one bad frame second.
GRACE_S = 1


@dataclass(frozen=True)
class Condition:
    """What must hold, for one face or, with `no_face`, for the source.

    Attributes:
        levels, expressions: the face has one of them; empty for any.
        min_probability: of the face's expression, 0-1.
        no_face: no face is in view.
    """

    levels: frozenset[str] = frozenset()
    expressions: frozenset[str] = frozenset()
    min_probability: float = 0.0
    no_face: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.min_probability <= 1:
            raise BadInput(f"min_probability {self.min_probability:g} is outside 0-1")
        if self.no_face == bool(self.levels or self.expressions):
            raise BadInput("a rule needs level, expression, or no_face = true alone")

    def subjects(self, second: SourceSecond) -> list[int | None]:
        """The ids of the faces for which it holds; [None] where it holds for the source."""
        if self.no_face:
            return [] if second.faces else [None]
        return [face.face for face in second.faces if self._holds(face)]

    def _holds(self, face: FaceSecond) -> bool:
        if face.expression is None:
            return False
        return (
            (not self.levels or face.level in self.levels)
            and (not self.expressions or face.expression in self.expressions)
            and face.probabilities[face.expression] >= self.min_probability
        )


@dataclass(frozen=True)
class Action:
    """What to do when a rule fires.

    Attributes:
        page: show the text on the page.
        log: write it to the log.
        post: an HTTP or HTTPS address that gets it as JSON; None for none.
        mqtt: `mqtt://[user:password@]host[:port]/topic` that gets it; None for none.
    """

    page: bool = True
    log: bool = True
    post: str | None = None
    mqtt: str | None = None


@dataclass(frozen=True)
class Rule:
    """A condition that has to last, and what follows.

    Attributes:
        name: unique in its file.
        condition: what must hold.
        for_s: seconds without a break, 1 or more; those in which the model was unsure do not
            count.
        at_most_every_s: rest between two firings for the same source, in seconds.
        text: language to message.
        action: what to do.
    """

    name: str
    condition: Condition
    for_s: float = 10.0
    at_most_every_s: float = 60.0
    text: Mapping[str, str] = field(default_factory=dict)
    action: Action = Action()

    def __post_init__(self) -> None:
        if self.for_s < 1 or self.at_most_every_s < 0:
            raise BadInput(f"rule {self.name}: for_s must be 1 or more, at_most_every_s 0 or more")


@dataclass(frozen=True)
class Firing:
    """A rule that came true.

    Attributes:
        rule: which.
        time: UNIX time in whole seconds.
        source: number of the source.
        face: id of the face; None for the source as a whole.
        held_s: how long the condition has held, in seconds, unsure ones left out.
    """

    rule: Rule
    time: int
    source: int
    face: int | None
    held_s: int


@dataclass
class _Episode:
    since: int
    last: int
    unsure_s: int = 0


class RuleEngine:
    """Follows how long each rule's condition has held, for every source and face."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)
        self._episodes: dict[tuple[int, str, int | None], _Episode] = {}
        self._fired: dict[tuple[int, str], int] = {}
        self._runs: dict[int, int] = {}

    def step(self, second: SourceSecond) -> list[Firing]:
        """Take the next second of a source; seconds of one source come in order of time."""
        if self._runs.get(second.source) != second.run:
            self.forget(second.source)
            self._runs[second.source] = second.run
        self._count_unsure(second)
        firings = [
            firing
            for rule in self._rules
            for face in rule.condition.subjects(second)
            if (firing := self._holds(rule, second, face)) is not None
        ]
        self._drop_ended(second)
        return firings

    def forget(self, source: int) -> None:
        """Begin anew with a source: its ids now mean other faces."""
        self._episodes = {key: e for key, e in self._episodes.items() if key[0] != source}

    def _count_unsure(self, second: SourceSecond) -> None:
        unsure = {face.face for face in second.faces if face.unsure is not None}
        for (source, _, face), episode in self._episodes.items():
            if source == second.source and face in unsure:
                episode.unsure_s += 1

    def _holds(self, rule: Rule, second: SourceSecond, face: int | None) -> Firing | None:
        key = (second.source, rule.name, face)
        episode = self._episodes.get(key)
        if episode is None or second.time - episode.last > 1 + GRACE_S:
            episode = self._episodes[key] = _Episode(second.time, second.time)
        episode.last = second.time
        held_s = second.time - episode.since + 1 - episode.unsure_s
        if held_s < rule.for_s:
            return None
        fired = self._fired.get(key[:2])
        if fired is not None and second.time - fired < rule.at_most_every_s:
            return None
        self._fired[key[:2]] = second.time
        return Firing(rule, second.time, second.source, face, held_s)

    def _drop_ended(self, second: SourceSecond) -> None:
        self._episodes = {
            key: episode
            for key, episode in self._episodes.items()
            if key[0] != second.source or second.time - episode.last <= GRACE_S
        }
