"""Quantize the decoder graphs' weights as a recipe says.

    python python/quantize/quantize.py --models decoder_init.onnx decoder_step.onnx decoder.onnx --out DIR --recipe recipe.json

recipe.json: {"variant": suffix of the new files, "decoder": [[selector, format], ...], "accuracyLevel": of MatMulNBits,
"prompts": "int8" for a graph decoder_prefill too}. Selectors and formats: formats.py.

Writes {name}.{variant}.onnx and one decoder.{variant}.data. A weight that several graphs read is quantized once. One
tensor is in memory at a time.
"""

import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).parents[1]))  # modules that several folders share

import no_telemetry  # noqa: F401  # isort: skip  (before onnxruntime)

import argparse
import json
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir
import onnxruntime

import formats
from prefill_graph import make_prefill
from protocol import UserError, emit, progress, reporting

ALIGNMENT = 4096
INLINE_LIMIT = 256
EMBEDDINGS = "embed_tokens.bin"  # stays where it is, beside all graphs
FUSED = "decoder"  # what the graph for prompts is made of


class Store:
    """Append-only external data."""

    def __init__(self, path: Path) -> None:
        self.path, self.end = path, 0
        path.unlink(missing_ok=True)

    def put(self, name: str, value: np.ndarray) -> ir.TensorProtocol:
        dtype = ir.DataType.from_numpy(value.dtype)
        if value.nbytes < INLINE_LIMIT:
            return ir.tensor(value, name=name)
        start = -(-self.end // ALIGNMENT) * ALIGNMENT
        with open(self.path, "r+b" if self.end else "w+b") as file:
            file.seek(start)
            file.write(memoryview(value).cast("B"))
        self.end = start + value.nbytes
        shape = ir.Shape(value.shape)
        return ir.ExternalTensor(
            self.path.name, start, value.nbytes, dtype, shape=shape, name=name, base_dir=self.path.parent
        )


@dataclass
class Job:
    """One recipe with what has been quantized by it."""

    rules: list[tuple[str, str]]
    accuracy_level: int
    store: Store
    total: int = 0  # weights, for progress
    done: dict = field(default_factory=dict)


def main() -> None:
    args = parse_args()
    with reporting():
        recipe = json.loads(Path(args.recipe).read_text(encoding="utf-8"))
        variant, out = recipe["variant"], Path(args.out)
        job = Job(recipe["decoder"], recipe["accuracyLevel"], Store(out / f"decoder.{variant}.data"))
        models = [ir.load(path) for path in args.models]
        formats.require_used(job.rules, {weight.name for model in models for _, weight in products(model)})
        job.total = len({source_of(weight) for model in models for _, weight, _ in matmuls(model, job.rules)})
        counts = {}
        for path, model in zip(args.models, models, strict=True):
            name = Path(path).stem
            counts[name] = quantize(model, job)
            ir.save(model, out / f"{name}.{variant}.onnx")
            if name == FUSED and recipe.get("prompts") == "int8":
                make_prefill(model)
                ir.save(model, out / f"{name}_prefill.{variant}.onnx")
        emit("result", nodes=counts, weights=len(job.done), onnxruntime=onnxruntime.__version__)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--recipe", required=True)
    return parser.parse_args()


def products(model: ir.Model):
    """(node, weight) of every MatMul whose second input is a two-dimensional initializer."""
    for node in list(model.graph):
        weight = node.inputs[1] if node.op_type == "MatMul" and len(node.inputs) == 2 else None
        if weight is not None and weight.is_initializer() and len(weight.const_value.shape) == 2:
            yield node, weight


def matmuls(model: ir.Model, rules: list[tuple[str, str]]):
    """(node, weight, format) of those that a rule changes."""
    for node, weight in products(model):
        chosen = formats.choose(rules, weight.name)
        if chosen is not None:
            yield node, weight, chosen


def source_of(weight: ir.Value):
    tensor = weight.const_value
    if isinstance(tensor, ir.ExternalTensor):
        return (tensor.location, tensor.offset, tensor.length)
    return weight.name


def quantize(model: ir.Model, job: Job) -> int:
    """Replace the MatMuls of `model`; returns how many."""
    graph = model.graph
    replaced = list(matmuls(model, job.rules))
    if not replaced:
        raise UserError("The graph has no MatMul with a constant weight that a rule of the recipe fits.")
    for node, weight, chosen in replaced:
        key = source_of(weight)
        if key not in job.done:
            job.done[key] = quantize_weight(weight, chosen, job.store)
            progress("weights", len(job.done), job.total, "weights")
        rows, columns = weight.const_value.shape
        inputs = [node.inputs[0]]
        inputs += [initializer(graph, weight.name + suffix, tensor) for suffix, tensor in job.done[key]]
        attributes = {
            "K": int(rows),
            "N": int(columns),
            "bits": chosen.bits,
            "block_size": chosen.size,
            "accuracy_level": job.accuracy_level,
        }
        name = f"{node.name}_Q{chosen.bits}"
        new = ir.node("MatMulNBits", inputs, attributes, domain="com.microsoft", name=name, num_outputs=1)
        new.outputs[0].name = node.outputs[0].name
        ir.convenience.replace_nodes_and_values(graph, node, [node], [new], node.outputs, new.outputs)
    for name in [name for name, value in graph.initializers.items() if not value.uses()]:
        del graph.initializers[name]
    bring_along(graph, job.store)
    return len(replaced)


def bring_along(graph: ir.Graph, store: Store) -> None:
    """Copy the weights that stay FP32 (norms), so that the new graphs need no data file of the old ones."""
    for name, value in graph.initializers.items():
        tensor = value.const_value
        if isinstance(tensor, ir.ExternalTensor) and tensor.location not in (store.path.name, EMBEDDINGS):
            value.const_value = store.put(name, values_of(tensor))


def quantize_weight(weight: ir.Value, chosen: formats.Blocks, store: Store) -> list[tuple[str, ir.TensorProtocol]]:
    parts = chosen.quantize(values_of(weight.const_value))
    return [(suffix, store.put(weight.name + suffix, part)) for suffix, part in parts]


def values_of(tensor: ir.TensorProtocol) -> np.ndarray:
    """A tensor's values. onnx_ir refuses data files with several names, which releases of older versions have."""
    if not isinstance(tensor, ir.ExternalTensor):
        return np.ascontiguousarray(tensor.numpy())
    count, dtype = int(np.prod(list(tensor.shape))), tensor.dtype.numpy()
    with open(Path(tensor.base_dir) / tensor.location, "rb") as file:
        file.seek(tensor.offset or 0)
        return np.fromfile(file, dtype, count).reshape(list(tensor.shape))


def initializer(graph: ir.Graph, name: str, tensor: ir.TensorProtocol) -> ir.Value:
    if name in graph.initializers:
        return graph.initializers[name]
    value = ir.Value(name=name, shape=tensor.shape, type=ir.TensorType(tensor.dtype), const_value=tensor)
    graph.register_initializer(value)
    return value


if __name__ == "__main__":
    main()
