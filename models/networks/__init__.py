"""Expression networks by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import keras

from fer_edge.engine.errors import BadInput, first_line

from .mobilenet import mobilenet
from .plain import plain_network
from .published import published_network
from .residual import residual_network


def _published(classes: int = 7, side: int = 48) -> Any:
    return published_network(keras, classes, side)


ARCHITECTURES: dict[str, Callable[..., Any]] = {
    "published": _published,
    "plain": plain_network,
    "residual": residual_network,
    "mobilenet": mobilenet,
}


def build_network(name: str, classes: int, options: Mapping[str, Any]) -> Any:
    """Build a network, under the dtype policy in force.

    Raises:
        BadInput: no such architecture, or options that it does not have or cannot use.
    """
    if name not in ARCHITECTURES:
        raise BadInput(f"no architecture {name!r}; there are {', '.join(ARCHITECTURES)}")
    known = inspect.signature(ARCHITECTURES[name]).parameters
    if unknown := set(options) - set(known) | set(options) & {"classes"}:
        names = ", ".join(key for key in known if key != "classes")
        raise BadInput(f"architecture {name} has no {', '.join(sorted(unknown))}; it has {names}")
    try:
        return ARCHITECTURES[name](classes=classes, **options)
    except (TypeError, ValueError) as error:
        reason = first_line(error)
        raise BadInput(f"architecture {name} cannot be built so: {reason}") from error
