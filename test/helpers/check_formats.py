# SPDX-License-Identifier: Apache-2.0

"""What quantize.py makes of the tiny release, and what it refuses: many recipes in one process.

    check_formats.py RELEASE < [{"recipe": {...}, "graphs": [NAME...], "encoder": bool, "untied": bool}, ...]

Prints a line of JSON for each: {"error", "hint"}, or {"graphs": {NAME: facts}, "formats"}; facts: {"operators", "types": of
initializers, "largest": of int8 weights, "least": of float16 scalars, "casts", "loss": largest difference of an output from
FP32's, relative to the largest of FP32's}. {"columns": matrix} and {"half": values} are encoded as a weight is.
"""

import json
import os
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(1, str(Path(__file__).parents[2] / "python"))
sys.path.insert(1, str(Path(__file__).parents[2] / "python" / "quantize"))

import numpy as np
import onnx_ir as ir
import onnxruntime as ort

import quantize
from half_graph import half
from int8_products import quantize_columns
from protocol import UserError
from tensors import Store
from weight_maker import WeightMaker, maker_of

LINES = os.fdopen(3, "w")


def main(release: Path) -> None:
    for case in json.load(sys.stdin):
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            for name in ("decoder_weights.data", "embed_tokens.bin"):
                shutil.copy(release / name, folder / name)
            print(json.dumps(run(case, release, folder)), file=LINES, flush=True)


def run(case: dict, release: Path, folder: Path) -> dict:
    if "columns" in case:
        levels, scales = quantize_columns(np.array(case["columns"], np.float32))
        return {"levels": levels.tolist(), "scales": scales.tolist()}
    if "half" in case:
        try:
            return {"half": half("layers.9.q", np.array(case["half"], np.float32)).tolist()}
        except UserError as error:
            return {"error": str(error), "hint": error.hint}
    recipe = {"variant": "x", "accuracyLevel": 4, "decoder": [], **case["recipe"]}
    names = case.get("graphs", ["decoder"])
    paths = [release / f"{name}.onnx" for name in names]
    is_encoder = names == ["encoder"]
    rules = recipe["encoder"] if is_encoder else recipe["decoder"]
    store = Store(None if is_encoder else folder / "decoder.x.data")
    if case.get("untied"):
        np.zeros((release / "embed_tokens.bin").stat().st_size, np.uint8).tofile(folder / "embed_tokens.bin")
        for name in names:
            shutil.copy(release / f"{name}.onnx", folder / f"{name}.onnx")
        paths = [folder / f"{name}.onnx" for name in names]
    try:
        maker = WeightMaker(rules) if is_encoder else maker_of(recipe, release, None)
        chosen, _ = quantize.quantize_all(paths, quantize.Job(recipe, maker, store), folder)
    except UserError as error:
        return {"error": str(error), "hint": error.hint}
    return {"formats": chosen, "bytes": store.bytes, "graphs": {name: facts(name, release, folder) for name in names}}


def facts(name: str, release: Path, folder: Path) -> dict:
    model = ir.load(folder / f"{name}.x.onnx")
    tensors = [value.const_value for value in model.graph.initializers.values()]
    int8 = [np.abs(t.numpy().astype(int)).max() for t in tensors if t.dtype == ir.DataType.INT8 and t.size > 1]
    halves = [float(t.numpy().min()) for t in tensors if t.dtype == ir.DataType.FLOAT16 and t.size == 1]
    return {
        "operators": Counter(node.op_type for node in model.graph),
        "types": Counter(t.dtype.name for t in tensors),
        "borders": sorted({value.dtype.name for value in [*model.graph.inputs, *model.graph.outputs]}),
        "largest": sorted({int(value) for value in int8}),
        "least": min(halves, default=0),
        "loss": loss(release / f"{name}.onnx", folder / f"{name}.x.onnx"),
    }


def loss(reference: Path, other: Path) -> float:
    worst = 0.0
    for wanted, found in zip(outputs(reference), outputs(other), strict=True):
        worst = max(worst, float(np.abs(wanted - found).max() / np.abs(wanted).max()))
    return worst


def outputs(path: Path) -> list[np.ndarray]:
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    random = np.random.default_rng(1)
    sizes = {"B": 2, "B * K": 2, "S": 9, "C": 6, "T": 530, "N": 5, "P": 7}
    given = {
        "input_lengths": np.array([9, 7]),
        "past_lengths": np.array([5, 0]),
        "input_ids": np.arange(9)[None],
        "position_ids": np.arange(9)[None] if "init" in path.name else np.array([[7]]),
        "audio_offset": np.array([2]),
    }
    feeds = {}
    for value in session.get_inputs():
        shape = [sizes.get(size, size) for size in value.shape]
        drawn = 0.1 * random.standard_normal(shape).astype(np.float32)
        feeds[value.name] = given.get(value.name, drawn)
    return session.run(None, feeds)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
