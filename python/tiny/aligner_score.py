# SPDX-License-Identifier: Apache-2.0

"""How far a forced aligner is off on speech whose words have known times."""

from pathlib import Path

import numpy as np
import soundfile
import torch

import tiny_speech
from aligner_labels import slot_times
from espeak_speech import TimedWord


@torch.no_grad()
def score_held_out(model, processor, folder: Path) -> dict:
    """Absolute errors of all slots with a known time, in ms and shares, one clip at a time.

    Prompt and times, which never go back, are the processor's own.
    """
    errors: list[float] = []
    lines = tiny_speech.read_manifest(folder)
    for line in lines:
        samples, _ = soundfile.read(folder / line["file"], dtype="float32")
        inputs, units = processor.prepare_forced_aligner_inputs(samples, line["text"], language=line["language"])
        slot = model.config.timestamp_token_id
        found = processor.decode_forced_alignment(model(**inputs).logits, inputs["input_ids"], units, slot)[0]
        said = [time for unit in found for time in (unit["start_time"], unit["end_time"])]
        words = [TimedWord(**word) for word in line["words"]]
        wanted = slot_times(words, processor.split_words_for_alignment)
        errors += [1000 * abs(a - b) for a, b in zip(said, wanted, strict=True)]
    known = np.array(errors)[~np.isnan(errors)]
    return {
        "clips": len(lines), "slots": len(known), "mean": float(known.mean()), "median": float(np.median(known)),
        "within_80": float((known <= 80).mean()), "within_200": float((known <= 200).mean()),
    }  # fmt: skip
