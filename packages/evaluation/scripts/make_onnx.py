"""Two small ONNX networks, and what they make of three pictures by numpy: fixtures/*.onnx, fixtures/onnx.json.

    python3 packages/evaluation/scripts/make_onnx.py

Needs numpy and onnx. channels-first: two pictures at once, [2, 3, 8, 8] -> convolution, ReLU: `map` [2, 4, 3, 3], its mean `features`
[2, 4]. channels-last: [batch, height, width, 3], all open but the channels -> the mean colour [batch, 1, 1, 3].
"""

import json
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FIXTURES = pathlib.Path(__file__).parent.parent / "fixtures"
SIDE = 8
# torchvision's.
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def save(name, nodes, inputs, outputs, constants=()):
    value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    graph = helper.make_graph(nodes, name, [value(*i) for i in inputs], [value(*o) for o in outputs], list(constants))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="make_onnx.py")
    model.ir_version = 7
    onnx.checker.check_model(model)
    (FIXTURES / f"{name}.onnx").write_bytes(model.SerializeToString())


def picture(index):
    """[height, width, 3] in [-1, 1], of whole bytes."""
    y, x, c = np.mgrid[0:SIDE, 0:SIDE, 0:3]
    return ((y * 53 + x * 91 + c * 37 + x * y * 11 + index * 29) % 256) / 127.5 - 1


def convolve(pixels, weight, bias):
    """[3, 8, 8] -> [4, 3, 3], steps of 2, no padding."""
    out = np.zeros((4, 3, 3))
    for y in range(3):
        for x in range(3):
            window = pixels[:, 2 * y : 2 * y + 3, 2 * x : 2 * x + 3]
            out[:, y, x] = (weight * window).sum((1, 2, 3)) + bias
    return out


def main():
    rng = np.random.default_rng(3)
    weight = np.round(rng.normal(size=(4, 3, 3, 3)), 2).astype(np.float32)
    bias = np.round(rng.normal(size=4), 2).astype(np.float32)
    save(
        "channels-first",
        [
            helper.make_node("Conv", ["pixels", "weight", "bias"], ["convolved"], strides=[2, 2]),
            helper.make_node("Relu", ["convolved"], ["map"]),
            helper.make_node("ReduceMean", ["map"], ["features"], axes=[2, 3], keepdims=0),
        ],
        [("pixels", [2, 3, SIDE, SIDE])],
        [("map", [2, 4, 3, 3]), ("features", [2, 4])],
        [numpy_helper.from_array(weight, "weight"), numpy_helper.from_array(bias, "bias")],
    )
    save(
        "channels-last",
        [helper.make_node("ReduceMean", ["pictures"], ["colour"], axes=[1, 2], keepdims=1)],
        [("pictures", ["batch", "height", "width", 3])],
        [("colour", ["batch", 1, 1, 3])],
    )
    pictures = [picture(index) for index in range(3)]
    normalised = [(((p + 1) / 2 - MEAN) / STD).transpose(2, 0, 1) for p in pictures]
    features = [np.maximum(convolve(p, weight, bias), 0).mean((1, 2)).tolist() for p in normalised]
    expected = {"imagenetFeatures": features, "colours": [p.mean((0, 1)).tolist() for p in pictures]}
    (FIXTURES / "onnx.json").write_text(json.dumps(expected, indent=1) + "\n")
    print(expected)


main()
