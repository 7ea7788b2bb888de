# SPDX-License-Identifier: Apache-2.0

"""A graph that computes in float16, with float32 inputs and outputs as readers give and take them.

Positions and rotary angles stay float32: cosines and sines are rounded once, where they meet queries and keys. Norms add
up in float32 inside onnxruntime's kernels, whatever they are fed.
"""

import numpy as np
import onnx_ir as ir

from protocol import UserError
from tensors import Store, initializer, source_of, values_of

LARGEST = 65504  # of float16
FLOAT, HALF = ir.DataType.FLOAT, ir.DataType.FLOAT16
# (operator, inputs) that are taken from float32
ANGLES = ("RotaryEmbedding", (2, 3))


def make_half(model: ir.Model, exact: set[str], store: Store, done: dict) -> int:
    """Change a float32 graph; the products and convolutions of the weights named in `exact` stay float32. Returns the products in float16.

    `done` holds the tensors that other graphs have put into the store.
    """
    graph = model.graph
    _forget_types(graph)
    kept = _angle_nodes(graph)
    weighted = [n for n in graph if n.op_type in ("MatMul", "Conv")]
    exact_nodes = {n for n in weighted if n.inputs[1] is not None and n.inputs[1].name in exact}
    count = sum(_is_product(node) and node not in exact_nodes for node in graph)
    _retarget_casts(graph, kept)
    _narrow_constants(graph, kept | exact_nodes, store, done)
    _cast_around(graph, exact_nodes)
    _cast_borders(graph, kept, exact_nodes)
    return count


def _forget_types(graph: ir.Graph) -> None:
    """Of intermediate values, which will be of another type: the runtime infers them."""
    for node in graph:
        for value in node.outputs:
            if not value.is_graph_output():
                value.shape, value.type = None, None


def half(name: str, values: np.ndarray) -> np.ndarray:
    """float32 -> float16. One value alone is a constant, such as a mask's: it saturates. A weight may not overflow."""
    if values.size == 1:
        return np.clip(values, -LARGEST, LARGEST).astype(np.float16)
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float16)
    if not np.isfinite(narrow).all():
        worst = float(values.flat[np.abs(values).argmax()])
        raise UserError(
            f"{name} holds {worst:g}, which float16 cannot (largest: {LARGEST}).",
            "Leave the weight f32, or the variant out.",
        )
    return narrow


def _is_product(node: ir.Node) -> bool:
    weight = node.inputs[1] if node.op_type == "MatMul" else None
    return weight is not None and weight.is_initializer() and len(weight.const_value.shape) == 2


def _angle_nodes(graph: ir.Graph) -> set[ir.Node]:
    """What computes cosines and sines from positions."""
    operator, places = ANGLES
    waiting = [node.inputs[i] for node in graph if node.op_type == operator for i in places]
    found: set[ir.Node] = set()
    while waiting:
        node = waiting.pop().producer()
        if node is None or node in found:
            continue
        found.add(node)
        waiting += [value for value in node.inputs if value is not None]
    return found


def _retarget_casts(graph: ir.Graph, kept: set[ir.Node]) -> None:
    for node in list(graph):
        if node.op_type != "Cast" or node in kept or node.attributes["to"].as_int() != FLOAT:
            continue
        source = node.inputs[0]
        if source.dtype == HALF or _is_embedding(source):
            node.outputs[0].replace_all_uses_with(source)
            graph.remove(node, safe=True)
        else:
            node.attributes["to"] = ir.AttrInt64("to", HALF)


def _is_embedding(value: ir.Value) -> bool:
    """A row of a table that is float16 already."""
    node = value.producer()
    table = node.inputs[0] if node is not None and node.op_type == "Gather" else None
    return table is not None and table.is_initializer() and table.const_value.dtype == HALF


def _narrow_constants(graph: ir.Graph, exact: set[ir.Node], store: Store, done: dict) -> None:
    """Float initializers as float16; those that float32 nodes read too are there twice."""
    for name, value in list(graph.initializers.items()):
        uses = [(node, i) for node, i in value.uses() if node not in exact]
        if value.const_value.dtype != FLOAT or not uses:
            continue
        key = source_of(value)
        if key not in done:
            done[key] = [("_f16", store.put(f"{name}_f16", half(name, values_of(value.const_value))))]
        tensor = done[key][0][1]
        narrow = initializer(graph, f"{name}_f16", tensor)
        for node, i in uses:
            node.replace_input_with(i, narrow)


def _cast_borders(graph: ir.Graph, kept: set[ir.Node], exact: set[ir.Node]) -> None:
    for value in graph.inputs:
        if value.dtype == FLOAT and value.uses():
            _cast_uses(graph, value, [use for use in value.uses() if use[0] not in kept and use[0].op_type != "Shape"])
    operator, places = ANGLES
    angles: dict[ir.Value, list] = {}
    for node in graph:
        if node.op_type == operator:
            for i in places:
                angles.setdefault(node.inputs[i], []).append((node, i))
    for value, uses in angles.items():
        _cast_uses(graph, value, uses)
    for i, output in enumerate(graph.outputs):
        if output.dtype == FLOAT and output.producer() not in exact:
            _cast_output(graph, i, output)


def _cast_uses(graph: ir.Graph, value: ir.Value, uses: list) -> None:
    """Let these uses take a float32 value as float16."""
    if not uses:
        return
    cast = _cast(value, HALF, f"{value.name}_f16")
    producer = value.producer()
    if producer is None:
        graph.insert_before(graph[0], cast)
    else:
        graph.insert_after(producer, cast)
    for node, i in uses:
        node.replace_input_with(i, cast.outputs[0])


def _cast_output(graph: ir.Graph, i: int, output: ir.Value) -> None:
    name = output.name
    output.name = f"{name}_f16"
    cast = _cast(output, FLOAT, name)
    cast.outputs[0].shape, cast.outputs[0].type = output.shape, ir.TensorType(FLOAT)
    output.type = ir.TensorType(HALF)
    graph.append(cast)
    graph.outputs[i] = cast.outputs[0]


def _cast_around(graph: ir.Graph, nodes: set[ir.Node]) -> None:
    """Products of float32 weights take and give float16."""
    for node in nodes:
        before = _cast(node.inputs[0], FLOAT, f"{node.outputs[0].name}_in_f32")
        graph.insert_before(node, before)
        node.replace_input_with(0, before.outputs[0])
        uses = list(node.outputs[0].uses())
        if not uses:
            continue
        after = _cast(node.outputs[0], HALF, f"{node.outputs[0].name}_f16")
        graph.insert_after(node, after)
        for user, i in uses:
            user.replace_input_with(i, after.outputs[0])


def _cast(value: ir.Value, to: ir.DataType, name: str) -> ir.Node:
    node = ir.node("Cast", (value,), {"to": int(to)}, num_outputs=1, name=name)
    node.outputs[0].name = name
    return node
