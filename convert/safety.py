"""What a model file may contain. Anything else is refused before it is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fer_edge.engine.errors import BadInput, UnsafeModel

# What exports of SSD detectors are made of. None of these touches files, the network,
# Python or anything else outside the graph.
GRAPH_OPERATORS = frozenset(
    """
    Abs Add AddN AddV2 All Any ArgMax Assert AvgPool BatchToSpaceND BiasAdd Cast Ceil
    ClipByValue Concat ConcatV2 Const Conv2D DepthwiseConv2dNative Div DivNoNan Elu Enter Equal
    Exit Exp ExpandDims Fill Floor FloorDiv FloorMod FusedBatchNorm FusedBatchNormV2
    FusedBatchNormV3 Gather GatherNd GatherV2 Greater GreaterEqual Identity IdentityN LeakyRelu
    Less LessEqual Log LogicalAnd LogicalNot LogicalOr LoopCond MatMul Max MaxPool Maximum Mean
    Merge Min Minimum MirrorPad Mod Mul Neg NextIteration NoOp NonMaxSuppression
    NonMaxSuppressionV2 NonMaxSuppressionV3 NonMaxSuppressionV4 NonMaxSuppressionV5 NotEqual
    OneHot OnesLike Pack Pad PadV2 Placeholder PlaceholderWithDefault Pow Prod Range Rank
    RealDiv Reciprocal Relu Relu6 Reshape ResizeBilinear ResizeNearestNeighbor ReverseV2 Round
    Rsqrt ScatterNd Select SelectV2 Selu Shape Sigmoid Sign Size Slice Softmax Softplus
    SpaceToBatchND Split SplitV Sqrt Square SquaredDifference Squeeze StopGradient StridedSlice
    Sub Sum Switch Tanh TensorArrayCloseV3 TensorArrayConcatV3 TensorArrayGatherV3
    TensorArrayReadV3 TensorArrayScatterV3 TensorArraySizeV3 TensorArrayV3 TensorArrayWriteV3
    Tile TopK TopKV2 Transpose Unpack Where ZerosLike
    """.split()
)

# What ONNX face detectors are made of, once more nothing that reaches outside the graph, runs
# a graph of its own (If, Loop, Scan) or makes large tensors out of small ones without a
# picture (ConstantOfShape, Expand, Tile).
ONNX_OPERATORS = frozenset(
    """
    Add AveragePool BatchNormalization Cast Ceil Clip Concat Constant Conv ConvTranspose
    DepthToSpace Div Dropout Elu Exp Flatten Floor Gather GlobalAveragePool HardSigmoid HardSwish
    Identity LeakyRelu MatMul Max MaxPool Min Mul Neg PRelu Pad Pow ReduceMax ReduceMean ReduceSum
    Relu Reshape Resize Shape Sigmoid Slice Softmax Softplus Split Sqrt Squeeze Sub Sum Tanh
    Transpose Unsqueeze Upsample
    """.split()
)

# Layers whose configuration is data alone. Wrappers and nested models are searched in turn.
LAYERS = frozenset(
    """
    Activation Add AlphaDropout Average AveragePooling2D AveragePooling1D BatchNormalization
    BatchNormalizationV1 BatchNormalizationV2 CenterCrop Concatenate Conv1D Conv2D Cropping2D
    Dense DepthwiseConv2D Dropout ELU Flatten Functional GaussianDropout GaussianNoise
    GlobalAveragePooling2D GlobalAvgPool2D GlobalMaxPooling2D GlobalMaxPool2D GroupNormalization
    Identity InputLayer LayerNormalization LeakyReLU MaxPooling2D MaxPool2D Maximum
    Minimum Model Multiply Normalization PReLU Permute RandomBrightness RandomContrast
    RandomFlip RandomRotation RandomTranslation RandomZoom ReLU Rescaling Reshape Resizing
    SeparableConv2D SeparableConvolution2D Convolution2D Sequential Softmax SpatialDropout2D
    Subtract ThresholdedReLU UnitNormalization UpSampling2D ZeroPadding2D
    """.split()
)
MODELS = frozenset({"Functional", "Model", "Sequential"})
# Layers that move pixels and leave their values as they are.
SHIFTING = frozenset(
    """
    CenterCrop Cropping2D Dropout GaussianDropout GaussianNoise Identity InputLayer Permute
    RandomBrightness RandomContrast RandomFlip RandomRotation RandomTranslation RandomZoom Reshape
    Resizing ZeroPadding2D
    """.split()
)
# What stands in a layer's configuration and is no layer.
HELPERS = frozenset(
    """
    Constant DTypePolicy FloatDTypePolicy GlorotNormal GlorotUniform HeNormal HeUniform Identity
    KerasTensor L1 L1L2 L2 LecunNormal LecunUniform MaxNorm MinMaxNorm NonNeg Ones Orthogonal
    OrthogonalInitializer Policy RandomNormal RandomUniform TensorShape TruncatedNormal UnitNorm
    VarianceScaling Zeros __keras_tensor__ __tensor__ __tuple__
    """.split()
)
ACTIVATIONS = frozenset(
    """
    linear relu relu6 leaky_relu elu selu gelu celu silu swish mish softmax log_softmax softplus
    softsign sigmoid hard_sigmoid hard_silu hard_swish hard_tanh tanh exponential
    """.split()
)
# What Keras makes of `image / 255 - 1` in a network.
_ARITHMETIC = frozenset({"TFOpLambda", "TrueDivide", "Divide", "Negative", "GetItem", "Power"})
_ARITHMETIC_HINT = (
    "where it scales pixels, build the network with a Rescaling layer in its place, or without "
    "it, take over the weights with set_weights, and say the scaling with --input-range"
)
_MODULES = ("keras", "tf_keras", "builtins")


_QUANTISED = ("Quantize", "Dequantize", "FakeQuant", "Requant")


def _quantised(graph_def: Any) -> str:
    return ", ".join(sorted({n.op for n in graph_def.node if n.op.startswith(_QUANTISED)})[:3])


def check_graph(graph_def: Any, path: Path) -> None:
    """Check every operator of a GraphDef, those of its functions too.

    Raises:
        BadInput: a quantised graph.
        UnsafeModel: an operator is not on the list.
    """
    if any(node.op.startswith(_QUANTISED) for node in graph_def.node):
        raise BadInput(
            f"{path}: a quantised graph (it has {_quantised(graph_def)}); export the network in "
            "float, and let --precision int8 quantise it"
        )
    functions = [node for function in graph_def.library.function for node in function.node_def]
    for node in (*graph_def.node, *functions):
        if node.op not in GRAPH_OPERATORS:
            raise UnsafeModel(
                f"{path}: operator {node.op!r} ({node.name}) has no place in a detector; refused"
            )


def check_onnx(proto: Any, path: Path) -> None:
    """Check an `onnx.ModelProto` as it was parsed, before any library looks into it.

    Raises:
        UnsafeModel: an operator that is not on the list, or a function or graph inside.
        BadInput: no network in it, or weights that lie in other files.
    """
    graph = proto.graph
    if not graph.node or not proto.opset_import:
        raise BadInput(f"{path}: an empty ONNX model")
    if proto.functions or graph.sparse_initializer:
        raise UnsafeModel(f"{path}: functions and sparse weights have no place in a detector")
    for node in graph.node:
        if node.domain not in ("", "ai.onnx") or node.op_type not in ONNX_OPERATORS:
            name = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
            raise UnsafeModel(
                f"{path}: operator {name!r} ({node.name}) has no place in a face detector; refused"
            )
        if any(a.HasField("g") or a.graphs or a.HasField("sparse_tensor") for a in node.attribute):
            raise UnsafeModel(f"{path}: {node.op_type} {node.name!r} holds a graph; refused")
    constants = [a.t for node in graph.node for a in node.attribute if a.HasField("t")]
    # TensorProto.EXTERNAL is 1.
    if any(tensor.data_location == 1 for tensor in (*graph.initializer, *constants)):
        raise BadInput(f"{path}: its weights lie in another file; save the model as one file")


def check_keras_config(config: Any, path: Path) -> None:
    """Check a Keras model configuration, nested models included, before Keras sees it.

    Raises:
        UnsafeModel: a layer, function or module outside the lists.
        BadInput: not a model configuration.
    """
    if not isinstance(config, dict) or "class_name" not in config:
        raise BadInput(f"{path}: holds no Keras model configuration")
    # How it was trained stands beside the model in .keras files; it is never loaded
    # (compile=False), at this level alone.
    _check({key: item for key, item in config.items() if key != "compile_config"}, path, "model")


def first_layer(config: Any) -> str | None:
    """Class of the first layer that changes values, in nested models too; None without any.

    Layers stand in the order in which they run.
    """
    layers = config.get("config") if isinstance(config, dict) else None
    # Sequential models of Keras 2.0 are a list and nothing else.
    layers = layers.get("layers") if isinstance(layers, dict) else layers
    for layer in layers if isinstance(layers, list) else ():
        name = layer.get("class_name") if isinstance(layer, dict) else None
        if name in MODELS:
            name = first_layer(layer)
        if name is not None and name not in SHIFTING:
            return str(name)
    return None


def _check(value: Any, path: Path, where: str) -> None:
    if isinstance(value, list | tuple):
        for item in value:
            _check(item, path, where)
        return
    if not isinstance(value, dict):
        return
    name = value.get("class_name")
    if name is not None:
        where = _check_class(value, name, path, where)
    _check_module(value, path, where)
    for key, item in value.items():
        if key in ("activation", "recurrent_activation") and isinstance(item, str):
            if item not in ACTIVATIONS:
                raise UnsafeModel(f"{path}: unknown activation {item!r} in {where}; refused")
        elif key not in ("class_name", "module", "registered_name"):
            _check(item, path, where)


def _check_class(value: dict[str, Any], name: Any, path: Path, where: str) -> str:
    config = value.get("config")
    if name == "function" and isinstance(config, str) and config in ACTIVATIONS:
        return where
    if not isinstance(name, str) or name not in LAYERS | HELPERS:
        what = "runs code of its own" if "ambda" in str(name) else "is unknown"
        hint = f"; {_ARITHMETIC_HINT}" if name in _ARITHMETIC else ""
        raise UnsafeModel(f"{path}: layer {name!r} in {where} {what}; refused{hint}")
    label = config.get("name") if isinstance(config, dict) else None
    return f"{name} {label!r}" if label else str(name)


def _check_module(value: dict[str, Any], path: Path, where: str) -> None:
    module = value.get("module")
    if isinstance(module, str) and module.split(".")[0] not in _MODULES:
        raise UnsafeModel(f"{path}: {where} comes from module {module!r}; refused")
    registered = value.get("registered_name")
    if isinstance(registered, str) and ">" in registered:
        raise UnsafeModel(f"{path}: {where} is the custom class {registered!r}; refused")
