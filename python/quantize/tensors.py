# SPDX-License-Identifier: Apache-2.0

"""Where the tensors of quantized graphs go, and where those of FP32's come from."""

from pathlib import Path
from typing import Protocol

import numpy as np
import onnx_ir as ir

ALIGNMENT = 4096
INLINE_LIMIT = 256
EMBEDDINGS = "embed_tokens.bin"  # stays where it is, beside all graphs


class Store:
    """Append-only external data; without a path, tensors stay inside the graph."""

    def __init__(self, path: Path | None) -> None:
        self.path, self.end, self.bytes = path, 0, 0
        if path is not None:
            path.unlink(missing_ok=True)

    def put(self, name: str, value: np.ndarray) -> ir.TensorProtocol:
        """Append a tensor to the data file; one of fewer than INLINE_LIMIT bytes stays inside the graph."""
        dtype = ir.DataType.from_numpy(value.dtype)
        self.bytes += value.nbytes
        if self.path is None or value.nbytes < INLINE_LIMIT:
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

    def holds(self, tensor: ir.TensorProtocol) -> bool:
        """Whether a graph that is written with this store needs no other data file for a tensor."""
        if not isinstance(tensor, ir.ExternalTensor) or tensor.location == EMBEDDINGS:
            return True
        return self.path is not None and tensor.location == self.path.name


def source_of(value: ir.Value):
    """Equal for weights of several graphs that are one."""
    tensor = value.const_value
    if isinstance(tensor, ir.ExternalTensor):
        return (tensor.location, tensor.offset, tensor.length)
    return value.name


def values_of(tensor: ir.TensorProtocol) -> np.ndarray:
    """A tensor's values. onnx_ir refuses data files with several names, which releases of older versions have."""
    if not isinstance(tensor, ir.ExternalTensor):
        return np.ascontiguousarray(tensor.numpy())
    count, dtype = int(np.prod(list(tensor.shape))), tensor.dtype.numpy()
    with open(Path(tensor.base_dir) / tensor.location, "rb") as file:
        file.seek(tensor.offset or 0)
        return np.fromfile(file, dtype, count).reshape(list(tensor.shape))


def initializer(graph: ir.Graph, name: str, tensor: ir.TensorProtocol) -> ir.Value:
    """The graph's initializer of that name; made of the tensor where there is none."""
    if name in graph.initializers:
        return graph.initializers[name]
    value = ir.Value(name=name, shape=tensor.shape, type=ir.TensorType(tensor.dtype), const_value=tensor)
    graph.register_initializer(value)
    return value


class Preparing(Protocol):
    """What changes FP32's values on their way: see weight_maker.py."""

    def changes(self, name: str) -> bool:
        """Whether an initializer that is not rounded has other values in the new graphs."""
        ...

    def prepare(self, name: str, values: np.ndarray) -> np.ndarray:
        """The values of a weight before they are rounded; of the same shape."""
        ...


def bring_along(graph: ir.Graph, store: Store, preparing: Preparing | None = None) -> None:
    """Drop what is not used, and copy what is not rounded (norms), so that new graphs need no data file of the old ones."""
    for name in [name for name, value in graph.initializers.items() if not value.uses()]:
        del graph.initializers[name]
    for name, value in graph.initializers.items():
        if not store.holds(value.const_value) or (preparing is not None and preparing.changes(name)):
            values = values_of(value.const_value)
            value.const_value = store.put(name, values if preparing is None else preparing.prepare(name, values))
