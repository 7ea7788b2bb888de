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
    _join_past(graph)
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


def _join_past(graph: ir.Graph) -> None:
    """Let queries meet the keys of past and prompt in one product, and their weights the values in another.

    In a step that would copy the past. A prompt has many queries: its scores are larger than its keys, and are copied
    when those of past and prompt are joined and split again.
    """
    for softmax in [node for node in graph if node.op_type == "Softmax"]:
        masked = softmax.inputs[0].producer()
        scores, mask = masked.inputs[0].producer(), masked.inputs[1]
        if scores.op_type != "Concat":
            continue  # an aligner's, which has no past
        of_keys = [value.producer() for value in scores.inputs]
        of_values = [_user(value) for value in _user(softmax.outputs[0]).outputs]
        queries, length = of_keys[0].inputs[0], mask.shape[-1]  # the size has a name in each layer, and one of the mask
        attended = _user(of_values[0].outputs[0])  # values come after the scores: a node must follow what it reads
        keys = _joined(graph, scores, [product.inputs[1].producer().inputs[0] for product in of_keys], length)
        values = _joined(graph, attended, [product.inputs[1] for product in of_values], length)
        for value in (scores.outputs[0], masked.outputs[0], softmax.outputs[0]):
            value.shape = ir.Shape([*value.shape[:-1], length])
        _replace_by_product(graph, scores, queries, _transposed(graph, scores, keys))
        _replace_by_product(graph, attended, softmax.outputs[0], values)
    _remove_unused(graph)


def _user(value: ir.Value) -> ir.Node:
    """The only node that reads a value."""
    (use,) = value.uses()
    return use.node


def _joined(graph: ir.Graph, before: ir.Node, parts: list[ir.Value], length: int | ir.SymbolicDim) -> ir.Value:
    """[B, KV, 1, C, D] and [B, KV, 1, S, D] -> [B, KV, 1, C + S, D]"""
    node = ir.node("Concat", parts, attributes={"axis": 3})
    return _added(graph, before, node, f"{parts[1].name}.all", [*parts[0].shape[:3], length, parts[0].shape[4]])


def _transposed(graph: ir.Graph, before: ir.Node, keys: ir.Value) -> ir.Value:
    """[B, KV, 1, T, D] -> [B, KV, 1, D, T]"""
    node = ir.node("Transpose", [keys], attributes={"perm": [0, 1, 2, 4, 3]})
    *rows, length, size = keys.shape
    return _added(graph, before, node, f"{keys.name}.transposed", [*rows, size, length])


def _replace_by_product(graph: ir.Graph, old: ir.Node, left: ir.Value, right: ir.Value) -> None:
    (known,) = old.outputs
    node = ir.node("MatMul", [left, right])
    product = _added(graph, old, node, f"{known.name}.product", list(known.shape))
    ir.convenience.replace_all_uses_with(known, product)


def _added(graph: ir.Graph, before: ir.Node, node: ir.Node, name: str, shape: list) -> ir.Value:
    """The value of a node that is added. It has a type, since the runtime takes longer to load a graph that leaves sizes open."""
    (value,) = node.outputs
    value.name, value.shape, value.type = name, ir.Shape(shape), ir.TensorType(ir.DataType.FLOAT)
    graph.insert_before(before, node)
    return value


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
