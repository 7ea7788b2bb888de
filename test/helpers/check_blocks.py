# SPDX-License-Identifier: Apache-2.0

"""Weights in ggml's blocks, read back by a plain reader, a value at a time; and what engines call a checkpoint's tensors.

    check_blocks.py < {"checkpoint": {"audio", "text", "tensors": {NAME: SHAPE}}, "names": {ENGINE: [NAME...]}}

Prints JSON: {"formats": {NAME: {"bytes": of a row, "worst": difference, as a share of the largest, "zero", "positive"}}, "engines":
{ENGINE: {"count", "twice", "bytes": of all tensors, "named": {NAME: [native, format]}, "metadata"}}, "filters": difference from transformers}
"""

import json
import struct
import sys
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(1, str(Path(__file__).parents[2] / "python"))
sys.path.insert(1, str(Path(__file__).parents[2] / "python" / "bench"))

import numpy as np
from transformers.audio_utils import mel_filter_bank

import ggml_blocks
from mel_filters import mel_filters
from peer_names import ENGINES

COLUMNS = 512
TOKENS = {"<|endoftext|>": 1, "<|im_end|>": 2, "<|audio_start|>": 3, "<|audio_end|>": 4, "<|audio_pad|>": 5}


def read_q8_0(row: bytes) -> list[float]:
    values: list[float] = []
    for at in range(0, len(row), 34):
        (scale,) = struct.unpack_from("<e", row, at)
        values += [scale * level for level in struct.unpack_from("<32b", row, at + 2)]
    return values


def read_q4_k(row: bytes) -> list[float]:
    values: list[float] = []
    for at in range(0, len(row), 144):
        block = row[at : at + 144]
        scale, offset = struct.unpack_from("<ee", block)
        packed, levels = block[4:16], block[16:]
        for part in range(8):
            if part < 4:
                step, minimum = packed[part] & 63, packed[part + 4] & 63
            else:
                step = packed[part + 4] & 15 | packed[part - 4] >> 6 << 4
                minimum = packed[part + 4] >> 4 | packed[part] >> 6 << 4
            for i in range(32):
                level = levels[part // 2 * 32 + i] >> 4 * (part % 2) & 15
                values.append(scale * step * level - offset * minimum)
    return values


def read_q6_k(row: bytes) -> list[float]:
    values: list[float] = []
    for at in range(0, len(row), 210):
        block = row[at : at + 210]
        low, high = block[:128], block[128:192]
        scales = struct.unpack("<16b", block[192:208])
        (scale,) = struct.unpack("<e", block[208:])
        for i in range(256):
            half, within = divmod(i, 128)
            quarter, byte = divmod(within, 32)
            nibble = low[half * 64 + quarter % 2 * 32 + byte] >> 4 * (quarter // 2) & 15
            level = nibble | (high[half * 32 + byte] >> 2 * quarter & 3) << 4
            values.append(scale * scales[i // 16] * (level - 32))
    return values


READERS = {"Q8_0": read_q8_0, "Q4_K": read_q4_k, "Q6_K": read_q6_k}


def check_format(name: str) -> dict:
    random = np.random.default_rng(1)
    mixed = (0.02 * random.standard_normal((1, COLUMNS))).astype(np.float32)
    mixed[0, :32] *= 30  # parts whose scales differ
    rows = {"worst": mixed, "zero": np.zeros((1, COLUMNS), np.float32), "positive": np.abs(mixed) + 1}
    format = getattr(ggml_blocks, name)
    facts = {"bytes": format.encode(mixed).shape[1]}
    for what, row in rows.items():
        found = np.array(READERS[name](format.encode(row)[0].tobytes()))
        facts[what] = float(np.abs(found - row[0]).max() / max(np.abs(row).max(), 1e-9))
    return facts


def check_engine(name: str, checkpoint, asked: list[str]) -> dict:
    engine = ENGINES[name]
    tensors = checkpoint.tensors
    pairs = dict(engine.names.pairs(tensors))
    formats = {own: engine.format_of(own, tuple(tensors[native])) for own, native in pairs.items()}
    sizes = {"F32": 4, "F16": 2, "Q8_0": 34 / 32, "Q4_K": 144 / 256, "Q6_K": 210 / 256}
    return {
        "count": len(pairs),
        "bytes": sum(int(np.prod(tensors[native])) * sizes[formats[own].name] for own, native in pairs.items()),
        "named": {own: [pairs[own], formats[own].name] for own in asked},
        "metadata": engine.metadata(checkpoint, TOKENS),
    }


def main() -> None:
    asked = json.load(sys.stdin)
    bank = mel_filter_bank(201, 128, 0.0, 8000.0, 16000, norm="slaney", mel_scale="slaney")
    checkpoint = SimpleNamespace(**asked["checkpoint"])
    engines = {name: check_engine(name, checkpoint, names) for name, names in asked["names"].items()}
    formats = {name: check_format(name) for name in READERS}
    print(
        json.dumps({"formats": formats, "engines": engines, "filters": float(np.abs(mel_filters(128).T - bank).max())})
    )


if __name__ == "__main__":
    main()
