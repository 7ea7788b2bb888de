# SPDX-License-Identifier: Apache-2.0

"""Labels of the tiny forced aligner's training, its examples, and the errors of the shipped checkpoint.

    check_aligner_labels.py FIXTURES

Prints one JSON object.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from transformers import Qwen3ASRForTokenClassification, Qwen3ASRProcessor

sys.path.insert(1, str(Path(__file__).parents[2] / "python" / "tiny"))

from aligner_batches import collate, draw_examples, encode, prompt_text
from aligner_labels import frame_times, slot_targets, slot_times
from aligner_score import score_held_out
from espeak_speech import TimedWord
from tiny_batches import augment, joined
from tiny_model import make_aligner_processor
from tiny_speech import Clip, Utterance

RATE = 16000
WORDS = [
    TimedWord("Turn", 0.1, 0.34),
    TimedWord("in the", 0.34, 0.9),
    TimedWord("–", 0.9, 1.0),
    TimedWord("door.", 1, 1.2),
]


def main(fixtures: Path) -> None:
    torch.manual_seed(0)
    processor = Qwen3ASRProcessor.from_pretrained(fixtures / "qwen3-aligner-tiny")
    model = Qwen3ASRForTokenClassification.from_pretrained(fixtures / "qwen3-aligner-tiny", dtype=torch.float32).eval()
    split = processor.split_words_for_alignment
    found = {
        "times": [None if time != time else time for time in slot_times(WORDS, split)],
        "last": slot_times([TimedWord("a", 12, 12.75)], split),
        "long": refusal(lambda: slot_times([TimedWord("a", 12, 12.77)], split)),
        "classes": slot_targets(torch.tensor([0.0, 0.13, 1.19, 12.72]), 0.8).argmax(-1).tolist(),
        "shares": slot_targets(torch.tensor([0.8]), 0.8)[0, 8:13].tolist(),
        "frames": [round(time, 2) for time in frame_times(28).tolist()[11:28]],
        "heard": heard(),
        "prompt": same_prompt(processor),
        "tokenizer": make_aligner_processor(fixtures / "qwen3-asr-tiny").tokenizer.get_vocab()
        == processor.tokenizer.get_vocab(),
        "batch": batch(model, processor),
        "score": score_held_out(model, processor, fixtures / "speech"),
    }
    print(json.dumps(found))


def refusal(make) -> str:
    try:
        make()
    except ValueError as error:
        return str(error)
    return ""


def clicks(*seconds: float) -> Clip:
    """Two seconds of silence but for a click in each place, with a word from each to 0.1 s behind it."""
    samples = np.zeros(2 * RATE, np.int16)
    for time in seconds:
        samples[round(time * RATE) : round(time * RATE) + 16] = 32000
    return Clip(samples, [TimedWord("one", time, time + 0.1) for time in seconds])


def heard() -> float:
    """Largest distance in seconds between a word and its click, over joined clips with random speed and silence."""
    worst = 0.0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        one = augment(joined([clicks(0.2, 1.1), clicks(0.0), clicks(1.5)], rng), rng)
        loud = np.flatnonzero(np.abs(one.samples) > 0.5 * np.abs(one.samples).max()) / RATE
        starts = loud[np.diff(loud, prepend=-1) > 0.05]
        worst = max([worst, *(abs(at - word.start) for at, word in zip(starts, one.words, strict=True))])
    return worst


def same_prompt(processor) -> bool:
    """Whether training has the ids that the processor makes."""
    inputs, _ = processor.prepare_forced_aligner_inputs(np.zeros(3 * RATE, np.float32), "Turn in the – door.")
    ids = inputs["input_ids"][0]
    pads = int((ids == processor.audio_token_id).sum())
    return processor.tokenizer(prompt_text(processor, pads, WORDS))["input_ids"] == ids.tolist()


def batch(model, processor) -> dict:
    """Whether slots and times, and audio pads and features, are as many, in the order of the clips."""
    said = [Utterance("One.", "English", "en", 150, 50)] * 2
    drawn = draw_examples(said, [clicks(0.2, 1.1), clicks(0.5)], 5, np.random.default_rng(3))
    together = collate(encode(model, processor, drawn), processor.tokenizer.pad_token_id)
    by_length = sorted(drawn, key=lambda one: len(one.samples))
    times = [time for one in by_length for word in one.words for time in (word.start, word.end)]
    slots = (together["ids"] == model.config.timestamp_token_id).sum(-1).tolist()
    return {
        "slots": slots == [2 * len(one.words) for one in by_length],
        "times": np.allclose(times, together["times"], atol=1e-6),
        "pads": (together["ids"] == model.config.audio_token_id).sum(-1).tolist() == together["counts"],
        "features": len(together["features"]) == sum(together["counts"]),
    }


torch.set_num_threads(1)
with torch.no_grad():
    main(Path(sys.argv[1]))
