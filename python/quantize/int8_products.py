# SPDX-License-Identifier: Apache-2.0

"""Products of activations by int8 weights: rows of activations are scaled to uint8 one by one, so that none suffers from
another; a column of weights has one scale.

Levels of weights are at most 64: pairs of products of these and of activations up to 255 fit 16 bits, which older x86
processors add them in (VPMADDUBSW saturates).
"""

import numpy as np
import onnx_ir as ir

LEVELS = 127  # of an activation on each side of the zero point
ZERO = 128
WEIGHT_LEVELS = 64
ROWS = 256  # of a weight that are rounded together


def quantize_columns(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """float32 [K, N] -> levels int8 [K, N] of at most 64, scales float32 [N]; a column of zeros has the scale 0"""
    scales = (np.abs(values).max(axis=0) / WEIGHT_LEVELS).astype(np.float32)
    divisors = np.where(scales == 0, np.float32(1), scales)
    levels = np.empty(values.shape, np.int8)
    for start in range(0, len(values), ROWS):
        part = np.rint(values[start : start + ROWS] / divisors)
        levels[start : start + ROWS] = np.clip(part, -WEIGHT_LEVELS, WEIGHT_LEVELS)
    return levels, scales


class Int8Products:
    """Makes such products in a graph. Activations that several weights meet are quantized once."""

    def __init__(self, graph: ir.Graph, prefix: str) -> None:
        self.graph = graph
        self.rows: dict[ir.Value, tuple[ir.Value, ir.Value]] = {}
        constants = {
            "axis": np.array([-1]),
            "level": np.float32(1 / LEVELS),
            "least": np.float32(1e-30),
            "one": np.float32(1),
            "zero": np.uint8(ZERO),
            "weight_zero": np.int8(0),
        }
        self.constants = {name: _constant(graph, f"{prefix}.{name}", value) for name, value in constants.items()}

    def replace(self, node: ir.Node, weight: ir.Value, scale: ir.Value) -> None:
        """Put the product of the node's first input by weight i8 [K, N] with scale f32 [N] in the node's place."""
        x, values = node.inputs[0], self.constants
        if x not in self.rows:
            self.rows[x] = self._quantize_rows(node, x)
        rows, row_scale = self.rows[x]
        inputs = (rows, weight, values["one"], scale, values["zero"], values["weight_zero"])
        product = self._node(node, "MatMulIntegerToFloat", inputs, "com.microsoft")
        scaled = self._node(node, "Mul", (product, row_scale))
        scaled.name = node.outputs[0].name
        ir.convenience.replace_nodes_and_values(self.graph, node, [node], [], node.outputs, [scaled])

    def _quantize_rows(self, before: ir.Node, x: ir.Value) -> tuple[ir.Value, ir.Value]:
        """x f32 [..., K] -> u8 [..., K] around ZERO, and f32 [..., 1] that the product is to be multiplied by"""
        values = self.constants
        largest = self._node(before, "ReduceMax", (self._node(before, "Abs", (x,)), values["axis"]))
        scale = self._node(before, "Max", (self._node(before, "Mul", (largest, values["level"])), values["least"]))
        levels = self._node(before, "Div", (x, scale))
        return self._node(before, "QuantizeLinear", (levels, values["one"], values["zero"])), scale

    def _node(self, before: ir.Node, operator: str, inputs: tuple, domain: str = "") -> ir.Value:
        node = ir.node(operator, inputs, domain=domain, num_outputs=1)
        node.outputs[0].name = f"{before.name}.{operator}.{node.inputs[0].name}"
        self.graph.insert_before(before, node)
        return node.outputs[0]


def _constant(graph: ir.Graph, name: str, value: np.ndarray) -> ir.Value:
    tensor = ir.tensor(np.asarray(value), name=name)
    held = ir.Value(name=name, shape=tensor.shape, type=ir.TensorType(tensor.dtype), const_value=tensor)
    graph.register_initializer(held)
    return held
