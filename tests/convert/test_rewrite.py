from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from fer_edge.convert.rewrite import (
    clean_up,
    convolve_resizes,
    convolve_transposed,
    drop_reshapes,
    fold_affine,
    free_rows,
    interpolates,
    operators,
    peel_input_scaling,
    restore_prelu,
    scale_resizes,
    sink_transposes,
    stacked,
)

HEIGHT, WIDTH, CHANNELS = 5, 6, 3
TO_NCHW, TO_NHWC = [0, 3, 1, 2], [0, 2, 3, 1]


class Network:
    """Writes a small ONNX network node by node."""

    def __init__(self, shape: list[int | str], seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.shape = shape

    def constant(self, array: np.ndarray) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def floats(self, *shape: int) -> str:
        return self.constant(self.rng.normal(0, 1, shape).astype(np.float32))

    def __call__(self, op_type: str, *inputs: str, **attributes: Any) -> str:
        output = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, list(inputs), [output], **attributes))
        return output

    def model(self, output: str) -> Any:
        value = helper.make_tensor_value_info
        graph = helper.make_graph(
            self.nodes,
            "test",
            [value("x", TensorProto.FLOAT, self.shape)],
            [value(output, TensorProto.FLOAT, None)],
            self.constants,
        )
        proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        return ir.from_proto(onnx.shape_inference.infer_shapes(proto))


def run(model: Any, x: np.ndarray) -> np.ndarray:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(ir.to_proto(model).SerializeToString(), options)
    return session.run(None, {session.get_inputs()[0].name: x})[0]


def same_before_and_after(model: Any, rewrite: Callable[[Any], Any], batch: int = 2) -> None:
    """A rewrite keeps what the network computes, gives a valid model, and is idempotent."""
    shape = [d if isinstance(d, int) else batch for d in model.graph.inputs[0].shape]
    x = np.random.default_rng(1).normal(0, 1, shape).astype(np.float32)
    before = run(model, x)
    rewrite(model)
    onnx.checker.check_model(ir.to_proto(model), full_check=True)
    np.testing.assert_allclose(run(model, x), before, rtol=1e-4, atol=1e-4)
    counts = operators(model)
    rewrite(model)
    assert operators(model) == counts


def elementwise(net: Network, value: str, choice: int) -> str:
    """An NHWC operator of the kind that stands between convolutions."""
    match choice:
        case 0:
            return net("Relu", value)
        case 1:
            return net("Mul", value, net.floats(CHANNELS))
        case 2:
            return net("Add", net.floats(1, 1, 1, CHANNELS), value)
        case 3:
            return net("PRelu", value, net.floats(HEIGHT, WIDTH, CHANNELS))
        case 4:
            return net("Add", value, net("Neg", value))
        case 5:
            return net("Concat", value, net("Sigmoid", value), axis=3)
        case 6:
            pads = net.constant(np.array([0, 1, 0, 0, 0, 0, 2, 0], np.int64))
            return net("Pad", value, pads)
        case 7:
            return net("ReduceMean", value, axes=[1, 2], keepdims=1)
        case 8:
            return net("Sub", value, net.floats(1))
        case _:
            return net("Clip", value, net.constant(np.float32(0)), net.constant(np.float32(6)))


@settings(max_examples=60)
@given(st.lists(st.sampled_from([0, 1, 2, 3, 4, 8, 9]), max_size=4), st.sampled_from([0, 5, 6, 7]))
def test_transposes_around_anything_elementwise_cancel(inner: list[int], last: int) -> None:
    net = Network(["batch", CHANNELS, HEIGHT, WIDTH])
    value = net("Transpose", "x", perm=TO_NHWC)
    for choice in (*inner, last):
        value = elementwise(net, value, choice)
    model = net.model(net("Transpose", value, perm=TO_NCHW))
    same_before_and_after(model, lambda m: sink_transposes(m.graph))
    assert operators(model)["Transpose"] == 0


@given(st.permutations(range(4)), st.permutations(range(4)), st.booleans())
def test_any_two_transposes_become_at_most_one(first, second, through: bool) -> None:
    net = Network([2, CHANNELS, HEIGHT, WIDTH])
    value = net("Transpose", "x", perm=first)
    value = net("Relu", value) if through else value
    model = net.model(net("Neg", net("Transpose", value, perm=second)))
    same_before_and_after(model, lambda m: sink_transposes(m.graph))
    assert operators(model)["Transpose"] == (
        0 if [first[axis] for axis in second] == list(range(4)) else 1
    )


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("axes", [[1], [1, 2], [-1], [3], [1, 3]])
def test_transposes_pass_reductions(axes: list[int], keepdims: int) -> None:
    net = Network([2, CHANNELS, HEIGHT, WIDTH])
    value = net("Transpose", "x", perm=TO_NHWC)
    model = net.model(net("Neg", net("ReduceMean", value, axes=axes, keepdims=keepdims)))
    same_before_and_after(model, lambda m: sink_transposes(m.graph))


def test_a_transpose_before_a_flattening_of_single_cells_goes() -> None:
    for height, expected in ((1, 0), (2, 1)):
        net = Network(["batch", 8, height, 1])
        value = net("Transpose", "x", perm=[0, 3, 2, 1])
        shape = net.constant(np.array([-1, 8 * height], np.int64))
        model = net.model(net("Reshape", value, shape))
        same_before_and_after(model, lambda m: sink_transposes(m.graph))
        assert operators(model)["Transpose"] == expected


def test_an_output_that_is_a_transpose_keeps_its_name_and_layout() -> None:
    net = Network([1, CHANNELS, HEIGHT, WIDTH])
    model = net.model(net("Relu", net("Transpose", "x", perm=TO_NHWC)))
    name = model.graph.outputs[0].name
    same_before_and_after(model, clean_up)
    assert model.graph.outputs[0].name == name
    assert list(model.graph.outputs[0].shape) == [1, HEIGHT, WIDTH, CHANNELS]


def prelu_pieces(net: Network, value: str, form: int, slope: np.ndarray) -> str:
    positive = net("Relu", value)
    negative = net("Relu", net("Neg", value))
    if form == 0:
        return net("Add", positive, net("Mul", net.constant(-slope), negative))
    if form == 1:
        return net("Add", net("Mul", negative, net.constant(-slope)), positive)
    if form == 2:
        return net("Sub", positive, net("Mul", net.constant(slope), negative))
    minus = net.constant(np.float32(-1))
    negative = net("Relu", net("Mul", value, minus))
    return net("Add", positive, net("Neg", net("Mul", net.constant(slope), negative)))


@given(st.integers(0, 3), st.sampled_from([(), (CHANNELS, 1, 1), (CHANNELS, HEIGHT, WIDTH)]))
def test_prelu_is_restored_from_each_of_its_forms(form: int, shape: tuple[int, ...]) -> None:
    net = Network([2, CHANNELS, HEIGHT, WIDTH])
    slope = np.random.default_rng(2).normal(0, 1, shape).astype(np.float32)
    model = net.model(prelu_pieces(net, "x", form, slope))
    same_before_and_after(model, clean_up)
    assert operators(model) == {"PRelu": 1}


def test_what_only_looks_like_prelu_stays() -> None:
    net = Network([2, CHANNELS, HEIGHT, WIDTH])
    other = net("Abs", "x")
    value = net("Mul", net.floats(CHANNELS, 1, 1), net("Relu", net("Neg", other)))
    model = net.model(net("Add", net("Relu", "x"), value))
    same_before_and_after(model, lambda m: restore_prelu(m.graph))
    assert operators(model)["PRelu"] == 0


def batch_norm(net: Network, value: str, channels: int) -> str:
    positive = net.constant(net.rng.uniform(0.2, 2, channels).astype(np.float32))
    vectors = [net.floats(channels) for _ in range(3)]
    return net("BatchNormalization", value, *vectors, positive, epsilon=1e-3)


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from(["bn", "mul", "add", "sub", "rsub", "div"]), min_size=1, max_size=3),
    st.sampled_from([1, 3]),
    st.booleans(),
)
def test_factors_and_offsets_fold_into_the_convolution(
    followers: list[str], group: int, bias: bool
) -> None:
    net = Network([2, CHANNELS, HEIGHT, WIDTH])
    channels = 6
    inputs = [net.floats(channels, CHANNELS // group, 3, 3)] + ([net.floats(channels)] * bias)
    value = net("Conv", "x", *inputs, group=group, pads=[1, 1, 1, 1])
    for name in followers:
        constant = net.floats(1, channels, 1, 1)
        match name:
            case "bn":
                value = batch_norm(net, value, channels)
            case "rsub":
                value = net("Sub", constant, value)
            case _:
                value = net(name.capitalize(), value, constant)
    model = net.model(value)
    same_before_and_after(model, lambda m: fold_affine(m.graph))
    assert operators(model) == {"Conv": 1}


def test_a_convolution_with_other_users_and_unfitting_constants_stay() -> None:
    net = Network([2, CHANNELS, HEIGHT, WIDTH])
    value = net("Conv", "x", net.floats(4, CHANNELS, 1, 1))
    both = net("Add", net("Mul", value, net.floats(4, 1, 1)), value)
    by_place = net("Conv", both, net.floats(4, 4, 1, 1))
    model = net.model(net("Mul", by_place, net.floats(HEIGHT, WIDTH)))
    same_before_and_after(model, lambda m: fold_affine(m.graph))
    assert operators(model)["Mul"] == 2


def test_batch_norm_behind_a_reshape_that_does_nothing_is_folded() -> None:
    net = Network(["batch", CHANNELS, 1, 1])
    value = net("Conv", "x", net.floats(4, CHANNELS, 1, 1))
    value = net("Reshape", value, net.constant(np.array([-1, 1, 1, 4], np.int64)))
    value = net("Reshape", value, net.constant(np.array([-1, 4, 1, 1], np.int64)))
    model = net.model(net("Relu", batch_norm(net, value, 4)))
    same_before_and_after(model, clean_up)
    assert operators(model) == {"Conv": 1, "Relu": 1}


def test_a_reshape_that_does_something_stays() -> None:
    net = Network([2, 4, HEIGHT, WIDTH])
    shape = net.constant(np.array([2, 2, -1, WIDTH], np.int64))
    model = net.model(net("Relu", net("Reshape", "x", shape)))
    same_before_and_after(model, lambda m: drop_reshapes(m.graph))
    assert operators(model)["Reshape"] == 1


@given(st.lists(st.sampled_from(["mul", "add", "sub", "div"]), min_size=1, max_size=4))
def test_leading_scaling_is_peeled_into_mean_and_scale(steps: list[str]) -> None:
    net = Network([2, CHANNELS, HEIGHT, WIDTH])
    value = "x"
    for name in steps:
        array = net.rng.uniform(0.5, 2, (CHANNELS, 1, 1)).astype(np.float32)
        value = net(name.capitalize(), value, net.constant(array))
    model = net.model(net("Conv", value, net.floats(2, CHANNELS, 1, 1)))
    x = np.random.default_rng(1).normal(0, 1, (2, CHANNELS, HEIGHT, WIDTH)).astype(np.float32)
    before = run(model, x)
    peeled = peel_input_scaling(model.graph, CHANNELS)
    assert peeled is not None
    mean, scale = (np.array(v, np.float32).reshape(1, -1, 1, 1) for v in peeled)
    assert operators(model) == {"Conv": 1}
    np.testing.assert_allclose(run(model, (x - mean) * scale), before, rtol=1e-3, atol=1e-4)


def test_a_network_without_leading_scaling_is_left_alone() -> None:
    net = Network([2, CHANNELS, HEIGHT, WIDTH])
    value = net("Mul", net("Conv", "x", net.floats(2, CHANNELS, 1, 1)), net.floats(1))
    assert peel_input_scaling(net.model(value).graph, CHANNELS) is None


def resize(net: Network, value: str, scales: list[float], **attributes: Any) -> str:
    kind = {"mode": "linear", "coordinate_transformation_mode": "half_pixel", **attributes}
    return net("Resize", value, "", net.constant(np.array(scales, np.float32)), **kind)


SIDES = st.integers(1, 24)


@given(st.tuples(SIDES, SIDES), st.tuples(SIDES, SIDES), st.integers(1, 3))
def test_a_linear_resize_becomes_convolutions(
    before: tuple[int, int], after: tuple[int, int], channels: int
) -> None:
    net = Network(["batch", channels, *before])
    # Rounded up, for runtimes round down: of 3.9999998 pixels there are three.
    ratios = np.divide(after, before, dtype=np.float32)
    scales = np.nextafter(ratios, np.float32(99)).tolist()
    model = net.model(net("Neg", resize(net, "x", [1.0, 1.0, *scales])))
    same_before_and_after(model, lambda m: convolve_resizes(m.graph))
    convolutions = [node for node in model.graph if node.op_type == "Conv"]
    assert len(convolutions) == 2
    assert operators(model)["Resize"] == 0
    assert all(map(interpolates, convolutions)) or 1 in before


def test_every_enlargement_of_a_face_has_its_size() -> None:
    for side in range(49, 129):
        net = Network(["batch", 1, 48, 48])
        model = net.model(net("Neg", resize(net, "x", [1.0, 1.0, side / 48, side / 48])))
        assert convolve_resizes(model.graph) == 1
        assert run(model, np.zeros((2, 1, 48, 48), np.float32)).shape == (2, 1, side, side)


@pytest.mark.parametrize(
    ("shape", "scales", "attributes"),
    [
        ([1, 1, 8, 8], [1, 1, 2, 2], {"mode": "nearest"}),
        ([1, 1, 8, 8], [1, 1, 2, 2], {"mode": "cubic"}),
        ([1, 1, 8, 8], [1, 1, 2, 2], {"coordinate_transformation_mode": "align_corners"}),
        ([1, 1, 8, 8], [1, 1, 1.3, 1.3], {}),
        ([1, 2, 8, 8], [1, 2, 2, 2], {}),
        ([1, 4, 8, 8], [1, 1, 2, 2], {}),
        ([1, 1, 200, 8], [1, 1, 2, 2], {}),
        ([1, 1, "height", 8], [1, 1, 2, 2], {}),
    ],
)
def test_other_resizes_stay(
    shape: list[int | str], scales: list[float], attributes: dict[str, Any]
) -> None:
    net = Network(shape)
    model = net.model(net("Neg", resize(net, "x", scales, **attributes)))
    assert convolve_resizes(model.graph) == 0
    assert operators(model) == {"Resize": 1, "Neg": 1}


def test_a_learnt_convolution_does_not_interpolate() -> None:
    net = Network([1, 1, HEIGHT, WIDTH])
    model = net.model(net("Conv", "x", net.floats(2, 1, 1, WIDTH)))
    assert not interpolates(model.graph[0])


@given(
    block=st.integers(2, 3),
    channels=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    biased=st.booleans(),
    normed=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_transposed_convolutions_without_overlap_become_plain_ones(
    block: int, channels: tuple[int, int], biased: bool, normed: bool, seed: int
) -> None:
    before, after = channels
    net = Network(["n", before, HEIGHT, WIDTH], seed)
    weights = [net.floats(before, after, block, block)] + ([net.floats(after)] if biased else [])
    sides = {"kernel_shape": [block, block], "strides": [block, block]}
    x = net("ConvTranspose", "x", *weights, **sides)
    if normed:
        scale, offset, mean = (net.floats(after) for _ in range(3))
        variance = net.constant(net.rng.uniform(0.5, 2, after).astype(np.float32))
        x = net("BatchNormalization", x, scale, offset, mean, variance)
    model = net.model(net("Relu", x))

    def rewrite(model: Any) -> None:
        fold_affine(model.graph)
        convolve_transposed(model.graph)

    same_before_and_after(model, rewrite)
    assert operators(model) == {"Conv": 1, "DepthToSpace": 1, "Relu": 1}


@pytest.mark.parametrize(
    ("kernel", "attributes"),
    [
        ((CHANNELS, 2, 4, 4), {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
        ((CHANNELS, 2, 3, 3), {"strides": [2, 2]}),
        ((CHANNELS, 2, 2, 2), {"strides": [2, 2], "output_padding": [1, 1]}),
        ((CHANNELS, 2, 2, 2), {"strides": [2, 2], "dilations": [2, 2]}),
        ((CHANNELS, 1, 2, 2), {"strides": [2, 2], "group": CHANNELS}),
        ((CHANNELS, 2, 2, 3), {"strides": [2, 3]}),
    ],
)
def test_other_transposed_convolutions_stay(
    kernel: tuple[int, ...], attributes: dict[str, Any]
) -> None:
    net = Network([1, CHANNELS, HEIGHT, WIDTH])
    model = net.model(net("ConvTranspose", "x", net.floats(*kernel), **attributes))
    same_before_and_after(model, lambda model: convolve_transposed(model.graph))
    assert operators(model) == {"ConvTranspose": 1}


@given(
    factors=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    rule=st.sampled_from(
        [("asymmetric", "floor"), ("half_pixel", "round_prefer_floor"),
         ("half_pixel", "round_prefer_ceil"), ("pytorch_half_pixel", "round_prefer_floor")]
    ),
)  # fmt: skip
def test_resizes_to_a_multiple_get_scales_that_fit_any_size(
    factors: tuple[int, int], rule: tuple[str, str]
) -> None:
    def resize(sizes: bool) -> Any:
        net = Network([1, CHANNELS, HEIGHT, WIDTH])
        none = net.constant(np.zeros(0, np.float32))
        target = np.array([1, CHANNELS, HEIGHT * factors[0], WIDTH * factors[1]], np.int64)
        scales = net.constant(np.float32([1, 1, *factors]))
        operands = [none, net.constant(target)] if sizes else [scales]
        how = {"coordinate_transformation_mode": rule[0], "nearest_mode": rule[1]}
        return net.model(net("Resize", "x", none, *operands, mode="nearest", **how))

    model = resize(sizes=True)
    same_before_and_after(model, lambda model: scale_resizes(model.graph))
    other = np.random.default_rng(2).normal(0, 1, (1, CHANNELS, 8, 4)).astype(np.float32)
    for value in (model.graph.inputs[0], *(v for node in model.graph for v in node.outputs)):
        value.shape = None
    expected = resize(sizes=False)
    for value in (expected.graph.inputs[0], *(v for n in expected.graph for v in n.outputs)):
        value.shape = None
    assert run(model, other).shape == (1, CHANNELS, 8 * factors[0], 4 * factors[1])
    np.testing.assert_array_equal(run(model, other), run(expected, other))


@pytest.mark.parametrize(
    ("sizes", "attributes"),
    [
        ((1, CHANNELS, 7, 12), {"mode": "nearest"}),
        ((1, CHANNELS, 10, 12), {"mode": "linear"}),
        ((1, CHANNELS, 10, 12), {"mode": "nearest", "nearest_mode": "ceil"}),
        ((1, CHANNELS, 10, 12), {"coordinate_transformation_mode": "align_corners"}),
    ],
)
def test_other_resizes_keep_their_sizes(sizes: tuple[int, ...], attributes: dict[str, Any]) -> None:
    net = Network([1, CHANNELS, HEIGHT, WIDTH])
    none = net.constant(np.zeros(0, np.float32))
    target = net.constant(np.array(sizes, np.int64))
    model = net.model(net("Resize", "x", none, none, target, **attributes))
    assert scale_resizes(model.graph) == 0


def test_rows_follow_from_the_map_that_is_laid_down() -> None:
    net = Network([1, HEIGHT, WIDTH, 8])
    rows = net.constant(np.array([1, HEIGHT * WIDTH * 2, 4], np.int64))
    flat = net.constant(np.array([1, HEIGHT * WIDTH * 8], np.int64))
    model = net.model(net("Reshape", net("Reshape", "x", rows), flat))
    same_before_and_after(model, lambda model: free_rows(model.graph), batch=1)
    targets = [node.inputs[1].const_value.numpy().tolist() for node in model.graph]
    assert targets == [[1, -1, 4], [1, HEIGHT * WIDTH * 8]]


@given(
    widths=st.lists(st.integers(1, 4), min_size=2, max_size=4),
    depthwise=st.booleans(),
    biased=st.lists(st.booleans(), min_size=4, max_size=4),
    other=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_maps_side_by_side_are_stacked_exactly(
    widths: list[int], depthwise: bool, biased: list[bool], other: bool, seed: int
) -> None:
    """One convolution where all take the same, else a Concat; the same numbers either way."""
    net = Network([1, CHANNELS, HEIGHT, WIDTH], seed)
    maps = []
    for index, (width, bias) in enumerate(zip(widths, biased, strict=False)):
        source = net("Relu", "x") if other and index == 0 else "x"
        terms = [net.floats(width)] if bias else []
        value = net("Conv", source, net.floats(width, CHANNELS, 1, 1), *terms)
        if depthwise:
            kernel, pads = net.floats(width, 1, 3, 3), {"pads": [1, 1, 1, 1], "group": width}
            value = net("Conv", value, kernel, *terms, **pads)
        maps.append(value)
    model = net.model(net("Concat", *maps, axis=1))
    x = net.rng.normal(0, 1, (1, CHANNELS, HEIGHT, WIDTH)).astype(np.float32)
    before = run(model, x)
    graph = model.graph
    values = list(graph.outputs[0].producer().inputs)
    together = stacked(graph, values)
    graph.outputs.clear()
    graph.outputs.append(together)
    clean_up(model)
    np.testing.assert_allclose(run(model, x), before, rtol=1e-4, atol=1e-4)
    counts = operators(model)
    assert ("Concat" in counts) == other
    assert counts["Conv"] == (1 + depthwise) * (len(widths) if other else 1)
