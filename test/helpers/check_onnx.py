# SPDX-License-Identifier: Apache-2.0

"""An independent reader: onnx's checker and shape inference on rewritten graphs, and onnxruntime's outputs, bit for bit.

    check_onnx.py PAIRS.json     [[before.onnx, after.onnx], ...]

Prints {"graphs": N, "outputs": N} when every pair agrees, else fails with what differs.
"""

import json
import sys
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

SIZES = {"T": 330, "N": 43, "S": 60, "P": 37, "B": 2, "B * K": 2, "C": 37}
LENGTHS = {"input_lengths": [60, 41], "past_lengths": [20, 37]}  # of the two rows


def main() -> None:
    outputs = 0
    pairs = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    for before, after in pairs:
        before_types, after_types = check(before), check(after)
        common = before_types.keys() & after_types.keys()
        assert len(common) > len(before_types) // 2, f"{after}: {len(common)} of {len(before_types)} types are inferred"
        for name in common:
            assert after_types[name] == before_types[name], f"{after}: {name} is of another type than in {before}"
        wanted, found = run(before), run(after)
        assert wanted.keys() == found.keys(), (after, list(wanted), list(found))
        for name, value in wanted.items():
            same = value.dtype == found[name].dtype and value.tobytes() == found[name].tobytes()
            assert same, f"{after}: {name} is not what it was in {before}"
            assert np.isfinite(value).all() and value.std() > 0, f"{before}: {name} says nothing"
            outputs += 1
    print(json.dumps({"graphs": len(pairs), "outputs": outputs}))


@cache
def check(path: str) -> dict[str, str]:
    """The types that are inferred, by name. onnxruntime keeps SimplifiedLayerNormalization in the ONNX domain, where onnx
    does not know it: name another."""
    model = onnx.load(path, load_external_data=False)
    for node in model.graph.node:
        if node.op_type == "SimplifiedLayerNormalization":
            node.domain = "com.microsoft"
    named = Path(path).with_suffix(".checked.onnx")
    onnx.save(model, named)
    onnx.checker.check_model(str(named))
    inferred = onnx.shape_inference.infer_shapes(onnx.load(named), check_type=True, strict_mode=True, data_prop=True)
    named.unlink()
    values = [*inferred.graph.value_info, *inferred.graph.output]
    return {value.name: str(value.type) for value in values}


def run(path: str) -> dict[str, np.ndarray]:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    random = np.random.default_rng(1)
    feeds = {value.name: feed(value, random) for value in session.get_inputs()}
    return dict(zip([value.name for value in session.get_outputs()], session.run(None, feeds), strict=True))


def feed(value, random) -> np.ndarray:
    shape = [size if isinstance(size, int) else SIZES[size] for size in value.shape]
    if value.type == "tensor(float)":
        return random.standard_normal(shape).astype(np.float32)
    if value.name in LENGTHS:
        return np.array(LENGTHS[value.name])
    if value.name == "position_ids":
        return np.arange(shape[1], dtype=np.int64)[None] + (0 if shape[1] > 1 else SIZES["P"])
    return random.integers(9, 10 if value.name == "audio_offset" else 400, shape, dtype=np.int64)


main()
