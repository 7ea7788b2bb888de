# SPDX-License-Identifier: Apache-2.0

"""Train the tiny forced aligner that ships in test/fixtures, from the tiny speech recognizer and espeak-ng.

    .venv/bin/python python/tiny/train_aligner.py --out test/fixtures --work /tmp/tiny-aligner

Writes `<out>/qwen3-aligner-tiny` (transformers-native layout, bfloat16). Seeded; 35 minutes of one core, and 7 GB of memory. In `--work` are speech,
features and the state of the training, from which the same command continues after a stop. It may be deleted at the end.
"""

import argparse
import json
import time
from dataclasses import astuple
from pathlib import Path

import numpy as np
import torch
from transformers import Qwen3ASRForTokenClassification

import tiny_speech
from aligner_batches import JOINED_SHARE, collate, draw_examples, encode
from aligner_labels import CLASSES, LONGEST, frame_times, slot_targets
from aligner_score import score_held_out
from espeak_speech import TimedWord
from tiny_batches import length_sorted_batches
from tiny_card import write_aligner_card
from tiny_model import make_aligner, make_aligner_processor

FIXTURES = Path(__file__).parents[2] / "test" / "fixtures"
DEVIATIONS = (0.8, 0.3)  # classes: how far the target of a slot spreads, at the first step and the last
FRAME_WEIGHT = 0.3


def main() -> None:
    """Run the command line: train the forced aligner and save it."""
    args = parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    claim(args.work, {"steps", "batch", "utterances", "examples", "rate", "seed"}, args)
    processor = make_aligner_processor(args.recognizer)
    model = make_aligner(args.recognizer, processor.tokenizer, CLASSES)
    examples = kept(args.work / "examples.pt", lambda: make_examples(model.eval(), processor, args))
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters", flush=True)
    fit(model, processor, examples, args)
    folder = args.out / "qwen3-aligner-tiny"
    model.to(torch.bfloat16).save_pretrained(folder)
    make_aligner_processor(args.recognizer).save_pretrained(folder)  # without the padding that was asked of the other
    final = Qwen3ASRForTokenClassification.from_pretrained(folder, dtype=torch.float32).eval()
    score = score_held_out(final, processor, args.held_out)
    recipe = {"classes": CLASSES, "longest": LONGEST, "weight": FRAME_WEIGHT, "joined": round(100 * JOINED_SHARE)}
    deviations = dict(zip(("deviation", "last_deviation"), DEVIATIONS, strict=True))
    write_aligner_card(folder, args, score, recipe | deviations)
    print(json.dumps(score))


def parse_args() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--recognizer", type=Path, default=FIXTURES / "qwen3-asr-tiny")
    parser.add_argument("--held-out", type=Path, default=FIXTURES / "speech")
    parser.add_argument("--steps", type=int, default=4500)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--utterances", type=int, default=6000)
    parser.add_argument("--examples", type=int, default=12000)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--seed", type=int, default=21)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def claim(work: Path, names: set[str], args) -> None:
    """Raises SystemExit when what is in `work` was made with other options."""
    work.mkdir(parents=True, exist_ok=True)
    path, wanted = work / "options.json", {name: getattr(args, name) for name in sorted(names)}
    found = json.loads(path.read_text()) if path.exists() else wanted
    if found != wanted:
        raise SystemExit(f"{work} was made with {found}, wanted {wanted}. hint: give another folder to --work")
    path.write_text(json.dumps(wanted))


def kept(path: Path, make):
    """What `make` returns, computed once."""
    if not path.exists():
        keep(path, make())
    return torch.load(path)


def keep(path: Path, value) -> None:
    """Whole or not at all."""
    torch.save(value, path.with_suffix(".new"))
    path.with_suffix(".new").rename(path)


def make_examples(model, processor, args) -> list[dict]:
    """Of clauses that are not in the held-out speech."""
    lines = tiny_speech.read_manifest(args.held_out)
    banned = frozenset(clause for line in lines for clause in tiny_speech.split_clauses(line["text"]))
    utterances = tiny_speech.draw_utterances(args.seed + 2, args.utterances, banned)
    said = kept(args.work / "speech.pt", lambda: say_all(utterances))
    clips = [tiny_speech.Clip(samples.numpy(), [TimedWord(*word) for word in words]) for samples, words in said]
    return encode(model, processor, draw_examples(utterances, clips, args.examples, np.random.default_rng(args.seed)))


def say_all(utterances) -> list[tuple[torch.Tensor, list[tuple[str, float, float]]]]:
    """Samples [T] at 16 kHz, int16, and the words with start and end in seconds, of each utterance."""
    print(f"synthesizing {len(utterances)} utterances", flush=True)
    clips = tiny_speech.synthesize_all(utterances)
    return [(torch.tensor(clip.samples), [astuple(word) for word in clip.words]) for clip in clips]


def fit(model, processor, examples: list[dict], args) -> None:
    """AdamW, one cycle, gradient clip 1; the encoder keeps its weights."""
    trained = [p for name, p in model.named_parameters() if "audio_tower" not in name]
    optimizer = torch.optim.AdamW(trained, lr=args.rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=args.rate, total_steps=args.steps, pct_start=0.15)
    batches = length_sorted_batches([len(e["ids"]) for e in examples], args.batch, np.random.default_rng(args.seed))
    state = args.work / "state.pt"
    parts = {"model": model, "optimizer": optimizer, "schedule": schedule}
    done = restore(state, parts)
    for _ in range(done):
        next(batches)
    started = time.time()
    model.train()
    for step in range(done + 1, args.steps + 1):
        batch = collate([examples[i] for i in next(batches)], processor.tokenizer.pad_token_id)
        slots, frames = losses(model, batch, deviation_at(step / args.steps))
        optimizer.zero_grad()
        (slots + FRAME_WEIGHT * frames).backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            seconds = time.time() - started
            print(f"step {step} slots {slots.item():.4f} frames {frames.item():.4f} {seconds:.0f} s", flush=True)
        if step % 500 == 0 or step == args.steps:
            model.eval()
            print(f"step {step} held-out {score_held_out(model, processor, args.held_out)}", flush=True)
            model.train()
            keep(state, {"step": step} | {name: part.state_dict() for name, part in parts.items()})


def restore(path: Path, parts: dict) -> int:
    """@returns steps that are done"""
    if not path.exists():
        return 0
    state = torch.load(path)
    for name, part in parts.items():
        part.load_state_dict(state[name])
    return state["step"]


def deviation_at(share: float) -> float:
    """Wide targets teach where to look, narrow ones to decide: a class that wins narrowly is another one in 4 bits."""
    first, last = DEVIATIONS
    return first + (last - first) * share


def losses(model, batch: dict, deviation: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Cross-entropy at the slots, and at the audio positions before the last layer, each against its own time.

    The second teaches the decoder to count the seconds, which the output of the encoder does not have, within a few hundred steps.
    """
    embeds = model.get_input_embeddings()(batch["ids"])  # [B, S, H]
    is_audio = batch["ids"] == model.config.audio_token_id
    embeds = embeds.masked_scatter(is_audio[..., None], model.model.multi_modal_projector(batch["features"]))
    decoder = model.model.language_model
    out = decoder(inputs_embeds=embeds, attention_mask=batch["mask"], use_cache=False, output_hidden_states=True)
    known = ~batch["times"].isnan()
    at_slots = out.last_hidden_state[batch["ids"] == model.config.timestamp_token_id][known]  # [T, H]
    at_frames = decoder.norm(out.hidden_states[-2][is_audio])  # [N, H]
    own = torch.cat([frame_times(count) for count in batch["counts"]])
    pairs = ((at_slots, batch["times"][known]), (at_frames, own))
    slots, frames = (
        torch.nn.functional.cross_entropy(model.score(hidden), slot_targets(times, deviation))
        for hidden, times in pairs
    )
    return slots, frames


if __name__ == "__main__":
    main()
