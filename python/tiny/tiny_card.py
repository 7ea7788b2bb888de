"""The model card of the tiny checkpoint, written from what its training measured."""

from pathlib import Path

CARD = """---
license: apache-2.0
language: [en, de]
pipeline_tag: automatic-speech-recognition
tags: [qwen3_asr, test-fixture]
---
# Qwen3-ASR tiny

A Qwen3-ASR of {parameters} parameters for tests: the true architecture, trained from nothing on synthetic
speech (espeak-ng) to transcribe digit strings and household commands in English and German. It knows
about eighty words and only such voices; it is of no use on real speech.

## Recipe
`python/tiny/train_tiny.py --steps {steps} --batch {batch} --utterances {utterances} --seed {seed}`

* Data: {utterances} clauses, {hours:.1f} hours, {variants} voice variants in 7 accents, 120 to 200 words a minute,
  pitch 25 to 75; speed, gain, white noise and silence around drawn anew at every step. After the first 30 % of the
  steps, 25 % of the batches join two or three clauses with pauses, and half of the clips are masked (SpecAugment).
* Training: AdamW, one cycle to 2e-3, weight decay 0.01, gradient clip 1, batch {batch}, {steps} steps. Saved as bfloat16.
* Target: `language X<asr_text>TEXT<|im_end|>`, loss on the target alone, plus 0.3 of a CTC loss between audio features and transcript.

## Result
Held-out utterances ({clips}, `../speech`, voices and sentences that training never saw), greedy, PyTorch FP32 of the saved
weights: WER {wer:.2f} % ({errors} errors in {words} words; lower-cased, punctuation dropped).
"""


def write_card(folder: Path, args, score: dict, hours: float) -> None:
    import safetensors

    from tiny_speech import TRAIN_VARIANTS

    with safetensors.safe_open(folder / "model.safetensors", "pt") as weights:
        parameters = sum(weights.get_tensor(name).numel() for name in weights.keys())  # noqa: SIM118 (no mapping)
    text = CARD.format(
        parameters=f"{parameters:,}", steps=args.steps, batch=args.batch, utterances=args.utterances, seed=args.seed,
        hours=hours, variants=len(TRAIN_VARIANTS), clips=score["utterances"], wer=100 * score["wer"],
        errors=score["errors"], words=score["words"],
    )  # fmt: skip
    (folder / "README.md").write_text(text, encoding="utf-8")
