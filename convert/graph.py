"""Questions about a TensorFlow GraphDef, answered from its edges and never from its names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

CONVOLUTIONS = frozenset({"Conv2D", "DepthwiseConv2dNative", "FusedConv2D", "_FusedConv2D"})
# Operators through which a constant is still the same constant.
_FORWARDING = frozenset({"Identity", "Enter", "Cast", "Switch", "Merge", "StopGradient"})


class GraphIndex:
    """Nodes by name, with their producers and consumers.

    Args:
        graph_def: a `tensorflow.GraphDef`.
    """

    def __init__(self, graph_def: Any) -> None:
        self.nodes: dict[str, Any] = {node.name: node for node in graph_def.node}
        self._consumers: dict[str, list[str]] = {name: [] for name in self.nodes}
        for node in graph_def.node:
            for name in self.inputs(node):
                if name in self._consumers:
                    self._consumers[name].append(node.name)

    def of_type(self, *types: str) -> list[Any]:
        """The nodes of these operator types, in the order of the file."""
        return [node for node in self.nodes.values() if node.op in types]

    @staticmethod
    def inputs(node: Any) -> list[str]:
        """Names of the nodes whose data or control a node takes."""
        return [text.removeprefix("^").split(":")[0] for text in node.input]

    def consumers(self, name: str) -> list[Any]:
        """The nodes that take what node `name` gives."""
        return [self.nodes[consumer] for consumer in self._consumers[name]]

    def descendants(self, names: Iterable[str]) -> set[str]:
        """Names of all nodes after these, these left out unless in a loop."""
        return self._closure(names, lambda name: self._consumers[name])

    def ancestors(self, names: Iterable[str]) -> set[str]:
        """Names of all nodes before these, these left out unless in a loop."""
        return self._closure(names, lambda name: self.inputs(self.nodes[name]))

    def constant(self, tensor: str) -> npt.NDArray[Any] | None:
        """The value of a tensor that is a constant, seen through loops and casts; else None."""
        from tensorflow import make_ndarray

        node = self.nodes.get(tensor.split(":", maxsplit=1)[0])
        while node is not None and node.op in _FORWARDING and node.input:
            node = self.nodes.get(node.input[0].split(":")[0])
        if node is None or node.op != "Const":
            return None
        return np.asarray(make_ndarray(node.attr["value"].tensor))

    def _closure(self, names: Iterable[str], step: Callable[[str], Iterable[str]]) -> set[str]:
        seen: set[str] = set()
        pending = [found for name in names for found in step(name)]
        while pending:
            name = pending.pop()
            if name in self.nodes and name not in seen:
                seen.add(name)
                pending.extend(step(name))
        return seen

    def walk_back(self, name: str, within: set[str]) -> Iterator[Any]:
        """From a node upwards along its first input that is in `within`, itself included."""
        visited: set[str] = set()
        while name in self.nodes and name not in visited:
            visited.add(name)
            node = self.nodes[name]
            yield node
            name = next((i for i in self.inputs(node) if i in within), "")
