# SPDX-License-Identifier: Apache-2.0

"""A checkpoint as the graphs of sherpa-onnx, in 8 bits as its published files: a folder.

    python python/bench/write_sherpa.py --checkpoint checkpoint.json --out FOLDER

Linear layers and the embedding table are quantized by onnxruntime's quantize_dynamic: int8 in the encoder, uint8 in the decoder,
a scale for each column. The convolutions stay in float32. Runs in .venv, and needs 4 GB beside FOLDER and 8 GB of memory.
"""

import argparse
import json
import os
import shutil
import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).parents[1]))  # modules that several folders share
sys.path.insert(1, str(Path(__file__).parents[1] / "export"))

import no_telemetry  # noqa: F401  # isort: skip  (before onnxruntime)

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic

from checkpoint import Checkpoint
from emit_onnx import DataFile, Signature, emit
from protocol import emit as emit_event
from protocol import progress, reporting
from sherpa_graphs import CachedDecoder, ConvFrontend, EncoderLayers
from weights import Weights

OPSET = 18


def main() -> None:
    """Run the command line: write the folder of graphs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    with reporting():
        write(Checkpoint(args.checkpoint), args.out)
        emit_event("result")


def write(checkpoint: Checkpoint, out: Path) -> None:
    """In another folder first: a run that is stopped leaves none that looks finished."""
    unfinished = out.with_name(out.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for done, (build, signature, weight_type) in enumerate(GRAPHS):
        progress("graphs", done, len(GRAPHS), "graphs")
        write_graph(build, signature(checkpoint), weight_type, checkpoint, unfinished)
    write_tokenizer(checkpoint.folder, unfinished / "tokenizer")
    os.rename(unfinished, out)


def write_graph(build, signature: Signature, weight_type: QuantType | None, checkpoint: Checkpoint, out: Path) -> None:
    """Write one graph into `out`; its linear layers in `weight_type`, or all in float32 for None."""
    folder = out / "float32"
    path = export(build, signature, checkpoint, folder)
    if weight_type is None:
        onnx.save(onnx.load(path), out / path.name)
    else:
        whole = out / f"{signature.name}.int8.onnx"
        # it cannot infer types behind the runtime's own operators
        types = {"DefaultTensorType": onnx.TensorProto.FLOAT}
        quantize_dynamic(path, whole, weight_type=weight_type, per_channel=True, extra_options=types)
    shutil.rmtree(folder)


def export(build, signature: Signature, checkpoint: Checkpoint, folder: Path) -> Path:
    """In float32, with the weights beside it."""
    folder.mkdir()
    weights = Weights(checkpoint)
    path = folder / f"{signature.name}.onnx"
    emit(build(weights), weights, signature, OPSET, DataFile(folder / "weights.data", 0), path)
    return path


def write_tokenizer(source: Path, out: Path) -> None:
    """tokenizer.json as the files that sherpa-onnx reads."""
    tokenizer = json.loads((source / "tokenizer.json").read_text(encoding="utf-8"))
    added = {
        str(token["id"]): {key: token[key] for key in ("content", "special")} for token in tokenizer["added_tokens"]
    }
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in tokenizer["model"]["merges"]]
    config = {
        "added_tokens_decoder": added,
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "tokenizer_class": "Qwen2Tokenizer",
    }
    out.mkdir()
    files = {
        "vocab.json": json.dumps(tokenizer["model"]["vocab"], ensure_ascii=False),
        "merges.txt": "\n".join(["#version: 0.2", *merges, ""]),
        "tokenizer_config.json": json.dumps(config, ensure_ascii=False),
    }
    for name, text in files.items():
        (out / name).write_text(text, encoding="utf-8")


def frontend_signature(checkpoint: Checkpoint) -> Signature:
    """mel [1, T, 128] -> [1, A, D]."""
    audio = checkpoint.audio
    return Signature(
        "conv_frontend",
        {"input_features": torch.zeros(1, 1130, audio["num_mel_bins"])},
        {"input_features": {1: "T"}},
        {"conv_output": [1, "A", audio["d_model"]]},
        ("Conv",),
    )


def encoder_signature(checkpoint: Checkpoint) -> Signature:
    """[1, A, D] and bool [1, A] -> [1, A, H]."""
    audio = checkpoint.audio
    return Signature(
        "encoder",
        {
            "input_features": torch.zeros(1, 143, audio["d_model"]),
            "feature_attention_mask": torch.ones(1, 143, dtype=torch.bool),
        },
        {"input_features": {1: "A"}, "feature_attention_mask": {1: "A"}},
        {"audio_features": [1, "A", audio["output_dim"]]},
        ("SkipLayerNormalization", "BiasGelu"),
    )


def decoder_signature(checkpoint: Checkpoint) -> Signature:
    """ids, features, mask, places and caches [1, C, KV, size] -> logits and new keys and values."""
    text = checkpoint.text
    heads, size = text["num_key_value_heads"], text["head_dim"]
    layers = range(text["num_hidden_layers"])
    caches = {f"cache_{kind}_{i}": torch.zeros(1, 512, heads, size) for i in layers for kind in ("key", "value")}
    deltas = {f"{kind}_delta_{i}": [1, "S", heads, size] for i in layers for kind in ("key", "value")}
    return Signature(
        "decoder",
        {
            "input_ids": torch.zeros(1, 41, dtype=torch.int64),
            "audio_features": torch.zeros(1, 23, text["hidden_size"]),
            "attention_mask": torch.ones(1, 41, dtype=torch.int64),
            "cache_position": torch.arange(41),
            **caches,
        },
        {
            "input_ids": {1: "S"},
            "audio_features": {1: "A"},
            "attention_mask": {1: "S"},
            "cache_position": {0: "S"},
            **{name: {1: "C"} for name in caches},
        },
        {"logits": [1, "S", text["vocab_size"]], **deltas},
        ("SimplifiedLayerNormalization", "SkipSimplifiedLayerNormalization"),
    )


GRAPHS = (
    (ConvFrontend, frontend_signature, None),
    (EncoderLayers, encoder_signature, QuantType.QInt8),
    (CachedDecoder, decoder_signature, QuantType.QUInt8),
)

if __name__ == "__main__":
    main()
