# SPDX-License-Identifier: Apache-2.0

"""Weights by native tensor name, read from safetensors shards one tensor at a time.

The TypeScript side has already found out which format the checkpoint has, mapped the names, and checked every
shape and offset; it passes `checkpoint.json`: {"audio_config", "text_config", "files", "tensors":
{name: {"file", "dtype", "shape", "start", "end"}}, "aligner": of a forced aligner, ...}. Offsets are absolute bytes in
the shard.
"""

import json
from pathlib import Path

import numpy as np

ITEM_SIZES = {"F32": 4, "F16": 2, "BF16": 2}


class Checkpoint:
    """A checkpoint as `checkpoint.json` describes it. Tensors are read when they are loaded."""

    def __init__(self, description: str | Path) -> None:
        self.description = json.loads(Path(description).read_text(encoding="utf-8"))
        self.folder = Path(self.description["folder"])
        self.audio = self.description["audio_config"]
        self.text = self.description["text_config"]
        self.aligner = self.description.get("aligner")
        self.tensors = self.description["tensors"]

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a tensor by its native name. @raises KeyError without such a tensor"""
        return tuple(self.tensors[name]["shape"])

    def load(self, name: str) -> np.ndarray:
        """The tensor as float32, whatever the stored type. Touches only its own bytes of the shard."""
        entry = self.tensors[name]
        stored = {"F32": np.float32, "F16": np.float16, "BF16": np.uint16}[entry["dtype"]]
        count = (entry["end"] - entry["start"]) // ITEM_SIZES[entry["dtype"]]
        with open(self.folder / entry["file"], "rb") as shard:
            shard.seek(entry["start"])
            raw = np.fromfile(shard, dtype=stored, count=count)
        return _to_float32(raw, entry["dtype"]).reshape(entry["shape"])


def _to_float32(raw: np.ndarray, dtype: str) -> np.ndarray:
    if dtype != "BF16":
        return raw.astype(np.float32, copy=False)
    wide = raw.astype(np.uint32)
    wide <<= 16  # bfloat16 is the upper half of a float32
    return wide.view(np.float32)
