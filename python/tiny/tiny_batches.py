# SPDX-License-Identifier: Apache-2.0

"""Training batches of the tiny models: joined clips, augmentation, prompt and answer, padding."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from espeak_speech import TimedWord
from tiny_model import ASR_TEXT
from tiny_speech import SAMPLE_RATE, Clip


@dataclass(frozen=True)
class Heard:
    """A clip as training reads it: float samples at 16 kHz, and its words with the times that they have there."""

    samples: np.ndarray
    words: list[TimedWord]


def length_sorted_batches(lengths, size: int, rng):
    """Endless batches of clips of like length: least padding, random order."""
    while True:
        order = rng.permutation(len(lengths))
        for pool in np.array_split(order, max(1, len(order) // (size * 25))):
            pool = pool[np.argsort(np.take(lengths, pool))]
            batches = [pool[i : i + size] for i in range(0, len(pool), size)]
            for i in rng.permutation(len(batches)):
                yield batches[i]


def join_clips(chosen, utterances, clips, rng):
    """Lengthen every clip of a batch by one or two random ones of its language, with pauses. -> texts, clips"""
    by_language: dict[str, list[int]] = {}
    for i, utterance in enumerate(utterances):
        by_language.setdefault(utterance.language, []).append(i)
    said, heard = [], []
    for first in chosen:
        others = rng.choice(by_language[utterances[first].language], rng.integers(1, 3))
        text = " ".join(utterances[i].text for i in [first, *others])
        said.append(replace(utterances[first], text=text))
        heard.append(joined([clips[first], *(clips[other] for other in others)], rng))
    return said, heard


def joined(parts: list[Clip], rng) -> Clip:
    """One behind the other, with 0.2 to 2 s of silence between."""
    samples = [parts[0].samples]
    words = list(parts[0].words)
    for part in parts[1:]:
        samples.append(np.zeros(rng.integers(3200, 32000), np.int16))
        before = sum(map(len, samples)) / SAMPLE_RATE
        samples.append(part.samples)
        words += [TimedWord(word.text, before + word.start, before + word.end) for word in part.words]
    return Clip(np.concatenate(samples), words)


def augment(clip: Clip, rng) -> Heard:
    """Random speed (and with it pitch and formants: a new voice), gain, silence around the clip, white noise."""
    speed = rng.uniform(0.9, 1.12)
    positions = np.arange(0, len(clip.samples) - 1, speed)
    wave = clip.samples.astype(np.float32) / 32768
    samples = np.interp(positions, np.arange(len(wave)), wave).astype(np.float32)
    before, after = rng.integers(0, 4800, 2)
    samples = np.pad(samples, (before, after)) * np.float32(rng.uniform(0.2, 1.8))
    samples += rng.normal(0, 10 ** rng.uniform(-5, -2), len(samples)).astype(np.float32)
    lead = before / SAMPLE_RATE
    return Heard(samples, [TimedWord(w.text, lead + w.start / speed, lead + w.end / speed) for w in clip.words])


def mask_features(mel: torch.Tensor, rng) -> torch.Tensor:
    """SpecAugment (Park et al. 2019) on half of the clips: two stripes of time and two of frequency. mel [B, 128, T]"""
    for clip in mel:
        if rng.random() < 0.5:
            continue
        floor = clip.min()
        for _ in range(2):
            band, at = rng.integers(0, 16), rng.integers(0, 112)
            clip[at : at + band] = floor
            span, start = rng.integers(0, 12), rng.integers(0, clip.shape[1])
            clip[:, start : start + span] = floor
    return mel


def target_of(utterance) -> str:
    """The answer that the model is trained to give, with its end token."""
    return f"language {utterance.language}{ASR_TEXT}{utterance.text}<|im_end|>"


def collate(processor, utterances, clips) -> dict:
    """Right-padded batch with labels on the answer alone."""
    audio = processor.feature_extractor(
        list(clips),
        sampling_rate=SAMPLE_RATE,
        padding=True,
        return_attention_mask=True,
        return_tensors="pt",
    )
    mask = audio["attention_mask"]
    counts = processor._get_audio_token_length(mask.sum(-1))
    rows, labels = [], []
    for utterance, count in zip(utterances, counts, strict=True):
        prompt = processor.tokenizer(prompt_text(int(count)))["input_ids"]
        answer = processor.tokenizer(target_of(utterance))["input_ids"]
        rows.append(prompt + answer)
        labels.append([-100] * len(prompt) + answer)
    width = max(map(len, rows))
    pad = processor.tokenizer.pad_token_id
    return {
        "input_ids": torch.tensor([row + [pad] * (width - len(row)) for row in rows]),
        "attention_mask": torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows]),
        "labels": torch.tensor([row + [-100] * (width - len(row)) for row in labels]),
        "input_features": audio["input_features"],
        "input_features_mask": mask,
        "audio_counts": torch.from_numpy(counts),
        "transcripts": [processor.tokenizer(u.text)["input_ids"] for u in utterances],
    }


def prompt_text(audio_tokens: int, context: str = "") -> str:
    """The prompt with one <|audio_pad|> for each of the audio tokens."""
    return (
        f"<|im_start|>system\n{context}<|im_end|>\n<|im_start|>user\n<|audio_start|>{'<|audio_pad|>' * audio_tokens}"
        "<|audio_end|><|im_end|>\n<|im_start|>assistant\n"
    )
