# SPDX-License-Identifier: Apache-2.0

"""A checkpoint as a model file of another engine, in the types that its published files have.

    python python/bench/write_gguf.py --checkpoint checkpoint.json --engine transcribe-cpp --out model.gguf

Tensors pass one at a time. Runs in the environment of `npm run bench -- peers`, which has the gguf package.
"""

import argparse
import json
import os
import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).parents[1]))  # modules that several folders share

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter, TokenType

from checkpoint import Checkpoint
from ggml_blocks import F32, Format
from mel_filters import hann, mel_filters
from peer_metadata import Metadata
from peer_names import EMBEDDING, ENGINES, Engine
from protocol import emit as emit_event
from protocol import reporting
from special_tokens import special_tokens


def main() -> None:
    """Run the command line: write the model file, and report its bytes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--engine", choices=ENGINES, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    with reporting():
        write(Checkpoint(args.checkpoint), ENGINES[args.engine], args.out)
        emit_event("result", bytes=args.out.stat().st_size)


def write(checkpoint: Checkpoint, engine: Engine, out: Path) -> None:
    """Under another name first: a run that is stopped leaves no file that looks finished."""
    unfinished = out.with_suffix(".unfinished")
    writer = GGUFWriter(unfinished, engine.architecture)
    add_metadata(writer, engine.metadata(checkpoint, special_tokens(checkpoint.folder)))
    add_tokens(writer, checkpoint)
    bins = checkpoint.audio["num_mel_bins"]
    filters = mel_filters(bins)
    tables = {engine.filters: filters.T if engine.has_turned_filters else filters, engine.window: hann()}
    pairs = list(engine.names.pairs(checkpoint.tensors))
    if engine.head and "lm_head.weight" not in checkpoint.tensors:
        pairs.append((engine.head, EMBEDDING))
    for name, table in tables.items():
        add_info(writer, name, table.shape, F32)
    for name, native in pairs:
        shape = checkpoint.shape(native)
        add_info(writer, name, shape, engine.format_of(name, shape))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for table in tables.values():
        writer.write_tensor_data(np.ascontiguousarray(table))
    for name, native in pairs:
        shape = checkpoint.shape(native)
        writer.write_tensor_data(engine.format_of(name, shape).encode(checkpoint.load(native)))
    writer.close()
    os.replace(unfinished, out)


def add_info(writer: GGUFWriter, name: str, shape: tuple[int, ...], format: Format) -> None:
    """Announce a tensor of `shape` in `format`; its bytes follow later."""
    kind = GGMLQuantizationType[format.name]
    size = bytes_of(shape, format)
    writer.add_tensor_info(name, list(shape), np.dtype(np.float32), size, raw_dtype=kind)


def bytes_of(shape: tuple[int, ...], format: Format) -> int:
    """Of a tensor: those of a row of one block, for each of its blocks."""
    return format.encode(np.zeros((1, format.block), np.float32)).nbytes * int(np.prod(shape)) // format.block


def add_metadata(writer: GGUFWriter, metadata: Metadata) -> None:
    """Write each value with the type that it has in Python."""
    for key, value in metadata.items():
        if isinstance(value, bool):
            writer.add_bool(key, value)
        elif isinstance(value, int):
            writer.add_uint32(key, value)
        elif isinstance(value, float):
            writer.add_float32(key, value)
        else:
            writer.add_string(key, value)


def add_tokens(writer: GGUFWriter, checkpoint: Checkpoint) -> None:
    """The byte-level BPE of tokenizer.json, with names for the rows of the table that no token has."""
    tokenizer = json.loads((checkpoint.folder / "tokenizer.json").read_text(encoding="utf-8"))
    count = checkpoint.text["vocab_size"]
    tokens = [f"[PAD{i}]" for i in range(count)]
    kinds = [TokenType.NORMAL] * count
    for token, at in tokenizer["model"]["vocab"].items():
        tokens[at] = token
    for added in tokenizer["added_tokens"]:
        tokens[added["id"]] = added["content"]
        kinds[added["id"]] = TokenType.CONTROL if added["special"] else TokenType.NORMAL
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in tokenizer["model"]["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)


if __name__ == "__main__":
    main()
