# SPDX-License-Identifier: Apache-2.0

"""From an export module to an ONNX file whose weights are streamed to disk one tensor at a time."""

import inspect
import logging
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx_ir as ir
import onnxscript.optimizer
import torch

from protocol import UserError, progress
from weights import Source, Weights

ALIGNMENT = 4096  # the runtime can map external data that starts on a page
INLINE_LIMIT = 256  # bytes; smaller tensors stay in the proto


@dataclass(frozen=True)
class Signature:
    """A graph's contract: example inputs, dynamic axes {input: {axis: name}}, output names and shapes."""

    name: str
    examples: dict[str, torch.Tensor]
    dynamic: dict[str, dict[int, str]]
    outputs: dict[str, list[int | str]]
    required_ops: tuple[str, ...]


@dataclass
class DataFile:
    """Append-only external data; a tensor that another graph has put in already is not written again."""

    path: Path
    total: int  # bytes expected, for progress
    ranges: dict[str, tuple[int, int]] = field(default_factory=dict)
    end: int = 0

    def put(self, source: Source) -> tuple[int, int]:
        """Append a weight as float32, unless it is there. Returns its offset and length in bytes."""
        if source.key not in self.ranges:
            value = source.load().astype("<f4", copy=False)
            start = -(-self.end // ALIGNMENT) * ALIGNMENT
            with open(self.path, "r+b" if self.path.exists() else "w+b") as file:
                file.seek(start)
                file.write(memoryview(value).cast("B"))  # unlike tofile, distinguishes a full disk from other errors
            self.end = start + value.nbytes
            self.ranges[source.key] = (start, value.nbytes)
            progress(self.path.name, self.end, max(self.total, self.end), "bytes")
        return self.ranges[source.key]


def emit(module, weights: Weights, signature: Signature, opset: int, data: DataFile, out: Path) -> Counter:
    """Write `out` and append its weights to `data`. Returns how often each operator occurs."""
    with torch.no_grad():
        model = _export(module.eval(), signature, opset)
    graph = model.graph
    sources = weights.by_parameter_name(module)
    _optimize_blindly(model, sources)
    sizes = _name_outputs(graph, signature)
    _drop_unused_skip_outputs(graph)
    operators = Counter(node.op_type for node in graph.all_nodes())
    missing = [op for op in signature.required_ops if not operators[op]]
    if missing:
        raise UserError(
            f"{signature.name} has no {', '.join(missing)} node; found {dict(operators)}.",
            "The fused operators were not emitted: check that torch is the pinned version.",
        )
    _attach_weights(graph, sources, data)
    _name_inner_sizes(graph, sizes)
    ir.save(model, out)
    return operators


def _export(module, signature: Signature, opset: int) -> ir.Model:
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    dynamic: list = [
        dict.fromkeys(signature.dynamic.get(name, {}), torch.export.Dim.DYNAMIC) for name in signature.examples
    ]
    parameters = inspect.signature(module.forward).parameters.values()
    named = sum(parameter.kind is not inspect.Parameter.VAR_POSITIONAL for parameter in parameters)
    dynamic[named:] = [tuple(dynamic[named:])] if len(dynamic) > named else []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module,
            args=tuple(signature.examples.values()),
            dynamo=True,
            dynamic_shapes=tuple(dynamic),
            input_names=list(signature.examples),
            output_names=list(signature.outputs),
            opset_version=opset,
            optimize=False,
            verbose=False,
        )
    return program.model


def _optimize_blindly(model: ir.Model, sources: dict[str, Source]) -> None:
    """Fold and clean with the placeholders as inputs: no pass can read, merge or fold what is not there yet."""
    graph = model.graph
    held = [graph.initializers.pop(name) for name in sources if name in graph.initializers]
    graph.inputs.extend(held)
    onnxscript.optimizer.optimize(model)
    for value in held:
        graph.inputs.remove(value)
        graph.register_initializer(value)


def _name_outputs(graph: ir.Graph, signature: Signature) -> dict[str, str]:
    """Give dynamic axes the contract's names and the inputs the contract's order. Returns the names by the exporter's formulas."""
    by_name = {value.name: value for value in graph.inputs}
    sizes: dict[str, str] = {}
    if set(by_name) != set(signature.examples):
        raise UserError(f"{signature.name}: exported inputs {sorted(by_name)}, wanted {sorted(signature.examples)}.")
    for name, example in signature.examples.items():
        axes = signature.dynamic.get(name, {})
        shape = [axes.get(i, size) for i, size in enumerate(example.shape)]
        _learn_sizes(by_name[name].shape, shape, sizes)
        by_name[name].shape = ir.Shape(shape)
    for value, (name, shape) in zip(graph.outputs, signature.outputs.items(), strict=True):
        _learn_sizes(value.shape, shape, sizes)
        value.name = name
        value.shape = ir.Shape(shape)
    return sizes


def _learn_sizes(found: ir.Shape | None, wanted: list[int | str], sizes: dict[str, str]) -> None:
    for formula, name in zip(found or (), wanted, strict=False):
        if isinstance(formula, ir.SymbolicDim) and formula.value is not None and isinstance(name, str):
            sizes.setdefault(formula.value, name)


def _drop_unused_skip_outputs(graph: ir.Graph) -> None:
    for node in graph.all_nodes():
        if node.op_type in ("SkipLayerNormalization", "SkipSimplifiedLayerNormalization"):
            for value in node.outputs:
                if not value.uses() and not value.is_graph_output():
                    value.name = ""


def _attach_weights(graph: ir.Graph, sources: dict[str, Source], data: DataFile) -> None:
    """Replace every placeholder by its value: external in `data`, or inside the proto when it is small."""
    for name, value in graph.initializers.items():
        source = sources.pop(name, None)
        if source is None:
            continue
        shape = ir.Shape(list(value.const_value.shape))
        if int(np.prod(list(shape))) * 4 < INLINE_LIMIT:
            value.const_value = ir.tensor(source.load(), name=name)
            continue
        start, length = data.put(source)
        value.const_value = ir.ExternalTensor(
            data.path.name, start, length, ir.DataType.FLOAT, shape=shape, name=name, base_dir=data.path.parent
        )
    if sources:
        raise UserError(f"The exporter lost the weights {sorted(sources)[:5]}.")


def _name_inner_sizes(graph: ir.Graph, sizes: dict[str, str]) -> None:
    """Sizes of intermediate values are long formulas of the exporter's own symbols: equal ones get one short name. The runtime, which
    compares all sizes when it plans memory, takes much longer to load a graph in which each size is another one."""
    kept = {id(value) for value in [*graph.inputs, *graph.outputs]}
    for node in graph.all_nodes():
        for value in node.outputs:
            if id(value) in kept:
                continue
            shape = list(value.shape or ())
            formulas = [dim.value for dim in shape if isinstance(dim, ir.SymbolicDim)]
            if value.dtype != ir.DataType.FLOAT or len(shape) < 2 or not formulas or None in formulas:
                value.shape = None
                value.type = None
                continue
            named = [dim if isinstance(dim, int) else sizes.setdefault(dim.value, f"d{len(sizes)}") for dim in shape]
            value.shape = ir.Shape(named)
