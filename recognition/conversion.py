"""Two ONNX graphs made from the packaged weights: CenterFace with its input shape freed, and dlib's ResNet.

ONNX Runtime runs dlib's net about ten times as fast as the dlib-bin wheel, which is built without BLAS.
"""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

# What dlib's input layer subtracts from red, green and blue before it divides by 256.
MEAN_RGB = (122.782, 117.001, 104.298)
# The residual blocks of `anet_type` in dlib's dnn_face_recognition_ex.cpp, input first: (filters, stride).
BLOCKS = [
    *[(32, 1), (32, 1), (32, 1)],
    *[(64, 2), (64, 1), (64, 1), (64, 1)],
    *[(128, 2), (128, 1), (128, 1)],
    *[(256, 2), (256, 1), (256, 1)],
    (256, 2),
]
FLOAT = 1  # onnx.TensorProto.FLOAT


def free_input_shape(content: bytes) -> bytes:
    """Give CenterFace's graph with its fixed batch, height and width replaced by names; any multiple of 32 fits."""
    import onnx

    model = onnx.load_from_string(content)
    for value in (*model.graph.input, *model.graph.output):
        for axis, dimension in enumerate(value.type.tensor_type.shape.dim):
            if axis != 1:
                dimension.dim_param = f"{value.name}_{axis}"
    del model.graph.value_info[:]
    # Exporters of its day listed the weights as inputs too, which keeps ONNX Runtime from folding them.
    weights = {tensor.name for tensor in model.graph.initializer}
    for value in [value for value in model.graph.input if value.name in weights]:
        model.graph.input.remove(value)
    return bytes(model.SerializeToString())


def dlib_resnet(content: bytes) -> bytes:
    """Give dlib's face recognition ResNet as ONNX: `chips` (n, 150, 150, 3) uint8 RGB -> `embeddings` (n, 128) float32.

    `content` is dlib_face_recognition_resnet_model_v1.dat, which holds the layers in the order they are run.
    """
    graph = _Graph(_taking_pixels(_convolutions(content)))
    maps = graph.node("Transpose", "chips", perm=[0, 3, 1, 2])
    maps = graph.node("Cast", maps, to=FLOAT)
    maps = graph.node("Relu", graph.convolution(maps, kernel=7, stride=2))
    maps = graph.node("MaxPool", maps, kernel_shape=[3, 3], strides=[2, 2])
    side, channels = 35, 32
    for filters, stride in BLOCKS:
        branch = graph.node("Relu", graph.convolution(maps, kernel=3, stride=stride))
        branch = graph.convolution(branch, kernel=3, stride=1)
        if stride == 2:
            maps = graph.node("AveragePool", maps, kernel_shape=[2, 2], strides=[2, 2])
            maps = graph.zero_padded(maps, channels=filters - channels, rows=0)
            # Pooling an even side keeps one row more than convolving it; dlib adds them as if zeros followed.
            branch = graph.zero_padded(branch, channels=0, rows=side // 2 - (side - 1) // 2)
            side, channels = side // 2, filters
        maps = graph.node("Relu", graph.node("Add", branch, maps))
    features = graph.node("Flatten", graph.node("GlobalAveragePool", maps))
    graph.node("MatMul", features, graph.constant(_floats(content, "fc").reshape(256, 128)), output="embeddings")
    return graph.serialised()


class _Graph:
    """An ONNX graph under construction; values are known by their names."""

    def __init__(self, layers: Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]) -> None:
        self.layers = layers
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def node(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        from onnx import helper

        output = output or f"value{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def constant(self, values: NDArray[Any]) -> str:
        from onnx import numpy_helper

        name = f"constant{len(self.constants)}"
        values = values if values.dtype == np.int64 else values.astype(np.float32)
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def convolution(self, maps: str, *, kernel: int, stride: int) -> str:
        weights, biases = next(self.layers)
        weights = weights.reshape(len(biases), -1, kernel, kernel)
        pads = [0 if stride > 1 else kernel // 2] * 4
        return self.node("Conv", maps, self.constant(weights), self.constant(biases), strides=[stride] * 2, pads=pads)

    def zero_padded(self, maps: str, *, channels: int, rows: int) -> str:
        if not channels and not rows:
            return maps
        return self.node("Pad", maps, self.constant(np.array([0, 0, 0, 0, 0, channels, rows, rows], dtype=np.int64)))

    def serialised(self) -> bytes:
        from onnx import TensorProto, checker, helper

        chips = helper.make_tensor_value_info("chips", TensorProto.UINT8, ["n", 150, 150, 3])
        embeddings = helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["n", 128])
        graph = helper.make_graph(self.nodes, "dlib_resnet", [chips], [embeddings], self.constants)
        model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
        checker.check_model(model)
        return bytes(model.SerializeToString())


def _taking_pixels(
    layers: Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]],
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Fold dlib's input layer, (pixel - mean) / 256, into the first convolution, which pads nothing.

    On its own it took a tenth of the net's time.
    """
    weights, biases = next(layers)
    scaled = weights.reshape(len(biases), 3, -1) / np.float32(256)
    yield scaled, biases - scaled.sum(axis=2) @ np.array(MEAN_RGB, dtype=np.float32)
    yield from layers


def _convolutions(content: bytes) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Yield each layer's weights (flat) and biases (filters,), with the affine layer behind it folded in."""
    affine = _layers(content, "affine")
    for parameters in _layers(content, "con"):
        gamma, beta = next(affine).reshape(2, -1)
        weights, biases = parameters[: -len(gamma)].reshape(len(gamma), -1), parameters[-len(gamma) :]
        yield weights * gamma[:, None], biases * gamma + beta


def _floats(content: bytes, kind: str) -> NDArray[np.float32]:
    (only,) = _layers(content, kind)
    return only


def _layers(content: bytes, kind: str) -> Iterator[NDArray[np.float32]]:
    """Yield the parameters of each layer of a kind, flat.

    Behind the layer's version word comes a tensor: a version, four sizes, the floats. An fc layer has its numbers of
    outputs and inputs in between.
    """
    for match in re.finditer(rb"\x01[\x04-\x09]" + kind.encode() + rb"_\d?", content):
        position = match.end()
        if kind == "fc":
            _, position = _integers(content, position, 2)
        (_, *shape), position = _integers(content, position, 5)
        yield np.frombuffer(content, "<f4", int(np.prod(shape)), position)


def _integers(content: bytes, position: int, count: int) -> tuple[list[int], int]:
    """Read dlib's integers: a byte that counts the bytes to follow, then those, the lowest first."""
    values = []
    for _ in range(count):
        size = content[position]
        values.append(int.from_bytes(content[position + 1 : position + 1 + size], "little"))
        position += 1 + size
    return values, position
