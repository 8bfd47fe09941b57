"""FER+: what ten people said of each face of FER2013.

Barsoum et al., "Training deep networks for facial expression recognition with crowd-sourced
label distribution", ICMI 2016, arXiv 1608.01041.
"""

from __future__ import annotations

from fer_edge.engine.model import FER2013_LABELS

from .faces import Gray

# Its columns, in their order.
TAGS = (
    "neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt",
    "unknown", "NF",
)  # fmt: skip
# FER2013's name of each class that both have.
_SAME = {
    "anger": "angry",
    "disgust": "disgust",
    "fear": "fear",
    "happiness": "happy",
    "sadness": "sad",
    "surprise": "surprise",
    "neutral": "neutral",
}
_OTHERS = "contempt"


def votes_by_class(tags: Gray) -> Gray:
    """Votes of FER+ as `LabelledFaces` has them.

    Args:
        tags: uint8 `(n, 10)`, in the order of `TAGS`.

    Returns:
        uint8 `(n, 8)`: FER2013's seven classes, and contempt as what is none of them. Votes
        for unknown and for no face (NF) are no votes on an expression and are left out.
    """
    ours = {_SAME[tag]: column for column, tag in enumerate(TAGS) if tag in _SAME}
    return tags[:, [*(ours[label] for label in FER2013_LABELS), TAGS.index(_OTHERS)]]
