# SPDX-License-Identifier: Apache-2.0

"""The clips of a calibration: its index.json, and the log-mel features of each, which the encoder reads."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from protocol import UserError

FORMAT = 1
LEAST_CLIPS = 8
AGAIN = "Remove the calibration folder, then run the same command again."


class Mel(NamedTuple):
    """The log-mel features of a clip in their file, float32 [128, T]."""

    clip: str
    path: Path
    shape: list[int]

    def read(self) -> np.ndarray:
        """float32 [1, 128, T]"""
        return np.fromfile(self.path, "<f4").reshape(1, *self.shape)


def mels_of(folder: Path) -> list[Mel]:
    """Features of all clips of a calibration, not yet read. @raises UserError as `read_clips`"""
    return [Mel(clip["id"], folder / clip["mel"]["file"], clip["mel"]["shape"]) for clip in read_clips(folder)]


def read_clips(folder: Path) -> list[dict]:
    """The entries of index.json. @raises UserError when it is missing, of another format, or has too few"""
    try:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"The calibration in {folder} cannot be read: {error}.", AGAIN) from error
    if index.get("format") != FORMAT:
        raise UserError(f"The calibration in {folder} has format {index.get('format')}, wanted {FORMAT}.", AGAIN)
    clips = index["clips"]
    if len(clips) < LEAST_CLIPS:
        raise UserError(
            f"The calibration has {len(clips)} clips, wanted at least {LEAST_CLIPS}.",
            "Give --calibration a dataset with more speech: 16 to 32 clips are enough.",
        )
    return clips
