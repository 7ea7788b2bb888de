# SPDX-License-Identifier: Apache-2.0

"""Training examples of the tiny forced aligner: prompts with their audio features, which are computed once."""

import torch
from torch.nn.utils.rnn import pad_sequence

from aligner_labels import LONGEST, slot_times
from tiny_batches import Heard, augment, joined
from tiny_model import TIMESTAMP
from tiny_speech import SAMPLE_RATE

JOINED_SHARE = 0.5  # of the examples: two or three clauses with pauses


def draw_examples(utterances, clips, count: int, rng) -> list[Heard]:
    """`count` clips as training reads them, none longer than the classes are."""
    by_language: dict[str, list[int]] = {}
    for i, utterance in enumerate(utterances):
        by_language.setdefault(utterance.language, []).append(i)
    out: list[Heard] = []
    while len(out) < count:
        chosen = [int(rng.integers(len(clips)))]
        if rng.random() < JOINED_SHARE:
            chosen += list(rng.choice(by_language[utterances[chosen[0]].language], rng.integers(1, 3)))
        heard = augment(joined([clips[i] for i in chosen], rng), rng)
        if len(heard.samples) / SAMPLE_RATE <= LONGEST:
            out.append(heard)
    return out


@torch.no_grad()
def encode(model, processor, examples: list[Heard]) -> list[dict]:
    """Per example, the shortest first: `features` [N, d] of the encoder in front of the projector, `ids` of the prompt, `times` of
    its slots. Each clip by itself, since padding would reach into its last second."""
    return [prompt_of(processor, features_of(model, processor, heard.samples), heard) for heard in by_length(examples)]


def by_length(examples: list[Heard]) -> list[Heard]:
    """The shortest first."""
    return sorted(examples, key=lambda example: len(example.samples))


def features_of(model, processor, samples) -> torch.Tensor:
    """Samples [T] at 16 kHz -> features of the audio tower before the projector [N, D]."""
    audio = processor.feature_extractor(
        [samples], sampling_rate=SAMPLE_RATE, return_attention_mask=True, return_tensors="pt"
    )
    mask = audio["attention_mask"]
    return model.model.audio_tower(audio["input_features"], input_features_mask=mask).last_hidden_state


def prompt_of(processor, features: torch.Tensor, heard: Heard) -> dict:
    """An example for training: features [N, D] float16, ids int64 [S], times of the slots [T] in seconds."""
    ids = processor.tokenizer(prompt_text(processor, len(features), heard.words))["input_ids"]
    times = slot_times(heard.words, processor.split_words_for_alignment)
    return {"features": features.half(), "ids": torch.tensor(ids), "times": torch.tensor(times)}


def prompt_text(processor, audio_tokens: int, words) -> str:
    """As the chat template has it: no turns, no spaces, two slots behind each unit."""
    units = processor.split_words_for_alignment(" ".join(word.text for word in words))
    slots = "".join(f"{unit}{TIMESTAMP}{TIMESTAMP}" for unit in units)
    return f"<|audio_start|>{'<|audio_pad|>' * audio_tokens}<|audio_end|>{slots}"


def collate(examples: list[dict], pad: int) -> dict:
    """Right-padded prompts; features packed over the batch; times [B, T] of the slots, UNKNOWN where there is none."""
    ids = [example["ids"] for example in examples]
    return {
        "ids": pad_sequence(ids, batch_first=True, padding_value=pad),
        "mask": pad_sequence([torch.ones_like(row) for row in ids], batch_first=True),
        "features": torch.cat([example["features"] for example in examples]).float(),
        "counts": [len(example["features"]) for example in examples],
        "times": torch.cat([example["times"] for example in examples]),
    }
