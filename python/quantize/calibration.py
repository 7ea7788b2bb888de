# SPDX-License-Identifier: Apache-2.0

"""A calibration: speech with the model's own answers, and what the decoder's weights meet on it.

Its folder has index.json and clips/, written by pipeline/quantize/calibration.ts, and hidden/, written by calibrate.py.
P positions are the tokens of all prompts and answers, clip after clip.
"""

import os
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from calibration_clips import AGAIN, read_clips
from protocol import UserError
from release_decoder import ReleaseDecoder, forward


class Calibration:
    """The clips of a calibration, and the hidden states of a decoder on them."""

    def __init__(self, folder: str | Path, decoder: ReleaseDecoder) -> None:
        """@raises UserError when it is not complete, has too few clips, or is not of this decoder"""
        self.folder, self.decoder = Path(folder), decoder
        self.clips = read_clips(self.folder)
        for clip in self.clips:
            require_fit(clip, decoder)
        counts = [len(clip["prompt_ids"]) + len(clip["tokens"]) for clip in self.clips]
        ends = np.cumsum(counts)
        self.bounds = [(int(b) - count, int(b)) for count, b in zip(counts, ends, strict=True)]
        self.positions = sum(counts)

    @cached_property
    def asked(self) -> Tensor:
        """The positions whose logits are used: they predict the answers' tokens. int64"""
        ranges = [
            torch.arange(start + len(clip["prompt_ids"]) - 1, end - 1)
            for clip, (start, end) in zip(self.clips, self.bounds, strict=True)
        ]
        return torch.cat(ranges)

    def features(self, clip: dict) -> np.ndarray:
        """What FP32's encoder made of a clip, float32 [N, H]."""
        return np.fromfile(self.folder / clip["features"]["file"], "<f4").reshape(clip["features"]["shape"])

    def embedded(self, given: list[np.ndarray] | None = None) -> Tensor:
        """What the first layer reads, [P, H]: tokens, with the audio features in their places: FP32's, or those given."""
        parts = []
        for clip, features in zip(self.clips, given or map(self.features, self.clips), strict=True):
            x = self.decoder.embed([*clip["prompt_ids"], *clip["tokens"]])
            x[clip["audio_offset"] : clip["audio_offset"] + len(features)] = torch.from_numpy(features)
            parts.append(x)
        return torch.cat(parts)

    def path(self, index: int) -> Path:
        """File of the hidden states before layer `index`, float32 [P, H]."""
        return self.folder / "hidden" / f"{index:02}.f32"

    def has(self, index: int) -> bool:
        """Whether the hidden states before a layer have been written, all of them."""
        path = self.path(index)
        return path.exists() and path.stat().st_size == self.positions * self.decoder.sizes.hidden * 4

    def hidden(self, index: int) -> Tensor:
        """The residual stream before layer `index`, or before the final norm, [P, H]."""
        if not self.has(index):
            raise UserError(
                f"{self.path(index)} is not complete.", "Run the calibration again: it continues where it was."
            )
        return torch.from_numpy(np.fromfile(self.path(index), "<f4").reshape(self.positions, -1))

    def write(self, index: int, x: Tensor) -> None:
        """Beside, then renamed: what has the name is complete."""
        path = self.path(index)
        path.parent.mkdir(exist_ok=True)
        beside = path.with_suffix(".part")
        with open(beside, "wb") as file:
            file.write(memoryview(x.contiguous().numpy().astype("<f4", copy=False)).cast("B"))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)

    def inputs(self, layer: int) -> dict[str, Tensor]:
        """What the weights of a layer read, by groups of weights with the same inputs: [P, K] each."""
        seen: dict[str, Tensor] = {}
        with torch.no_grad():
            forward(self.decoder.layer(layer), self.hidden(layer), self.bounds, self.decoder.sizes, seen)
        return seen

    def head_inputs(self) -> Tensor:
        """What lm_head reads where its logits are used, [answers' tokens, H]."""
        return self.decoder.final_norm(self.hidden(self.decoder.sizes.layers)[self.asked])


def require_fit(clip: dict, decoder: ReleaseDecoder) -> None:
    """Raise UserError when a clip has no positions, or is not of this decoder."""
    sizes, (count, width) = decoder.sizes, clip["features"]["shape"]
    name, ids = clip["id"], [*clip["prompt_ids"], *clip["tokens"]]
    if not clip["prompt_ids"] or not clip["tokens"]:
        raise UserError(f"Calibration clip {name} has no positions to calibrate on.", "Leave the clip out.")
    if width != sizes.hidden or max(ids) >= sizes.vocabulary or min(ids) < 0:
        raise UserError(
            f"Calibration clip {name} is of another model: features of {width} and token {max(ids)},"
            f" wanted features of {sizes.hidden} and tokens below {sizes.vocabulary}.",
            AGAIN,
        )
    if not 0 <= clip["audio_offset"] <= len(clip["prompt_ids"]) - count:
        raise UserError(
            f"Calibration clip {name} has {count} audio features from position {clip['audio_offset']} on,"
            f" which its prompt of {len(clip['prompt_ids'])} does not hold.",
            AGAIN,
        )
