"""What the figures of an accuracy report mean, in words that go with every report."""

from __future__ import annotations

from .distort import LEAST_IOU as FOUND_IOU
from .distort import LEAST_SIDE
from .matching import LEAST_IOU
from .precision import RESAMPLES

METHOD = {
    "average precision": (
        f"Area under the envelope of precision over recall, all points (VOC from 2010 on), at "
        f"IoU {LEAST_IOU}: the best score chooses first, each face is found once."
    ),
    "sizes": (
        "By the shorter side of the labelled box in pixels of the picture. In a range of sizes, "
        "faces outside of it are ignored: not missed, and who finds them is not wrong. A wrong "
        "detection outside of the range is left out (as COCO does, by area)."
    ),
    "ignored": (
        "WIDER FACE's invalid, VOC's difficult, COCO's crowds, whatever says ignore, and boxes "
        "without area: finding them counts neither for nor against a detector."
    ),
    "interval": (
        f"95 %: bootstrap over pictures, {RESAMPLES} draws; differences over the same draws."
    ),
    "precision and recall": "At the score at which the detector is used unless asked otherwise.",
    "distortions": (
        f"The share of the faces of {LEAST_SIDE} pixels and more that are found, IoU {FOUND_IOU} "
        "or more, at the detector's own score. tilt45: turned by 45 degrees either way, the box "
        "that around the turned ellipse; blur3: Gaussian, sigma 3 pixels; gamma3: levels to the "
        "power of 3 and of 1/3; closeup: in a frame of 640x480, 70 to 110 % as high as the frame; "
        "plain: as they are."
    ),
    "time": (
        "Median of a picture from pixels to boxes while this ran, other programs and other sizes "
        "included: no benchmark. fer-bench run measures speed."
    ),
}
