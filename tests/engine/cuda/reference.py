"""Exact NumPy references. OpenCV's warp rounds sampling positions to 1/32 pixel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fer_edge.engine.model import InputFacts

Floats = npt.NDArray[np.float64]


def sample(size: int, out: int, aligned: bool) -> tuple[npt.NDArray[np.int64], ...]:
    step = size / out
    source = np.clip(np.arange(out) * step + (0.5 * step - 0.5 if aligned else 0), 0, size - 1)
    first = source.astype(int)
    return first, np.minimum(first + 1, size - 1), source - first


def resized(image: npt.NDArray[np.uint8], height: int, width: int, aligned: bool) -> Floats:
    """`(height, width, 3)`, bilinear."""
    y0, y1, v = sample(image.shape[0], height, aligned)
    x0, x1, u = sample(image.shape[1], width, aligned)
    pixels = image.astype(float)
    u, v = u[None, :, None], v[:, None, None]
    above = pixels[y0][:, x0] * (1 - u) + pixels[y0][:, x1] * u
    below = pixels[y1][:, x0] * (1 - u) + pixels[y1][:, x1] * u
    return above * (1 - v) + below * v


def averaged(image: npt.NDArray[np.uint8], height: int, width: int) -> Floats:
    """`(height, width, 3)`, means over the area of each pixel."""
    rows = means(image.astype(float), height)
    return means(rows.swapaxes(0, 1), width).swapaxes(0, 1)


def means(values: Floats, out: int) -> Floats:
    """`(size, ...)` to `(out, ...)`: means over equal parts, which may begin within a value."""
    size = len(values)
    sums = np.concatenate([np.zeros_like(values[:1]), values.cumsum(axis=0)])
    edges = np.arange(out + 1) * (size / out)
    whole = np.minimum(edges.astype(int), size - 1)
    parts = (edges - whole).reshape(-1, *[1] * (values.ndim - 1))
    return np.diff(sums[whole] + parts * values[whole], axis=0) * (out / size)


def scaled(pixels: Floats, facts: InputFacts) -> Floats:
    """`(height, width, 3)` in BGR to `(1, 3, height, width)` as the network wants them."""
    ordered = pixels[..., ::-1] if facts.colour == "rgb" else pixels
    return np.moveaxis((ordered - np.array(facts.mean)) * np.array(facts.scale), 2, 0)[None]


def bilinear(image: npt.NDArray[np.uint8], facts: InputFacts) -> Floats:
    """`(1, 3, height, width)`, scaled."""
    aligned = facts.resize == "half_pixel_bilinear"
    return scaled(resized(image, facts.height, facts.width, aligned), facts)


def letterbox(image: npt.NDArray[np.uint8], facts: InputFacts) -> Floats:
    """`(1, 3, height, width)`, scaled; the picture in the upper left corner, black around it."""
    height, width = image.shape[:2]
    scale = min(facts.height / height, facts.width / width)
    down, across = (max(1, round(length * scale)) for length in (height, width))
    box = np.zeros((facts.height, facts.width, 3))
    if down <= height and across <= width:
        box[:down, :across] = averaged(image, down, across)
    else:
        box[:down, :across] = resized(image, down, across, aligned=True)
    return scaled(box, facts)


def bgr_from_nv12(
    luma: npt.NDArray[np.uint8], chroma: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8]:
    """OpenCV's conversion of BT.601 limited range, its factors rounded to 20 bits.

    Planes `(h, w)` and `((h + 1) // 2, (w + w % 2))` to `(h, w, 3)`.
    """
    height, width = luma.shape
    pairs = chroma.reshape(len(chroma), -1, 2).repeat(2, 0).repeat(2, 1)[:height, :width]
    u, v = np.moveaxis(pairs.astype(float) - 128, 2, 0)
    y, bu, gu, gv, rv = np.round(np.array([1.164, 2.018, 0.391, 0.813, 1.596]) * 2**20) / 2**20
    level = y * np.maximum(luma.astype(float) - 16, 0)
    bgr = [level + bu * u, level - gu * u - gv * v, level + rv * v]
    return np.clip(np.floor(np.stack(bgr, 2) + 0.5), 0, 255).astype(np.uint8)


def gray_halved(image: npt.NDArray[np.uint8], level: int) -> Floats:
    """Means of 2^level by 2^level pixels in whole grey levels; an incomplete last one is left out.

    Where there is none that is complete, of the pixels that there are. Four rows are looked at.
    """
    weights = np.array([3735, 19235, 9798])
    gray = (image.astype(np.int64) @ weights + 16384) >> 15
    block = 2**level
    height, width = (max(1, length // block) for length in gray.shape)
    step = max(1, block // 4)
    tall = [gray[y * block : (y + 1) * block] for y in range(height)]
    rows = [row[min(step // 2, len(row) - 1) :: step] for row in tall]
    return np.array(
        [[row[:, x * block : (x + 1) * block].mean() for x in range(width)] for row in rows]
    )


def gray_patch(
    image: npt.NDArray[np.uint8], x: float, y: float, scale: float, angle: float, side: int
) -> Floats:
    """What `patches.GrayFrame` cuts, with exact positions and means."""
    level = max(0, round(np.log2(scale)))
    gray = gray_halved(image, level)
    place = np.arange(side) - (side - 1) / 2
    across, down = np.meshgrid(place, place)
    step = scale / 2**level
    u = x / 2**level - 0.5 + step * (np.cos(angle) * across - np.sin(angle) * down)
    v = y / 2**level - 0.5 + step * (np.sin(angle) * across + np.cos(angle) * down)
    u, v = np.clip(u, 0, gray.shape[1] - 1), np.clip(v, 0, gray.shape[0] - 1)
    left, top = u.astype(int), v.astype(int)
    right, bottom = np.minimum(left + 1, gray.shape[1] - 1), np.minimum(top + 1, gray.shape[0] - 1)
    u, v = u - left, v - top
    above = gray[top, left] * (1 - u) + gray[top, right] * u
    below = gray[bottom, left] * (1 - u) + gray[bottom, right] * u
    return above * (1 - v) + below * v
