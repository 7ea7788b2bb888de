# SPDX-License-Identifier: Apache-2.0

"""A graph for prompts, with 8-bit products: made from the quantized decoder or aligner, whose weights it is fed as int8.

A product of many rows by int4 weights runs at the speed of float32, one of int8 by int8 two to four times as fast.
The decoder's has no logits: the last token of a prompt goes through the decoder itself, as every later one. The aligner's
has nothing else.
"""

import re

import onnx_ir as ir

from int8_products import Int8Products

LAST_ROWS = ("logits", "alignment")  # the outputs of the positions that have logits
PACKED = re.compile(r"_Q\d$")


def make_prefill(model: ir.Model) -> None:
    """Change the quantized graph: products take inputs {weight}.int8 i8 [K, N], {weight}.scale f32 [N]"""
    graph = model.graph
    if len(graph.outputs) > 1:
        for value in [value for value in graph.outputs if value.name in LAST_ROWS]:
            graph.outputs.remove(value)
    _read_sizes_from_one(graph)
    _remove_unused(graph)
    products = Int8Products(graph, "prefill")
    for node in [node for node in graph if node.op_type == "MatMulNBits"]:
        name = PACKED.sub("", node.inputs[1].name)
        shape = (node.attributes["K"].as_int(), node.attributes["N"].as_int())
        weight = _input(graph, f"{name}.int8", ir.DataType.INT8, shape)
        products.replace(node, weight, _input(graph, f"{name}.scale", ir.DataType.FLOAT, shape[1:]))
    _remove_unused(graph)


def _read_sizes_from_one(graph: ir.Graph) -> None:
    """The exporter takes B and C from the past of any layer; the last layer's is not needed for anything else."""
    past = {value.name: value for value in graph.inputs if value.name.startswith("past_key_values.")}
    for node in graph:
        if node.op_type == "Shape" and node.inputs[0].name in past:
            node.replace_input_with(0, past["past_key_values.0.key"])


def _remove_unused(graph: ir.Graph) -> None:
    for node in reversed(list(graph)):
        if not any(value.uses() or value.is_graph_output() for value in node.outputs):
            graph.remove(node, safe=True)
    for value in [value for value in graph.inputs if not value.uses()]:
        graph.inputs.remove(value)
    for name in [name for name, value in graph.initializers.items() if not value.uses()]:
        del graph.initializers[name]


def _input(graph: ir.Graph, name: str, dtype: ir.DataType, shape: tuple[int, ...]) -> ir.Value:
    value = ir.Value(name=name, shape=ir.Shape(shape), type=ir.TensorType(dtype))
    graph.inputs.append(value)
    return value
