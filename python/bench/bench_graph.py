# SPDX-License-Identifier: Apache-2.0

"""The jobs of `npm run bench -- graph`, done the usual way: with onnx and numpy, whole models in memory.

Prints the seconds it took, imports not counted.

    bench_graph.py share OUT A.onnx B.onnx        strip-allowzero OUT FILE        embed-fp16 OUT FILE
"""

import hashlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx.external_data_helper import set_external_data

ALIGNMENT = 4096
MINIMUM = 256


def share(out: Path, *files: str) -> None:
    """Equal tensors of all files once in one data file, found by hash."""
    models = [onnx.load(file) for file in files]
    offsets = {}
    with open(out / "shared.data", "wb") as data:
        for model in models:
            for tensor in model.graph.initializer:
                if len(tensor.raw_data) < MINIMUM:
                    continue
                key = hashlib.blake2b(tensor.raw_data).digest()
                if key not in offsets:
                    data.seek(-(-data.tell() // ALIGNMENT) * ALIGNMENT)
                    offsets[key] = data.tell()
                    data.write(tensor.raw_data)
                set_external_data(tensor, "shared.data", offsets[key], len(tensor.raw_data))
                tensor.ClearField("raw_data")
    for model, file in zip(models, files, strict=True):
        (out / Path(file).name).write_bytes(model.SerializeToString())


def strip_allowzero(out: Path, file: str) -> None:
    """Remove allowzero from Reshape where the shape is constant and has no 0, and write the graph into `out`."""
    model = onnx.load(file)
    shapes = {
        tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer if tensor.data_type == 7
    }
    for node in model.graph.node:
        if node.op_type == "Reshape" and node.input[1] in shapes and (shapes[node.input[1]] != 0).all():
            kept = [attribute for attribute in node.attribute if attribute.name != "allowzero"]
            del node.attribute[:]
            node.attribute.extend(kept)
    onnx.save(model, out / Path(file).name)


def embed_fp16(out: Path, file: str) -> None:
    """Write the embedding table as float16 embed_tokens.bin, and the graph with a Cast behind it, into `out`."""
    model = onnx.load(file, load_external_data=False)
    gather = next(node for node in model.graph.node if node.op_type == "Gather" and node.input[1] == "input_ids")
    table = next(tensor for tensor in model.graph.initializer if tensor.name == gather.input[0])
    external = {entry.key: entry.value for entry in table.external_data}
    path = Path(file).parent / external["location"]
    values = np.fromfile(path, "<f4", np.prod(table.dims), offset=int(external.get("offset", 0)))
    halves = values.astype("<f2")
    if not np.isfinite(halves).all():
        raise SystemExit("a value is too large for FP16")
    halves.tofile(out / "embed_tokens.bin")
    table.data_type = onnx.TensorProto.FLOAT16
    set_external_data_entries(table, halves.nbytes)
    looked_up = gather.output[0]
    gather.output[0] = looked_up + "_float16"
    cast = onnx.helper.make_node("Cast", [looked_up + "_float16"], [looked_up], to=onnx.TensorProto.FLOAT)
    model.graph.node.insert(list(model.graph.node).index(gather) + 1, cast)
    (out / Path(file).name).write_bytes(model.SerializeToString())


def set_external_data_entries(tensor: onnx.TensorProto, length: int) -> None:
    """Let a tensor refer to the first `length` bytes of embed_tokens.bin."""
    del tensor.external_data[:]
    for key, value in (("location", "embed_tokens.bin"), ("offset", "0"), ("length", str(length))):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value


JOBS: dict[str, Callable[..., None]] = {"share": share, "strip-allowzero": strip_allowzero, "embed-fp16": embed_fp16}

if __name__ == "__main__":
    job, folder, *rest = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    started = time.perf_counter()
    JOBS[job](Path(folder), *rest)
    print(time.perf_counter() - started)
