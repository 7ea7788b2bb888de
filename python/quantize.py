"""Quantize the decoder graphs' weights to int4 MatMulNBits with onnxruntime's own round-to-nearest kernel.

    python quantize.py --models decoder_init.onnx decoder_step.onnx decoder.onnx --out DIR [--prefill decoder]
        [--block-size 64] [--symmetric]

Writes {name}.int4.onnx and one decoder.int4.data. A weight that several graphs read is quantized once. One tensor is
in memory at a time. --prefill names the graph that {name}_prefill.int4.onnx is made of.
"""

import no_telemetry  # noqa: F401  # isort: skip  (before onnxruntime)

import argparse
from pathlib import Path

import numpy as np
import onnx_ir as ir
import onnxruntime
from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, DefaultWeightOnlyQuantizer

from prefill_graph import make_prefill
from protocol import UserError, emit, progress, reporting

BITS = 4
ALIGNMENT = 4096
INLINE_LIMIT = 256
DATA = "decoder.int4.data"
EMBEDDINGS = "embed_tokens.bin"  # stays where it is, beside all graphs


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
        return ir.ExternalTensor(DATA, start, value.nbytes, dtype, shape=shape, name=name, base_dir=self.path.parent)


def main() -> None:
    args = parse_args()
    with reporting():
        config = DefaultWeightOnlyQuantConfig(
            block_size=args.block_size, is_symmetric=args.symmetric, accuracy_level=args.accuracy_level, bits=BITS
        )
        out = Path(args.out)
        store = Store(out / DATA)
        models = [ir.load(path) for path in args.models]
        total = len({source_of(weight) for model in models for _, weight in matmuls(model)})
        quantized: dict = {}
        counts = {}
        for path, model in zip(args.models, models, strict=True):
            counts[Path(path).stem] = quantize(model, config, store, quantized, total)
            ir.save(model, out / f"{Path(path).stem}.int4.onnx")
            if Path(path).stem == args.prefill:
                make_prefill(model)
                ir.save(model, out / f"{args.prefill}_prefill.int4.onnx")
        emit("result", nodes=counts, weights=len(quantized), onnxruntime=onnxruntime.__version__)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--prefill")
    parser.add_argument("--block-size", type=int, default=64)
    parser.add_argument("--accuracy-level", type=int, default=4)
    parser.add_argument("--symmetric", action="store_true")
    return parser.parse_args()


def matmuls(model: ir.Model):
    """(node, weight) of every MatMul whose second input is a two-dimensional initializer."""
    for node in list(model.graph):
        weight = node.inputs[1] if node.op_type == "MatMul" and len(node.inputs) == 2 else None
        if weight is not None and weight.is_initializer() and len(weight.const_value.shape) == 2:
            yield node, weight


def source_of(weight: ir.Value):
    tensor = weight.const_value
    if isinstance(tensor, ir.ExternalTensor):
        return (tensor.location, tensor.offset, tensor.length)
    return weight.name


def quantize(model: ir.Model, config, store: Store, quantized: dict, total: int) -> int:
    """Replace the MatMuls of `model`; returns how many."""
    graph = model.graph
    replaced = list(matmuls(model))
    if not replaced:
        raise UserError("The graph has no MatMul with a constant weight to quantize.")
    for node, weight in replaced:
        key = source_of(weight)
        if key not in quantized:
            quantized[key] = quantize_weight(weight, config, store)
            progress("weights", len(quantized), total, "weights")
        rows, columns = weight.const_value.shape
        inputs = [node.inputs[0]]
        for suffix, tensor in zip(("_Q4", "_scales", "_zero_points"), quantized[key], strict=False):
            inputs.append(initializer(graph, weight.name + suffix, tensor))
        attributes = {
            "K": int(rows),
            "N": int(columns),
            "bits": BITS,
            "block_size": config.block_size,
            "accuracy_level": config.accuracy_level,
        }
        new = ir.node("MatMulNBits", inputs, attributes, domain="com.microsoft", name=f"{node.name}_Q4", num_outputs=1)
        new.outputs[0].name = node.outputs[0].name
        ir.convenience.replace_nodes_and_values(graph, node, [node], [new], node.outputs, new.outputs)
    for name in [name for name, value in graph.initializers.items() if not value.uses()]:
        del graph.initializers[name]
    bring_along(graph, store)
    return len(replaced)


def bring_along(graph: ir.Graph, store: Store) -> None:
    """Copy the weights that stay FP32 (norms), so that the new graphs need no data file of the old ones."""
    for name, value in graph.initializers.items():
        tensor = value.const_value
        if isinstance(tensor, ir.ExternalTensor) and tensor.location not in (DATA, EMBEDDINGS):
            value.const_value = store.put(name, values_of(tensor))


def quantize_weight(weight: ir.Value, config, store: Store) -> list[ir.TensorProtocol]:
    values = values_of(weight.const_value)
    packed, scales, zero_points = DefaultWeightOnlyQuantizer(config).qbits_block_quant(values)
    parts = [("_Q4", packed), ("_scales", scales)]
    if not config.is_symmetric:
        parts.append(("_zero_points", zero_points))
    return [store.put(weight.name + suffix, part) for suffix, part in parts]


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
