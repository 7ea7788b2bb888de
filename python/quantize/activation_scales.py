# SPDX-License-Identifier: Apache-2.0

"""Scales of the uint8 activations that convolutions read and make: those that lose least, in squares, on the speech of a
calibration. What a convolution makes is judged behind its Gelu, which brings all values below about -4 to 0."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from calibration_clips import mels_of
from gelu import gelu
from int8_convolutions import Scale, Scales
from protocol import UserError, progress

LEVELS = 255
SAMPLES = 2_000_000  # of an activation, of all clips together
BINS = 8192
DIGITS = 3  # of a scale: other kernels, which differ in the last bits, choose the same
UPPER = np.linspace(1, 0.1, 46)  # parts of the range that are tried
LOWER = (-2, -2.5, -3, -3.5, -4, -5, -6)

Function = Callable[[np.ndarray], np.ndarray]


def scales_of(path: Path, weights: list[str], calibration: Path) -> dict[str, Scales]:
    """Of the convolutions by these weights in a float32 encoder."""
    model = onnx.load(path)
    nodes = [next(n for n in model.graph.node if n.op_type == "Conv" and n.input[1] == name) for name in weights]
    names = [name for node in nodes for name in (node.input[0], node.output[0])]
    seen = sample(model, names, calibration)
    after = {value: node.op_type for node in model.graph.node for value in node.input}
    found = {}
    for weight, node in zip(weights, nodes, strict=True):
        function = gelu if after.get(node.output[0]) == "Gelu" else identity
        found[weight] = Scales(best(seen[node.input[0]], identity), best(seen[node.output[0]], function))
    return found


def sample(model: onnx.ModelProto, names: list[str], calibration: Path) -> dict[str, np.ndarray]:
    """Values of activations on the clips of a calibration, the least and the largest of each clip among them."""
    session = onnxruntime.InferenceSession(tapped(model, names), providers=["CPUExecutionProvider"])
    mels = mels_of(calibration)
    seen: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for i, mel in enumerate(mels):
        progress("scales of the encoder", i, len(mels), "clips")
        for name, values in zip(names, session.run(names, {"mel": mel.read()}), strict=True):
            if not np.isfinite(values).all():
                raise UserError(f"{name} is not finite on calibration clip {mel.clip}.", "Leave i8 out of the encoder.")
            flat = values.ravel()
            step = max(1, flat.size * len(mels) // SAMPLES) | 1  # odd: not the same column of every row
            seen[name].append(np.concatenate([flat[::step], [flat.min(), flat.max()]]))
    progress("scales of the encoder", len(mels), len(mels), "clips")
    return {name: np.concatenate(parts) for name, parts in seen.items()}


def tapped(model: onnx.ModelProto, names: list[str]) -> bytes:
    """A model of what these values are made of alone."""
    producers = {value: node for node in model.graph.node for value in node.output}
    wanted, used = list(names), set()
    while wanted:
        value = wanted.pop()
        if value not in used:
            used.add(value)
            wanted += producers[value].input if value in producers else []
    graph = onnx.helper.make_graph(
        [node for node in model.graph.node if used.intersection(node.output)],
        model.graph.name,
        [value for value in model.graph.input if value.name in used],
        [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names],
        [tensor for tensor in model.graph.initializer if tensor.name in used],
    )
    small = onnx.helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    return small.SerializeToString()


def best(values: np.ndarray, function: Function) -> Scale:
    """The scale whose rounding changes `function` of the values least in squares."""
    counts, edges = np.histogram(values, BINS)
    middles = (edges[:-1] + edges[1:]) / 2
    wanted = function(middles)

    def cost(scale: Scale) -> float:
        levels = (np.arange(LEVELS + 1) - int(scale.zero)) * np.float64(scale.scale)
        found = function(levels)[np.clip(np.rint(middles / scale.scale) + int(scale.zero), 0, LEVELS).astype(int)]
        return float(counts @ (found - wanted) ** 2)

    return min(candidates(float(values.min()), float(values.max())), key=cost)


def candidates(least: float, most: float) -> Iterator[Scale]:
    """Scales of ranges within the values', 0 among their levels."""
    lowest = min(least, 0.0)
    for low in (lowest, *(low for low in LOWER if low > lowest)):
        for part in UPPER:
            yield scale_of(low, max(most, 0.0) * part)
    if most > 0:
        for part in UPPER[1:]:
            yield scale_of(lowest * part, most * part)


def scale_of(low: float, high: float) -> Scale:
    """The scale of a range from `low` <= 0 to `high` >= 0, with 0 as a level."""
    scale = float(f"{(high - low) / LEVELS or 1.0:.{DIGITS}g}")
    return Scale(np.float32(scale), np.uint8(np.clip(round(-low / scale), 0, LEVELS)))


def identity(values: np.ndarray) -> np.ndarray:
    """The values themselves, where no Gelu follows."""
    return values
