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
from weights import Weights

RECIPE: dict = {"decoder": [("*", "q4b64")], "accuracyLevel": 4}  # as the release that it is compared with
AROUND, OFFSET = 15, 9  # tokens of the prompt around the audio, and before it


class LogitsEverywhere(DecoderInit):
    """decoder_init whose last layer and head see every position."""

    def narrow(self, *everything):
        return everything


def main() -> None:
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
            reader = Reader(Path(args.model), Path(args.init), args.threads)
            emit_event("result", utterances=reader.time(json.loads(args.utterances)))
        else:
            emit_event("result", **floors(args.threads))


def prepare(description: str, out: Path) -> None:
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
    quantize.quantize(model, quantize.Job(RECIPE, RECIPE["decoder"], quantize.Store(out / "decoder.int4.data")))
    ir.save(model, out / "decoder_init.int4.onnx")
    fp32.unlink()


class Reader:
    """Encoder, decoder_init and decoder_step in a loop of numpy arrays."""

    def __init__(self, model: Path, init: Path, threads: int) -> None:
        config = json.loads((model / "config.json").read_text())
        table = np.memmap(model / "embed_tokens.bin", "<f2", "r").reshape(config["embed_tokens_shape"])
        self.embeddings = table.astype(np.float32)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads

        def session(path: Path):
            return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

        self.encoder = session(model / "encoder.onnx")
        self.init, self.step = session(init), session(model / "decoder_step.int4.onnx")

    def time(self, utterances: list[list[int]]) -> list[dict]:
        for frames, _ in utterances:
            self.transcribe(frames, 3)
        return [self.transcribe(frames, tokens) for frames, tokens in utterances]

    def transcribe(self, frames: int, new_tokens: int) -> dict:
        noise = np.random.default_rng(1)
        mel = ((noise.random((1, 128, frames)) - 0.5) / 5).astype(np.float32)
        names = ["logits", "present_keys", "present_values"]
        started = time.perf_counter()
        features = self.encoder.run(["audio_features"], {"mel": mel})[0]
        encoded = time.perf_counter()
        length = features.shape[1] + AROUND
        prompt = {
            "input_ids": noise.integers(0, 400, (1, length)),
            "position_ids": np.arange(length)[None],
            "audio_features": features,
            "audio_offset": np.array([OFFSET]),
        }
        logits, keys, values = self.init.run(names, prompt)
        token = int(logits[0, -1].argmax())
        prefilled = time.perf_counter()
        for step in range(new_tokens):
            inputs = {
                "input_embeds": self.embeddings[token][None, None],
                "position_ids": np.array([[length + step]]),
                "past_keys": keys,
                "past_values": values,
            }
            logits, keys, values = self.step.run(names, inputs)
            token = int(logits[0, -1].argmax())
        ended = time.perf_counter()
        return {"encoder": encoded - started, "prefill": prefilled - encoded, "decode": ended - prefilled}


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
