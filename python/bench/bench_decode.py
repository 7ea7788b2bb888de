# SPDX-License-Identifier: Apache-2.0

"""The other side of `npm run bench -- decode`: the split layout as older exports have it, run by Python's onnxruntime.

    python python/bench/bench_decode.py prepare --checkpoint checkpoint.json --out DIR      decoder_init with logits everywhere, int4
    python python/bench/bench_decode.py run --model DIR --init FILE --threads 2 --utterances "[[1100, 30], [3500, 120]]"
    python python/bench/bench_decode.py floors --threads 2            what the machine can do: bytes and multiply-adds a second

Older exports compute logits at every position of the prompt, and hand all keys and values in and out at every token.
"""

import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).parents[1]))  # modules that several folders share
sys.path.insert(1, str(Path(__file__).parents[1] / "export"))
sys.path.insert(1, str(Path(__file__).parents[1] / "quantize"))

import no_telemetry  # noqa: F401  # isort: skip  (before onnxruntime)

import argparse
import json
import time

import numpy as np
import onnx_ir as ir
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import quantize
from checkpoint import Checkpoint
from decoder_graph import DecoderInit
from emit_onnx import DataFile, emit
from export import float32_bytes, init_signature
from protocol import emit as emit_event
from protocol import reporting
from split_reader import SplitReader, noise
from weight_maker import WeightMaker
from weights import Weights

RECIPE: dict = {"decoder": [("*", "q4b64")], "accuracyLevel": 4}  # as the release that it is compared with


class LogitsEverywhere(DecoderInit):
    """decoder_init whose last layer and head see every position."""

    def narrow(self, *everything):
        """All positions stay: the last layer computes logits for each."""
        return everything


def main() -> None:
    """Run the command line: one of the jobs above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", choices=("prepare", "run", "floors"))
    parser.add_argument("--checkpoint")
    parser.add_argument("--out")
    parser.add_argument("--model")
    parser.add_argument("--init")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--utterances")
    args = parser.parse_args()
    with reporting():
        if args.job == "prepare":
            prepare(args.checkpoint, Path(args.out))
            emit_event("result")
        elif args.job == "run":
            reader = SplitReader(Path(args.model), "int4", args.threads, Path(args.init))
            emit_event("result", utterances=time_utterances(reader, json.loads(args.utterances)))
        else:
            emit_event("result", **floors(args.threads))


def prepare(description: str, out: Path) -> None:
    """Write decoder_init.int4.onnx with logits at every position, and its weights, into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = Checkpoint(description)
    fp32 = out / "decoder_init.onnx"
    signature = init_signature(checkpoint.text)
    signature.outputs["logits"] = [1, "S", checkpoint.text["vocab_size"]]
    weights = Weights(checkpoint)
    data = DataFile(out / "decoder.data", float32_bytes(checkpoint, ("model.language_model.", "lm_head.")))
    data.path.unlink(missing_ok=True)
    emit(LogitsEverywhere(weights), weights, signature, 18, data, fp32)
    model = ir.load(fp32)
    job = quantize.Job(RECIPE, WeightMaker(RECIPE["decoder"]), quantize.Store(out / "decoder.int4.data"))
    quantize.quantize(model, job)
    ir.save(model, out / "decoder_init.int4.onnx")
    fp32.unlink()


def time_utterances(reader: SplitReader, utterances: list[list[int]]) -> list[dict]:
    """Seconds of each part for [mel frames, tokens] of each utterance, after a run of 3 tokens to warm up."""
    for frames, _ in utterances:
        reader.transcribe(noise(frames), 3)
    return [reader.transcribe(noise(frames), tokens) for frames, tokens in utterances]


def floors(threads: int) -> dict:
    """Bytes a second that a product of a vector and a matrix of 1 GB reads; multiply-adds a second of products of 470
    rows, as a prompt of 35 s has, in float32 and in int8 with a scale for each column."""
    wide = np.ones((4096, 65536), np.float32)
    square = np.random.default_rng(0).standard_normal((1024, 3072)).astype(np.float32)
    whole = np.clip(np.round(square * 30), -127, 127).astype(np.int8)
    scales = np.full(3072, 0.03, np.float32)
    plain = lambda weight: ("MatMul", "", {"w": weight})  # noqa: E731
    quantized = ("DynamicQuantizeMatMul", "com.microsoft", {"w": whole, "s": scales})
    gemm = 470 * 1024 * 3072
    return {
        "bytes": wide.nbytes / time_product(plain(wide), (1, 4096), threads),
        "float32": gemm / time_product(plain(square), (470, 1024), threads),
        "int8": gemm / time_product(quantized, (470, 1024), threads),
        "onnxruntime": onnxruntime.__version__,
    }


def time_product(product, shape: tuple[int, int], threads: int) -> float:
    """Median seconds of a product x * constants with x of `shape`, over 10 runs after 2 to warm up."""
    operator, domain, constants = product
    node = helper.make_node(operator, ["x", *constants], ["y"], domain=domain)
    values = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [shape[0], None]) for name in ("x", "y")]
    graph = helper.make_graph([node], "product", ports[:1], ports[1:], values)
    domains = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=domains, ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # constants of 1 GB pass through memory: a proto may have 2 GB
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    times = []
    for _ in range(12):
        started = time.perf_counter()
        session.run(None, {"x": x})
        times.append(time.perf_counter() - started)
    return sorted(times[2:])[5]


if __name__ == "__main__":
    main()
