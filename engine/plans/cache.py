"""Decisions kept between runs, a file each, in the user's cache.

A file that cannot be read, or was written for something else, is as good as none; where none
can be written, the next run measures again, and this one says so.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from ..backends.plan import Decision, Plan, Trial
from ..errors import BadInput
from ..folders import cache_folder

# Of what is written here and how plans are measured: raise it when either changes.
SCHEMA = 2
_LARGEST = 1 << 16
_SHOWN_DIGITS = 12

log = logging.getLogger("fer_edge")


def recall(key: Mapping[str, Any]) -> Decision | None:
    """The decision kept under a key; None where there is none that can be used."""
    path = path_of(key)
    try:
        with path.open(encoding="utf-8") as file:
            found = json.loads(file.read(_LARGEST))
        if found["key"] != json.loads(json.dumps(key)):
            return None
        return _decision(found["decision"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def keep(key: Mapping[str, Any], decision: Decision) -> None:
    """Keep a decision under a key, if that can be done.

    The file appears under its name when it is whole, so that several processes may write it.
    """
    path = path_of(key)
    text = json.dumps({"key": key, "decision": decision.as_json()}, indent=1)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(path, text)
    except OSError as error:
        _tell(path.parent, error.strerror)


@cache
def _tell(folder: Path, reason: str | None) -> None:
    """Say once that nothing can be kept."""
    log.warning(
        "%s: cannot be written (%s), so how models run best is measured at every start; "
        "FER_EDGE_CACHE names another folder", folder, reason,
    )  # fmt: skip


def _write(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(prefix=".", suffix=".partial", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def path_of(key: Mapping[str, Any]) -> Path:
    """Where the decision of a key is kept; it begins with the model's hash, for people's eyes."""
    digest = hashlib.sha256(_text(key).encode()).hexdigest()
    model = str(key.get("model", ""))[:_SHOWN_DIGITS]
    return cache_folder() / "plans" / f"{model}-{digest[:32]}.json"


def _text(key: Mapping[str, Any]) -> str:
    return json.dumps({"schema": SCHEMA, **key}, sort_keys=True)


def _decision(values: Mapping[str, Any]) -> Decision:
    """What `Decision.as_json` gave.

    Raises:
        BadInput, KeyError, TypeError, AttributeError: it is something else.
    """
    trials = tuple(
        Trial(
            Plan.from_json(trial["plan"]),
            None if trial["seconds"] is None else float(trial["seconds"]),
            str(trial["problem"]),
        )
        for trial in values["trials"]
    )
    plan = Plan.from_json(values["plan"])
    if plan not in [trial.plan for trial in trials]:
        raise BadInput("a plan that was never tried")
    decision = Decision(plan, str(values["reason"]), trials, str(values["measured_on"]))
    return replace(decision, remembered=True, busy=bool(values["busy"]))
