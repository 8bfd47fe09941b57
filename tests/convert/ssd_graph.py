"""Small SSD graphs built the way exports of the Object Detection API are, in all their forms."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fer_edge.convert.tensorflow import import_tensorflow

tf = import_tensorflow()
v1 = tf.compat.v1
ANCHORS_A_CELL = 2


@dataclass(frozen=True)
class Recipe:
    """One form of export.

    Attributes:
        size: (height, width) of the network.
        classes: without background.
        scale_first: layout of later exports; else the one of 2017.
        batch_norm: `fused`, `unfused` or `folded`.
        inverted: bottlenecks of MobileNet v2; else those of v1.
        suppression: version of the NonMaxSuppression operator, 2 to 5.
        softmax: scores by softmax; else by sigmoid.
        box_scales: of the box coding.
        half_pixel, keep_aspect: resize rules of other kinds.
    """

    size: tuple[int, int] = (96, 128)
    classes: int = 1
    scale_first: bool = False
    batch_norm: str = "fused"
    inverted: bool = False
    suppression: int = 3
    softmax: bool = False
    box_scales: tuple[float, float, float, float] = (10.0, 10.0, 5.0, 5.0)
    half_pixel: bool = False
    keep_aspect: bool = False
    iou_threshold: float = 0.55
    score_threshold: float = 0.05
    max_detections: int = 100
    seed: int = 0


class Builder:
    """Builds one graph; names are chosen to be unlike those of real exports."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.rng = np.random.default_rng(recipe.seed)
        self.anchors: np.ndarray = np.empty((0, 4), np.float32)

    def build(self) -> Any:
        """The GraphDef."""
        v1.disable_control_flow_v2()
        graph = v1.Graph()
        with graph.as_default():
            picture = v1.placeholder(tf.uint8, [None, None, None, 3], name="camera_picture")
            maps = self.body(self.preprocess(tf.cast(picture, tf.float32)))
            self.outputs(*self.heads(maps))
        return graph.as_graph_def()

    def weights(self, *shape: int, gain: float = 1.0) -> Any:
        """He-normal kernels as the `Const -> Identity` pair of a frozen variable."""
        spread = gain * np.sqrt(2 / max(1, int(np.prod(shape[:-1]))))
        constant = tf.constant(self.rng.normal(0, spread, shape).astype(np.float32))
        return tf.identity(constant)

    def preprocess(self, pictures: Any) -> Any:
        scale = lambda x: x * tf.constant(2 / 255.0) - 1.0  # noqa: E731
        resized = lambda x: v1.map_fn(self.resize, x, dtype=tf.float32)  # noqa: E731
        if self.recipe.scale_first:
            return resized(scale(pictures))
        return scale(resized(pictures))

    def resize(self, picture: Any) -> Any:
        size = list(self.recipe.size)
        if self.recipe.keep_aspect:
            shape = tf.cast(tf.shape(picture)[:2], tf.float32)
            size = tf.cast(shape * (64.0 / tf.reduce_min(shape)), tf.int32)
        if self.recipe.half_pixel:
            resized = tf.raw_ops.ResizeBilinear(
                images=picture[None], size=size, half_pixel_centers=True
            )
        else:
            resized = v1.image.resize_bilinear(picture[None], size)
        return tf.squeeze(resized, [0])

    def normalised(self, x: Any) -> Any:
        channels = x.shape[-1]
        gamma, beta, mean = (self.rng.normal(m, 0.1, channels) for m in (1, 0, 0))
        variance = self.rng.uniform(0.5, 1.5, channels)
        vectors = [a.astype(np.float32) for a in (gamma, beta, mean, variance)]
        if self.recipe.batch_norm == "fused":
            return v1.nn.fused_batch_norm(
                x, *map(tf.constant, vectors[:2]), *map(tf.constant, vectors[2:]),
                epsilon=0.001, is_training=False,
            )[0]  # fmt: skip
        factor = (gamma / np.sqrt(variance + 0.001)).astype(np.float32)
        offset = (beta - mean * factor).astype(np.float32)
        if self.recipe.batch_norm == "unfused":
            return x * tf.constant(factor) + tf.constant(offset)
        return tf.nn.bias_add(x, tf.constant(offset))

    def convolution(self, x: Any, filters: int, side: int, stride: int, active: bool = True) -> Any:
        kernel = self.weights(side, side, int(x.shape[-1]), filters)
        x = self.normalised(tf.nn.conv2d(x, kernel, stride, "SAME"))
        return tf.nn.relu6(x) if active else x

    def depthwise(self, x: Any, stride: int) -> Any:
        kernel = self.weights(3, 3, int(x.shape[-1]), 1, gain=3)
        x = tf.nn.depthwise_conv2d(x, kernel, [1, stride, stride, 1], "SAME")
        return tf.nn.relu6(self.normalised(x))

    def block(self, x: Any, filters: int, stride: int) -> Any:
        if not self.recipe.inverted:
            return self.convolution(self.depthwise(x, stride), filters, 1, 1)
        y = self.convolution(x, 2 * int(x.shape[-1]), 1, 1)
        y = self.convolution(self.depthwise(y, stride), filters, 1, 1, active=False)
        return x + y if stride == 1 and filters == x.shape[-1] else y

    def body(self, x: Any) -> list[Any]:
        height, width = self.recipe.size
        x.set_shape([None, height, width, 3])
        x = self.convolution(x, 8, 3, 2)
        x = self.block(x, 12, 2)
        first = self.block(x, 12, 2)
        first = self.block(first, 12, 1)
        second = self.block(first, 16, 2)
        # A map of one cell, as the last of real detectors.
        third = self.convolution(second, 16, 1, 1)
        third = tf.nn.avg_pool2d(third, third.shape[1:3], 1, "VALID")
        return [first, second, self.convolution(third, 16, 1, 1)]

    def heads(self, maps: list[Any]) -> tuple[Any, Any]:
        columns = self.recipe.classes + 1
        encodings, logits, anchors = [], [], []
        for x in maps:
            batch = tf.shape(x)[0]
            boxes = tf.nn.conv2d(x, self.weights(1, 1, x.shape[-1], 4 * ANCHORS_A_CELL), 1, "SAME")
            # Few detections with clear scores: suppression then has no ties to break.
            kernel = self.weights(1, 1, x.shape[-1], columns * ANCHORS_A_CELL, gain=4)
            classes = tf.nn.bias_add(
                tf.nn.conv2d(x, kernel, 1, "SAME"), tf.fill([columns * ANCHORS_A_CELL], -4.0)
            )
            encodings.append(tf.reshape(boxes, tf.stack([batch, -1, 1, 4])))
            logits.append(tf.reshape(classes, tf.stack([batch, -1, columns])))
            anchors.append(self.grid(int(x.shape[1]), int(x.shape[2])))
        self.anchors = np.concatenate(anchors)
        return tf.squeeze(tf.concat(encodings, 1), [2]), tf.concat(logits, 1)

    def grid(self, rows: int, columns: int) -> np.ndarray:
        """Anchors (centre y, centre x, height, width) of one map."""
        cells = [
            ((r + 0.5) / rows, (c + 0.5) / columns, h / rows, w / columns)
            for r in range(rows)
            for c in range(columns)
            for h, w in ((1.2, 1.0), (2.1, 1.7))
        ]
        return np.array(cells, np.float32)

    def decode(self, encodings: Any) -> Any:
        anchors = tf.constant(self.anchors)
        ya, xa, ha, wa = tf.unstack(tf.transpose(anchors))
        flat = tf.reshape(encodings, [-1, 4])
        ty, tx, th, tw = tf.unstack(tf.transpose(flat))
        ys, xs, hs, ws = self.recipe.box_scales
        h, w = tf.exp(th / hs) * ha, tf.exp(tw / ws) * wa
        y, x = ty / ys * ha + ya, tx / xs * wa + xa
        return tf.transpose(tf.stack([y - h / 2, x - w / 2, y + h / 2, x + w / 2]))

    def outputs(self, encodings: Any, logits: Any) -> None:
        boxes = self.decode(encodings)
        scores = tf.nn.softmax(logits) if self.recipe.softmax else tf.sigmoid(logits)
        scores = tf.slice(scores, [0, 0, 1], [-1, -1, -1])
        # As in real exports, suppression runs in a loop over the pictures.
        found = v1.map_fn(lambda one: self.suppress(boxes, one), scores, dtype=(tf.float32,) * 3)
        names = ("detection_boxes", "detection_scores", "detection_classes")
        for value, name in zip(found, names, strict=True):
            tf.identity(value, name)
        tf.identity(tf.constant([float(self.recipe.max_detections)]), "num_detections")

    def suppress(self, boxes: Any, scores: Any) -> tuple[Any, Any, Any]:
        most = self.recipe.max_detections
        boxes = tf.clip_by_value(boxes, 0.0, 1.0)
        found: list[list[Any]] = [[], [], []]
        for column in range(self.recipe.classes):
            of_class = scores[:, column]
            chosen = self.nms(boxes, of_class)
            found[0].append(tf.gather(boxes, chosen))
            found[1].append(tf.gather(of_class, chosen))
            found[2].append(tf.fill(tf.shape(chosen), float(column + 1)))
        kept = [tf.concat(parts, 0) for parts in found]
        order = tf.argsort(kept[1], direction="DESCENDING")[:most]
        padding = most - tf.shape(order)[0]
        kept = [tf.gather(part, order) for part in kept]
        return tuple(
            tf.reshape(
                tf.pad(part, [[0, padding]] + [[0, 0]] * (len(part.shape) - 1)),
                [most, 4] if len(part.shape) == 2 else [most],
            )
            for part in kept
        )  # type: ignore[return-value]

    def nms(self, boxes: Any, scores: Any) -> Any:
        recipe = self.recipe
        common = {
            "boxes": boxes,
            "max_output_size": recipe.max_detections,
            "iou_threshold": recipe.iou_threshold,
        }
        if recipe.suppression == 2:
            # Filters by score in an operator of its own.
            likely = tf.reshape(tf.where(tf.greater(scores, recipe.score_threshold)), [-1])
            inner = tf.raw_ops.NonMaxSuppressionV2(
                **{**common, "boxes": tf.gather(boxes, likely)}, scores=tf.gather(scores, likely)
            )
            return tf.cast(tf.gather(likely, inner), tf.int32)
        common |= {"scores": scores, "score_threshold": recipe.score_threshold}
        if recipe.suppression == 3:
            return tf.raw_ops.NonMaxSuppressionV3(**common)
        return tf.raw_ops.NonMaxSuppressionV5(**common, soft_nms_sigma=0.0).selected_indices


def write_ssd(path: Path, recipe: Recipe) -> Builder:
    """Write the frozen graph of a recipe; returns its builder, which knows the truth."""
    builder = Builder(recipe)
    path.write_bytes(builder.build().SerializeToString())
    return builder
