# SPDX-License-Identifier: Apache-2.0

"""Convolutions of uint8 activations by int8 weights. Their scales are constants: activations are rounded as a calibration
showed them to be (activation_scales.py). A channel of outputs has one scale of weights.

Levels of weights are at most 64, as those of products (int8_products.py), and for the same reason.
"""

from typing import NamedTuple

import numpy as np
import onnx_ir as ir

from formats import Parts
from int8_products import WEIGHT_LEVELS
from tensors import initializer

MOST_BIAS = 2**30  # of the 2^31 that sums have; products of a sum are below 2^27
FIXED = ("_input_scale", "_input_zero", "_output_scale", "_output_zero")


class Scale(NamedTuple):
    """Of uint8 activations: (level - zero) * scale"""

    scale: np.float32
    zero: np.uint8


class Scales(NamedTuple):
    """Of what a convolution reads, and of what it makes."""

    input: Scale
    output: Scale


def encode(values: np.ndarray, bias: np.ndarray, scales: Scales) -> Parts:
    """float32 [O, I, H, W] and [O] -> what the node reads, by the suffixes of the weight's name"""
    levels, own = quantize_channels(values, np.abs(bias) / (scales.input.scale * np.float32(MOST_BIAS)))
    sums = np.rint(bias.astype(np.float64) / (np.float64(scales.input.scale) * own)).astype(np.int32)
    fixed = (*scales.input, *scales.output)
    return [
        ("_I8", levels),
        ("_scales", own),
        ("_zeros", np.zeros(len(own), np.int8)),
        ("_bias", sums),
        *zip(FIXED, (np.asarray(value) for value in fixed), strict=True),
    ]


def quantize_channels(values: np.ndarray, least: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """float32 [O, ...] -> levels int8 of at most 64, scales float32 [O] of at least `least`; zeros alone have 1 where it is 0"""
    scales = np.maximum(np.abs(values).reshape(len(values), -1).max(1) / WEIGHT_LEVELS, least).astype(np.float32)
    scales[scales == 0] = 1
    levels = np.rint(values / scales.reshape(-1, *[1] * (values.ndim - 1)))
    return np.clip(levels, -WEIGHT_LEVELS, WEIGHT_LEVELS).astype(np.int8), scales


def replace(graph: ir.Graph, node: ir.Node, tensors: list[tuple[str, ir.TensorProtocol]]) -> None:
    """Put QuantizeLinear, QLinearConv and DequantizeLinear in a Conv's place; tensors: as `encode` makes them."""
    name = node.inputs[1].name
    inputs = {suffix: initializer(graph, name + suffix, tensor) for suffix, tensor in tensors}
    scale, zero, after, after_zero = (inputs[suffix] for suffix in FIXED)

    def make(operator: str, given: list, attributes: dict | None = None) -> ir.Value:
        made = ir.node(operator, given, attributes or {}, num_outputs=1, name=f"{node.name}.{operator}")
        made.outputs[0].name = f"{name}.{operator}"
        graph.insert_before(node, made)
        return made.outputs[0]

    levels = make("QuantizeLinear", [node.inputs[0], scale, zero])
    weight = [inputs[suffix] for suffix in ("_I8", "_scales", "_zeros")]
    attributes = {key: value.value for key, value in node.attributes.items()}
    sums = make("QLinearConv", [levels, scale, zero, *weight, after, after_zero, inputs["_bias"]], attributes)
    found = make("DequantizeLinear", [sums, after, after_zero])
    found.name = node.outputs[0].name
    ir.convenience.replace_nodes_and_values(graph, node, [node], [], node.outputs, [found])
