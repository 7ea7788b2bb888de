# SPDX-License-Identifier: Apache-2.0

"""Train the tiny Qwen3-ASR checkpoint that ships in test/fixtures, from espeak-ng alone.

    .venv/bin/python python/tiny/train_tiny.py --out test/fixtures

Writes `<out>/qwen3-asr-tiny` (transformers-native layout, bfloat16 like the published models) and
`<out>/speech` (held-out utterances as 16 kHz FLAC with manifest.jsonl). Seeded; about half an hour on two cores.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from transformers import Qwen3ASRForConditionalGeneration

import tiny_speech
from tiny_batches import augment, collate, join_clips, length_sorted_batches, mask_features, prompt_text
from tiny_card import write_card
from tiny_model import ASR_TEXT, initialize, make_config, make_processor, train_tokenizer

CTC_WEIGHT = 0.3
SINGLES_SHARE = 0.3  # of the steps: single clauses, unmasked, until sound and words have found each other
JOINED_SHARE = 0.25  # of the batches after that: two or three clauses with pauses


def main() -> None:
    """Run the command line: train the recognizer, score it on held-out speech and save both."""
    args = parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    held_out = tiny_speech.held_out_utterances(args.seed + 1, args.held_out)
    banned = tiny_speech.clauses_of(held_out)
    train = tiny_speech.draw_utterances(args.seed + 2, args.utterances, banned)
    print(f"synthesizing {len(train)} + {len(held_out)} utterances", flush=True)
    clips = tiny_speech.synthesize_all(train)
    held_out_speech = tiny_speech.synthesize_all(held_out)
    held_out_clips = [clip.samples for clip in held_out_speech]

    processor = make_processor(train_tokenizer(train))
    model = Qwen3ASRForConditionalGeneration(make_config(processor.tokenizer))
    initialize(model)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters", flush=True)
    fit(model, processor, train, clips, held_out, held_out_clips, args)

    folder = Path(args.out) / "qwen3-asr-tiny"
    save(model.to(torch.bfloat16), processor, folder)
    final = Qwen3ASRForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    score = score_held_out(final, processor, held_out, held_out_clips)
    tiny_speech.write_speech(Path(args.out) / "speech", "held-out", held_out, held_out_speech)
    write_card(folder, args, score, tiny_speech.hours_of(clips))
    print(json.dumps(score))


def parse_args() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True)
    parser.add_argument("--steps", type=int, default=3300)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--utterances", type=int, default=10000)
    parser.add_argument("--held-out", type=int, default=70)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def fit(model, processor, train, clips, held_out, held_out_clips, args) -> None:
    """AdamW, one cycle to 2e-3, gradient clip 1."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2e-3, total_steps=args.steps, pct_start=0.15)
    rng = np.random.default_rng(args.seed)
    started = time.time()
    batches = length_sorted_batches([len(clip.samples) for clip in clips], args.batch, rng)
    model.train()
    for step in range(1, args.steps + 1):
        chosen = next(batches)
        said, heard = [train[i] for i in chosen], [clips[i] for i in chosen]
        is_settled = step > SINGLES_SHARE * args.steps
        if is_settled and rng.random() < JOINED_SHARE:
            said, heard = join_clips(chosen, train, clips, rng)
        inputs = collate(processor, said, [augment(clip, rng).samples for clip in heard])
        if is_settled:
            inputs["input_features"] = mask_features(inputs["input_features"], rng)
        counts, targets = inputs.pop("audio_counts"), inputs.pop("transcripts")
        out = model(**inputs)
        loss = out.loss + CTC_WEIGHT * ctc_loss(model, out.audio_hidden_states, counts, targets)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            print(
                f"step {step} loss {out.loss.item():.4f} + CTC {(loss - out.loss).item():.4f} {time.time() - started:.0f} s",
                flush=True,
            )
        if step % 600 == 0:
            model.eval()
            score = score_held_out(model, processor, held_out, held_out_clips)
            print(f"step {step} held-out WER {score['wer']:.4f} {score['misses'][:12]}", flush=True)
            model.train()


def ctc_loss(model, features, counts, transcripts) -> torch.Tensor:
    """Auxiliary CTC between audio features and the transcript, read by the tied embedding; audio_pad is the blank.

    It ties sound to tokens within a few hundred steps; cross-entropy alone first spends a thousand on grammar.
    features [sum of counts, H] packed over the batch.
    """
    scores = (features @ model.get_input_embeddings().weight.T).log_softmax(-1)
    padded = torch.nn.utils.rnn.pad_sequence(scores.split(counts.tolist()))  # [N, B, V]
    lengths = torch.tensor([len(t) for t in transcripts])
    flat = torch.tensor([token for t in transcripts for token in t])
    blank = model.config.audio_token_id
    return torch.nn.functional.ctc_loss(padded, flat, counts, lengths, blank=blank, zero_infinity=True)


@torch.no_grad()
def score_held_out(model, processor, utterances, clips) -> dict:
    """Corpus WER of greedy transcripts, one clip at a time, words lower-cased without punctuation."""
    errors = words = 0
    misses = []
    for utterance, clip in zip(utterances, clips, strict=True):
        audio = processor.feature_extractor(
            clip.astype(np.float32) / 32768,
            sampling_rate=tiny_speech.SAMPLE_RATE,
            padding=True,
            return_attention_mask=True,
            return_tensors="pt",
        )
        mask = audio["attention_mask"]
        count = int(processor._get_audio_token_length(mask.sum(-1))[0])
        ids = processor.tokenizer(prompt_text(count), return_tensors="pt")["input_ids"]
        out = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), input_features=audio["input_features"],
            input_features_mask=mask, max_new_tokens=96, do_sample=False,
        )  # fmt: skip
        raw = processor.tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)
        text = raw.split(ASR_TEXT, 1)[-1]
        hypothesis, reference = normalize(text), normalize(utterance.text)
        distance = edit_distance(reference, hypothesis)
        errors += distance
        words += len(reference)
        if distance:
            misses.append(f"{utterance.text} | {raw}")
    return {"wer": errors / words, "errors": errors, "words": words, "utterances": len(clips), "misses": misses}


def normalize(text: str) -> list[str]:
    """The words of a text: lower-cased, of letters, digits and apostrophes."""
    return "".join(c for c in text.lower() if c.isalnum() or c in " '").split()


def edit_distance(reference: list[str], hypothesis: list[str]) -> int:
    """Substitutions, deletions and insertions between two lists of words."""
    row = list(range(len(hypothesis) + 1))
    for i, wanted in enumerate(reference, 1):
        previous, row[0] = row[0], i
        for j, said in enumerate(hypothesis, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (wanted != said))
    return row[-1]


def save(model, processor, folder: Path) -> None:
    """Save model and processor in transformers' layout."""
    model.generation_config.eos_token_id = model.config.eos_token_id
    model.generation_config.pad_token_id = model.config.pad_token_id
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


if __name__ == "__main__":
    main()
