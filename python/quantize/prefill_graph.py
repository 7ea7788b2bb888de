"""The fused decoder's graph for prompts, with 8-bit products: made from the int4 decoder, whose weights it is fed as int8.

A product of many rows by int4 weights runs at the speed of float32, one of int8 by int8 two to four times as fast. Rows of
activations are scaled to uint8 one by one, so that none suffers from another; a column of weights has one scale.
The graph has no logits: the last token of a prompt goes through the int4 decoder, as every later one.
"""

import numpy as np
import onnx_ir as ir

LEVELS = 127  # of an activation on each side of the zero point
ZERO = 128


def make_prefill(model: ir.Model) -> None:
    """Change the int4 `decoder` into `decoder_prefill`: products take inputs {weight}.int8 i8 [K, N], {weight}.scale f32 [N]"""
    graph = model.graph
    graph.outputs.remove(next(value for value in graph.outputs if value.name == "logits"))
    _read_sizes_from_one(graph)
    _remove_unused(graph)
    constants = {
        "prefill.axis": np.array([-1]),
        "prefill.level": np.float32(1 / LEVELS),
        "prefill.least": np.float32(1e-30),
        "prefill.one": np.float32(1),
        "prefill.zero": np.uint8(ZERO),
        "prefill.weight_zero": np.int8(0),
    }
    values = {name.split(".")[1]: _constant(graph, name, value) for name, value in constants.items()}
    quantized: dict[ir.Value, tuple[ir.Value, ir.Value]] = {}
    for node in [node for node in graph if node.op_type == "MatMulNBits"]:
        x, packed = node.inputs[0], node.inputs[1]
        if x not in quantized:
            quantized[x] = _quantize_rows(graph, node, x, values)
        rows, scale = quantized[x]
        name = packed.name.removesuffix("_Q4")
        shape = (node.attributes["K"].as_int(), node.attributes["N"].as_int())
        weight = _input(graph, f"{name}.int8", ir.DataType.INT8, shape)
        weight_scale = _input(graph, f"{name}.scale", ir.DataType.FLOAT, shape[1:])
        inputs = (rows, weight, values["one"], weight_scale, values["zero"], values["weight_zero"])
        product = _node(graph, node, "MatMulIntegerToFloat", inputs, "com.microsoft")
        scaled = _node(graph, node, "Mul", (product, scale))
        scaled.name = node.outputs[0].name
        ir.convenience.replace_nodes_and_values(graph, node, [node], [], node.outputs, [scaled])
    _remove_unused(graph)


def _read_sizes_from_one(graph: ir.Graph) -> None:
    """The exporter takes B and C from the past of any layer; the last layer's is not needed otherwise."""
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


def _quantize_rows(graph: ir.Graph, before: ir.Node, x: ir.Value, values: dict) -> tuple[ir.Value, ir.Value]:
    """x f32 [B, S, K] -> u8 [B, S, K] around ZERO, and f32 [B, S, 1] that the product is to be multiplied by"""
    largest = _node(graph, before, "ReduceMax", (_node(graph, before, "Abs", (x,)), values["axis"]))
    scale = _node(graph, before, "Max", (_node(graph, before, "Mul", (largest, values["level"])), values["least"]))
    levels = _node(graph, before, "Div", (x, scale))
    return _node(graph, before, "QuantizeLinear", (levels, values["one"], values["zero"])), scale


def _node(graph: ir.Graph, before: ir.Node, operator: str, inputs: tuple, domain: str = "") -> ir.Value:
    node = ir.node(operator, inputs, domain=domain, num_outputs=1)
    node.outputs[0].name = f"{before.name}.{operator}.{node.inputs[0].name}"
    graph.insert_before(before, node)
    return node.outputs[0]


def _constant(graph: ir.Graph, name: str, value: np.ndarray) -> ir.Value:
    tensor = ir.tensor(np.asarray(value), name=name)
    held = ir.Value(name=name, shape=tensor.shape, type=ir.TensorType(tensor.dtype), const_value=tensor)
    graph.register_initializer(held)
    return held


def _input(graph: ir.Graph, name: str, dtype: ir.DataType, shape: tuple[int, ...]) -> ir.Value:
    value = ir.Value(name=name, shape=ir.Shape(shape), type=ir.TensorType(dtype))
    graph.inputs.append(value)
    return value
