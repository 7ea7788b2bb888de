# SPDX-License-Identifier: Apache-2.0

"""The model cards of the tiny checkpoints, written from what their training measured."""

from pathlib import Path

CARD = """---
license: apache-2.0
language: [en, de]
pipeline_tag: automatic-speech-recognition
tags: [qwen3_asr, test-fixture]
---
# Qwen3-ASR tiny

A Qwen3-ASR of {parameters} parameters for tests: the true architecture, trained from nothing on synthetic
speech (espeak-ng) to transcribe digit strings and household commands in English and German. Its training
had about eighty words and only such voices; it is of no use on real speech.

## Recipe
`python/tiny/train_tiny.py --steps {steps} --batch {batch} --utterances {utterances} --seed {seed}`

* Data: {utterances} clauses, {hours:.1f} hours, {variants} voice variants in 7 accents, 120 to 200 words a minute,
  pitch 25 to 75; speed, gain, white noise and silence around drawn at random at every step. After the first 30 % of the
  steps, 25 % of the batches join two or three clauses with pauses, and half of the clips are masked (SpecAugment).
* Training: AdamW, one cycle to 2e-3, weight decay 0.01, gradient clip 1, batch {batch}, {steps} steps. Saved as bfloat16.
* Target: `language X<asr_text>TEXT<|im_end|>`, loss on the target alone, plus 0.3 of a CTC loss between audio features and transcript.

## Result
Held-out utterances ({clips}, `../speech`, voices and sentences that training never saw), greedy, PyTorch FP32 of the saved
weights: WER {wer:.2f} % ({errors} errors in {words} words; lower-cased, punctuation dropped).
"""

ALIGNER_CARD = """---
license: apache-2.0
language: [en, de]
pipeline_tag: token-classification
tags: [qwen3_asr, forced-alignment, test-fixture]
---
# Qwen3 forced aligner tiny

A Qwen3 forced aligner of {parameters} parameters for tests: the true architecture, trained on synthetic speech
(espeak-ng) in English and German. It takes clips of up to {longest:.1f} s, of three clauses at most: of more it loses
count. It is of no use on real speech.

## Recipe
`python/tiny/train_aligner.py --steps {steps} --batch {batch} --utterances {utterances} --examples {examples} --seed {seed}`

* Start: the weights of `../qwen3-asr-tiny`. The encoder keeps its own; projector, decoder and head are trained.
* Data: {examples} clips of {utterances} clauses with the exact times of their words; {joined} % of the clips are two or three
  clauses with pauses. Voices, speed, gain, noise and silence are as in the training of `../qwen3-asr-tiny`.
* Training: AdamW, one cycle to {rate:g}, weight decay 0.01, gradient clip 1, batch {batch}, {steps} steps. Saved as bfloat16.
* Target: {classes} classes of 80 ms at each slot, spread over neighbours (deviation {deviation:g} classes at first, {last_deviation:g} at
  last), plus {weight:g} of the same loss at the audio positions
  before the last layer, each against its own time. Slots inside of words that espeak-ng joins have no loss.

## Result
`../speech` ({slots} slots of {clips} clips, voices and sentences that training never saw), PyTorch FP32 of the saved weights, prompt and
decoding of transformers' processor: mean absolute error {mean:.1f} ms, median {median:.1f} ms, {within_80:.1f} % within 80 ms,
{within_200:.1f} % within 200 ms. The script prints these figures again when all its steps are done.
"""


def write_card(folder: Path, args, score: dict, hours: float) -> None:
    """Write README.md of the recognizer into `folder`; `score`: counts and WER of the held-out speech."""
    from tiny_speech import TRAIN_VARIANTS

    text = CARD.format(
        parameters=parameters_in(folder), steps=args.steps, batch=args.batch, utterances=args.utterances, seed=args.seed,
        hours=hours, variants=len(TRAIN_VARIANTS), clips=score["utterances"], wer=100 * score["wer"],
        errors=score["errors"], words=score["words"],
    )  # fmt: skip
    (folder / "README.md").write_text(text, encoding="utf-8")


def write_aligner_card(folder: Path, args, score: dict, training: dict) -> None:
    """`training` has the constants of the recipe by their names in the card."""
    shares = {name: 100 * score[name] for name in ("within_80", "within_200")}
    text = ALIGNER_CARD.format(**vars(args) | training | score | shares, parameters=parameters_in(folder))
    (folder / "README.md").write_text(text, encoding="utf-8")


def parameters_in(folder: Path) -> str:
    """Number of parameters in model.safetensors, with commas."""
    import safetensors

    with safetensors.safe_open(folder / "model.safetensors", "pt") as weights:
        count = sum(weights.get_tensor(name).numel() for name in weights.keys())  # noqa: SIM118 (no mapping)
    return f"{count:,}"
