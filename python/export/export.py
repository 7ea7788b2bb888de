# SPDX-License-Identifier: Apache-2.0

"""Export the encoder and the three decoder graphs of a Qwen3-ASR checkpoint, or the graph of a forced aligner.

    python python/export/export.py --checkpoint checkpoint.json --out DIR [--opset 18] [--skip-encoder] [--skip-decoder]

Writes encoder.onnx + encoder.data and decoder_init.onnx + decoder_step.onnx + decoder.onnx +
decoder.data into DIR; of a forced aligner aligner.onnx + decoder.data + embed_tokens.bin in their place.
"""

import argparse
import sys
from pathlib import Path

import torch

sys.path.insert(1, str(Path(__file__).parents[1]))  # modules that several folders share

from aligner_graph import HEAD, Aligner
from checkpoint import Checkpoint
from decoder_graph import DecoderInit, DecoderStep, FusedDecoder
from embeddings_file import write_embeddings
from emit_onnx import DataFile, Signature, emit
from encoder_graph import Encoder
from protocol import UserError, progress, reporting
from protocol import emit as emit_event
from weights import Weights

ENCODER_OPS = ("SkipLayerNormalization", "BiasGelu")
DECODER_OPS = ("SimplifiedLayerNormalization", "SkipSimplifiedLayerNormalization")


def main() -> None:
    """Run the command line: write the graphs, and report their operators. Reports UserError as an error event."""
    args = parse_args()
    with reporting():
        torch.set_default_device(checked_device(args.device))
        checkpoint = Checkpoint(args.checkpoint)
        out = Path(args.out)
        counts: dict[str, dict] = {}
        if not args.skip_encoder:
            counts |= export_encoder(checkpoint, out, args.opset)
        if not args.skip_decoder:
            export_rest = export_decoders if checkpoint.aligner is None else export_aligner
            counts |= export_rest(checkpoint, out, args.opset)
        emit_event("result", operators=counts, torch=torch.__version__)


def parse_args() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--opset", type=int, default=18)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--skip-encoder", action="store_true")
    parser.add_argument("--skip-decoder", action="store_true")
    return parser.parse_args()


def checked_device(device: str) -> str:
    """The device, if torch can use it. @raises UserError with the reason where it cannot"""
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"--device {device} cannot be used with torch {torch.__version__}: {reason}", "Use --device cpu."
        ) from None
    return device


def export_encoder(checkpoint: Checkpoint, out: Path, opset: int) -> dict:
    """Write encoder.onnx and encoder.data. Returns how often each operator occurs, by graph."""
    progress("encoder graph", 0, 1, "graphs")
    weights = Weights(checkpoint)
    encoder = Encoder(weights)
    bins, hidden = checkpoint.audio["num_mel_bins"], checkpoint.audio["output_dim"]
    signature = Signature(
        "encoder",
        {"mel": torch.zeros(1, bins, 1130)},
        {"mel": {2: "T"}},
        {"audio_features": [1, "N", hidden]},
        ENCODER_OPS,
    )
    data = DataFile(out / "encoder.data", float32_bytes(checkpoint, ("model.audio_tower.", "model.multi_modal_")))
    counts = emit(encoder, weights, signature, opset, data, out / "encoder.onnx")
    progress("encoder graph", 1, 1, "graphs")
    return {"encoder": counts}


def export_decoders(checkpoint: Checkpoint, out: Path, opset: int) -> dict:
    """Write the three decoder graphs and decoder.data. Returns how often each operator occurs, by graph."""
    data = DataFile(out / "decoder.data", float32_bytes(checkpoint, ("model.language_model.", "lm_head.")))
    counts = {}
    graphs = ((DecoderInit, init_signature), (DecoderStep, step_signature), (FusedDecoder, fused_signature))
    for done, (build, signature) in enumerate(graphs):
        progress("decoder graphs", done, len(graphs), "graphs")
        weights = Weights(checkpoint)
        spec = signature(checkpoint.text)
        counts[spec.name] = emit(build(weights), weights, spec, opset, data, out / f"{spec.name}.onnx")
    progress("decoder graphs", len(graphs), len(graphs), "graphs")
    return counts


def export_aligner(checkpoint: Checkpoint, out: Path, opset: int) -> dict:
    """Write aligner.onnx, decoder.data and embed_tokens.bin. Returns how often each operator occurs, by graph."""
    progress("aligner graph", 0, 1, "graphs")
    data = DataFile(out / "decoder.data", float32_bytes(checkpoint, ("model.language_model.layers.", HEAD)))
    weights = Weights(checkpoint)
    signature = aligner_signature(checkpoint.text, checkpoint.aligner["classes"])
    counts = emit(Aligner(weights), weights, signature, opset, data, out / "aligner.onnx")
    write_embeddings(checkpoint, out / "embed_tokens.bin")
    progress("aligner graph", 1, 1, "graphs")
    return {"aligner": counts}


def aligner_signature(text: dict, classes: int) -> Signature:
    """Embeddings [B, S, H], lengths [B], places of the slots [B, T] -> logits [B, T, classes]."""
    return Signature(
        "aligner",
        {
            "input_embeds": torch.zeros(2, 41, text["hidden_size"]),
            "input_lengths": torch.tensor([41, 38]),
            "slots": torch.tensor([[25, 26, 31, 32], [30, 31, 36, 37]]),
        },
        {"input_embeds": {0: "B", 1: "S"}, "input_lengths": {0: "B"}, "slots": {0: "B", 1: "T"}},
        {"logits": ["B", "T", classes]},
        DECODER_OPS,
    )


def init_signature(text: dict) -> Signature:
    """Prompt ids [1, S] and audio features [1, N, H] -> logits [1, 1, V], keys and values [L, 1, KV, S, D]."""
    vocab, hidden = text["vocab_size"], text["hidden_size"]
    present = [text["num_hidden_layers"], 1, text["num_key_value_heads"], "S", text["head_dim"]]
    return Signature(
        "decoder_init",
        {
            "input_ids": torch.zeros(1, 41, dtype=torch.int64),
            "position_ids": torch.arange(41)[None],
            "audio_features": torch.zeros(1, 23, hidden),
            "audio_offset": torch.tensor([9]),
        },
        {"input_ids": {1: "S"}, "position_ids": {1: "S"}, "audio_features": {1: "N"}},
        {"logits": [1, 1, vocab], "present_keys": present, "present_values": present},
        DECODER_OPS,
    )


def step_signature(text: dict) -> Signature:
    """One embedding [1, 1, H] and the past [L, 1, KV, P, D] -> logits [1, 1, V] and the present."""
    vocab, hidden = text["vocab_size"], text["hidden_size"]
    cache = [text["num_hidden_layers"], 1, text["num_key_value_heads"], 37, text["head_dim"]]
    present = [*cache[:3], "P + 1", cache[4]]
    return Signature(
        "decoder_step",
        {
            "input_embeds": torch.zeros(1, 1, hidden),
            "position_ids": torch.tensor([[37]]),
            "past_keys": torch.zeros(cache),
            "past_values": torch.zeros(cache),
        },
        {"past_keys": {3: "P"}, "past_values": {3: "P"}},
        {"logits": [1, 1, vocab], "present_keys": present, "present_values": present},
        DECODER_OPS,
    )


def fused_signature(text: dict) -> Signature:
    """Embeddings [B, S, H], lengths and past [B, KV, C, D] of each layer -> logits and the new keys and values."""
    vocab, hidden = text["vocab_size"], text["hidden_size"]
    heads, size = text["num_key_value_heads"], text["head_dim"]
    names = [f"{i}.{kind}" for i in range(text["num_hidden_layers"]) for kind in ("key", "value")]
    past = {f"past_key_values.{name}": torch.zeros(2, heads, 37, size) for name in names}
    return Signature(
        "decoder",
        {
            "input_embeds": torch.zeros(2, 41, hidden),
            "input_lengths": torch.tensor([38, 39, 41, 36, 37, 40]),
            "past_lengths": torch.tensor([37, 36]),
            **past,
        },
        {
            "input_embeds": {0: "B", 1: "S"},
            "input_lengths": {0: "B * K"},
            "past_lengths": {0: "B"},
            **{name: {0: "B", 2: "C"} for name in past},
        },
        {"logits": ["B", "K", vocab], **{f"new.{name}": ["B", heads, "S", size] for name in names}},
        DECODER_OPS,
    )


def float32_bytes(checkpoint: Checkpoint, prefixes: tuple[str, ...]) -> int:
    """Bytes of all tensors whose names begin with one of `prefixes`, as float32."""
    shapes = (entry["shape"] for name, entry in checkpoint.tensors.items() if name.startswith(prefixes))
    return sum(4 * torch.Size(shape).numel() for shape in shapes)


if __name__ == "__main__":
    main()
