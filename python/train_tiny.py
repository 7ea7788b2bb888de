"""Train the tiny Qwen3-ASR checkpoint that ships in test/fixtures, from nothing but espeak-ng.

    .venv/bin/python python/train_tiny.py --out test/fixtures

Writes `<out>/qwen3-asr-tiny` (transformers-native layout, bfloat16 like the published models) and
`<out>/speech` (held-out utterances as 16 kHz FLAC with manifest.jsonl). Seeded; about 45 minutes on two cores.
"""

import argparse
import json
import random
import time
from pathlib import Path

import numpy as np
import soundfile
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from tokenizers import Regex
from transformers import (
    Qwen2Tokenizer,
    Qwen3ASRConfig,
    Qwen3ASRFeatureExtractor,
    Qwen3ASRForConditionalGeneration,
    Qwen3ASRProcessor,
)

import tiny_speech
from tiny_card import write_card

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|audio_start|>", "<|audio_end|>", "<|audio_pad|>"]
ASR_TEXT = "<asr_text>"
VOCAB_SIZE = 448
CTC_WEIGHT = 0.3
# The pre-tokenizer of the published Qwen3 tokenizer.json.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
    r"\s*[\r\n]+|\s+(?!\S)|\s+"
)
CHAT_TEMPLATE = (
    "{%- set ns = namespace(system='') -%}"
    "{%- for m in messages if m.role == 'system' -%}"
    "{%- set ns.system = m.content if m.content is string else (m.content | map(attribute='text') | join) -%}"
    "{%- endfor -%}"
    "{{- '<|im_start|>system\n' + ns.system + '<|im_end|>\n' -}}"
    "{%- for m in messages if m.role != 'system' -%}"
    "{{- '<|im_start|>' + m.role + '\n' -}}"
    "{%- if m.content is string -%}{{- m.content -}}{%- else -%}"
    "{%- for part in m.content -%}"
    "{%- if part.type == 'audio' -%}{{- '<|audio_start|><|audio_pad|><|audio_end|>' -}}"
    "{%- else -%}{{- part.text -}}{%- endif -%}"
    "{%- endfor -%}{%- endif -%}"
    "{{- '<|im_end|>\n' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}"
)


def main() -> None:
    args = parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    held_out = tiny_speech.held_out_utterances(args.seed + 1, args.held_out)
    banned = tiny_speech.clauses_of(held_out)
    train = tiny_speech.draw_utterances(args.seed + 2, args.utterances, tiny_speech.TRAIN_VARIANTS, banned, 0.2)
    print(f"synthesizing {len(train)} + {len(held_out)} utterances", flush=True)
    clips = tiny_speech.synthesize_all(train)
    held_out_clips = tiny_speech.synthesize_all(held_out)

    processor = make_processor(train_tokenizer(train))
    model = Qwen3ASRForConditionalGeneration(make_config(processor.tokenizer))
    initialize(model)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters", flush=True)
    fit(model, processor, train, clips, held_out, held_out_clips, args)

    folder = Path(args.out) / "qwen3-asr-tiny"
    save(model.to(torch.bfloat16), processor, folder)
    final = Qwen3ASRForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    score = score_held_out(final, processor, held_out, held_out_clips)
    write_speech(Path(args.out) / "speech", held_out, held_out_clips)
    write_card(folder, args, score, sum(len(c) for c in clips) / tiny_speech.SAMPLE_RATE / 3600)
    print(json.dumps(score))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True)
    parser.add_argument("--steps", type=int, default=4600)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--utterances", type=int, default=14000)
    parser.add_argument("--held-out", type=int, default=70)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def train_tokenizer(utterances) -> Qwen2Tokenizer:
    """Byte-level BPE over the training transcripts, with the published pre-tokenizer and special strings."""
    bpe = Tokenizer(models.BPE())
    bpe.normalizer = normalizers.NFC()
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    bpe.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE - len(SPECIAL) - 1,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    corpus = [u.text for u in utterances]
    corpus += ["system\n", "user\n", "assistant\n", "language English", "language German"] * 500
    bpe.train_from_iterator(corpus, trainer)
    bpe.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    bpe.add_tokens([AddedToken(ASR_TEXT, special=False, normalized=False)])
    return Qwen2Tokenizer(
        tokenizer_object=bpe,
        bos_token=None,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        unk_token=None,
        model_max_length=2048,
        extra_special_tokens={
            "audio_token": "<|audio_pad|>",
            "audio_bos_token": "<|audio_start|>",
            "audio_eos_token": "<|audio_end|>",
        },
    )


def make_processor(tokenizer: Qwen2Tokenizer) -> Qwen3ASRProcessor:
    return Qwen3ASRProcessor(Qwen3ASRFeatureExtractor(), tokenizer, chat_template=CHAT_TEMPLATE)


def make_config(tokenizer: Qwen2Tokenizer) -> Qwen3ASRConfig:
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIAL}
    return Qwen3ASRConfig(
        audio_config=dict(
            num_mel_bins=128, encoder_layers=3, d_model=128, encoder_attention_heads=4, encoder_ffn_dim=512,
            downsample_hidden_size=32, output_dim=128, n_window=50, n_window_infer=800,
        ),
        text_config=dict(
            vocab_size=VOCAB_SIZE, hidden_size=128, intermediate_size=384, num_hidden_layers=3,
            num_attention_heads=4, num_key_value_heads=2, head_dim=32, max_position_embeddings=2048,
            rms_norm_eps=1e-6, tie_word_embeddings=True, rope_parameters={"rope_type": "default", "rope_theta": 1e6},
        ),
        audio_token_id=ids["<|audio_pad|>"],
        pad_token_id=ids["<|endoftext|>"],
        eos_token_id=[ids["<|endoftext|>"], ids["<|im_end|>"]],
        timestamp_token_id=VOCAB_SIZE,  # this vocabulary has no timestamp token
        tie_word_embeddings=True,
    )  # fmt: skip


def initialize(model) -> None:
    """Unit-gain weights. The default deviation of 0.02 suits wide models; at this width it would make the sound
    a thousandth of the position embedding that is added to it, and training would not find it."""
    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        elif isinstance(module, torch.nn.Linear):
            torch.nn.init.xavier_uniform_(module.weight)
    torch.nn.init.normal_(model.get_input_embeddings().weight, std=0.05)  # tied to lm_head: last


def fit(model, processor, train, clips, held_out, held_out_clips, args) -> None:
    """AdamW, one cycle to 2e-3, gradient clip 1."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2e-3, total_steps=args.steps, pct_start=0.15)
    rng = np.random.default_rng(args.seed)
    started = time.time()
    batches = length_sorted_batches([len(c) for c in clips], args.batch, rng)
    model.train()
    for step in range(1, args.steps + 1):
        chosen = next(batches)
        inputs = collate(processor, [train[i] for i in chosen], [augment(clips[i], rng) for i in chosen])
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
            print(f"step {step} loss {out.loss.item():.4f} + CTC {(loss - out.loss).item():.4f} {time.time() - started:.0f} s", flush=True)
        if step % 500 == 0:
            model.eval()
            score = score_held_out(model, processor, held_out, held_out_clips)
            print(f"step {step} held-out WER {score['wer']:.4f} {score['misses'][:12]}", flush=True)
            save(model, processor, Path(args.out) / "latest")
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


def length_sorted_batches(lengths, size: int, rng):
    """Endless batches of clips of like length: least padding, random order."""
    while True:
        order = rng.permutation(len(lengths))
        for pool in np.array_split(order, max(1, len(order) // (size * 25))):
            pool = pool[np.argsort(np.take(lengths, pool))]
            batches = [pool[i : i + size] for i in range(0, len(pool), size)]
            for i in rng.permutation(len(batches)):
                yield batches[i]


def augment(clip: np.ndarray, rng) -> np.ndarray:
    """Random speed (and with it pitch and formants: a new voice), gain, silence around the clip, white noise."""
    speed = rng.uniform(0.87, 1.15)
    positions = np.arange(0, len(clip) - 1, speed)
    samples = np.interp(positions, np.arange(len(clip)), clip.astype(np.float32) / 32768).astype(np.float32)
    before, after = rng.integers(0, 4800, 2)
    samples = np.pad(samples, (before, after)) * np.float32(rng.uniform(0.2, 1.8))
    return samples + rng.normal(0, 10 ** rng.uniform(-5, -1.9), len(samples)).astype(np.float32)


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
    return f"language {utterance.language}{ASR_TEXT}{utterance.text}<|im_end|>"


def collate(processor, utterances, clips) -> dict:
    """Right-padded batch with labels on the answer alone."""
    audio = processor.feature_extractor(
        list(clips), sampling_rate=tiny_speech.SAMPLE_RATE, padding=True, return_attention_mask=True,
        return_tensors="pt",
    )
    mask = audio["attention_mask"]
    counts = processor._get_audio_token_length(mask.sum(-1))
    rows, labels = [], []
    for utterance, count in zip(utterances, counts):
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
    return (
        f"<|im_start|>system\n{context}<|im_end|>\n<|im_start|>user\n<|audio_start|>{'<|audio_pad|>' * audio_tokens}"
        "<|audio_end|><|im_end|>\n<|im_start|>assistant\n"
    )


@torch.no_grad()
def score_held_out(model, processor, utterances, clips) -> dict:
    """Corpus WER of greedy transcripts, one clip at a time, words lower-cased without punctuation."""
    errors = words = 0
    misses = []
    for utterance, clip in zip(utterances, clips):
        audio = processor.feature_extractor(
            clip.astype(np.float32) / 32768, sampling_rate=tiny_speech.SAMPLE_RATE, padding=True,
            return_attention_mask=True, return_tensors="pt",
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
    return "".join(c for c in text.lower() if c.isalnum() or c in " '").split()


def edit_distance(reference: list[str], hypothesis: list[str]) -> int:
    row = list(range(len(hypothesis) + 1))
    for i, wanted in enumerate(reference, 1):
        previous, row[0] = row[0], i
        for j, said in enumerate(hypothesis, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (wanted != said))
    return row[-1]


def save(model, processor, folder: Path) -> None:
    model.generation_config.eos_token_id = model.config.eos_token_id
    model.generation_config.pad_token_id = model.config.pad_token_id
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def write_speech(folder: Path, utterances, clips) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for i, (utterance, clip) in enumerate(zip(utterances, clips)):
        name = f"held-out-{i:03d}.flac"
        soundfile.write(folder / name, clip, tiny_speech.SAMPLE_RATE, subtype="PCM_16", compression_level=1.0)
        lines.append(
            {
                "id": name.removesuffix(".flac"), "file": name, "seconds": round(len(clip) / tiny_speech.SAMPLE_RATE, 4),
                "text": utterance.text, "language": utterance.language, "speaker": utterance.voice,
                "rate": utterance.rate, "pitch": utterance.pitch,
            }
        )  # fmt: skip
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    (folder / "manifest.jsonl").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    random.seed(0)
    main()
