# SPDX-License-Identifier: Apache-2.0

"""The attention products of the fused graphs: ONNX's own operators in the file, onnxruntime's fused one when it runs.

    check_fused.py FOLDER NAME.onnx...

Prints a line of JSON for each graph: {"written": N, "run": N, "same": true}: how many FusedMatMul nodes there are in the
file and in what onnxruntime makes of it, and whether all outputs are bit for bit those of the same graph with FusedMatMul
written in the place of each Transpose and MatMul. With a cache of one position of zeros, and with one that is filled.
"""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

CASES = (  # capacity, new positions, their numbers in the two rows, past lengths
    (1, 60, (60, 41), (0, 0)),
    (37, 1, (1, 1), (20, 37)),
)


def main(folder: Path, names: list[str]) -> None:
    for name in names:
        model = onnx.load(folder / name, load_external_data=False)
        written = fused(model)
        session, run = optimized(model, folder)
        other, _ = optimized(with_fused(model), folder)
        same = all(run_all(session, case) == run_all(other, case) for case in CASES)
        print(json.dumps({"written": written, "run": run, "same": same}))


def fused(model: onnx.ModelProto) -> int:
    return sum(node.op_type == "FusedMatMul" for node in model.graph.node)


def with_fused(model: onnx.ModelProto) -> onnx.ModelProto:
    other = onnx.ModelProto()
    other.CopyFrom(model)
    makers = {output: node for node in other.graph.node for output in node.output}
    for node in other.graph.node:
        before = makers.get(node.input[1]) if node.op_type == "MatMul" else None
        if before is not None and before.op_type == "Transpose":
            node.op_type, node.domain = "FusedMatMul", "com.microsoft"
            node.input[1] = before.input[0]
            node.attribute.append(onnx.helper.make_attribute("transB", 1))
    return other


def optimized(model: onnx.ModelProto, folder: Path) -> tuple[ort.InferenceSession, int]:
    """A session, and the number of FusedMatMul nodes that it runs."""
    with tempfile.TemporaryDirectory() as temporary:
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        options.optimized_model_filepath = str(Path(temporary) / "optimized.onnx")
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder))
        session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return session, fused(onnx.load(options.optimized_model_filepath, load_external_data=False))


def run_all(session: ort.InferenceSession, case: tuple) -> list[bytes]:
    capacity, length, lengths, past_lengths = case
    random = np.random.default_rng(1)
    feeds = {"input_lengths": np.array(lengths), "past_lengths": np.array(past_lengths)}
    sizes = {"B": 2, "S": length, "C": capacity}
    for value in session.get_inputs():
        if value.name not in feeds:
            shape = [sizes.get(size, size) for size in value.shape]
            feeds[value.name] = random.standard_normal(shape).astype(np.float32)
    return [output.tobytes() for output in session.run(None, feeds)]


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
