# SPDX-License-Identifier: Apache-2.0

"""What PyTorch says of a forced aligner: prompt ids, mel, audio features, logits and classes of the slots, and times.

    python aligner_reference.py --checkpoint checkpoint.json --processor DIR --config config.json --clips clips.json --out DIR

clips.json: [{"id", "file": float32 samples at 16 kHz, "text", "language": English name or null}].
Writes little-endian float32 files and index.json. Units, prompt, times and the model are transformers' own.
"""

from pathlib import Path

import numpy as np
import torch
from transformers import (
    PreTrainedTokenizerFast,
    Qwen3ASRFeatureExtractor,
    Qwen3ASRForTokenClassification,
    Qwen3ASRProcessor,
)

from checkpoint import Checkpoint
from clips import dump_clips, reference_parser, special_tokens
from protocol import reporting
from reference import load_model

# The audio, then each unit with two slots behind it, and nothing else: what the model was trained on.
TEMPLATE = (
    "{% for message in messages %}{% for part in message['content'] %}{% if part['type'] == 'text' %}"
    "{{ part['text'] }}<timestamp><timestamp>{% else %}<|audio_start|><|audio_pad|><|audio_end|>{% endif %}"
    "{% endfor %}{% endfor %}"
)
TOKENS = {
    "audio_token": "<|audio_pad|>",
    "audio_bos_token": "<|audio_start|>",
    "audio_eos_token": "<|audio_end|>",
}


def main() -> None:
    """Run the command line: write the reference of all clips. Reports UserError as an error event."""
    args = reference_parser(__doc__).parse_args()
    with reporting(), torch.no_grad():
        checkpoint = Checkpoint(args.checkpoint)
        slots = checkpoint.aligner
        more = {"num_labels": slots["classes"], "timestamp_token_id": slots["timestamp_token_id"]}
        model = load_model(checkpoint, special_tokens(args), Qwen3ASRForTokenClassification, **more)
        processor = make_processor(Path(args.processor), slots["segment_ms"])
        dump_clips(args, lambda clip: dump(model, processor, clip))


def make_processor(folder: Path, segment_ms: float) -> Qwen3ASRProcessor:
    """The processor of transformers for the tokenizer.json in `folder`; `segment_ms`: milliseconds of a class."""
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), extra_special_tokens=TOKENS, pad_token="<|endoftext|>"
    )
    return Qwen3ASRProcessor(
        Qwen3ASRFeatureExtractor(), tokenizer, chat_template=TEMPLATE, timestamp_segment_time=segment_ms
    )


def dump(model, processor: Qwen3ASRProcessor, clip: dict) -> tuple[dict, dict]:
    """A clip's entry in index.json and its arrays: mel [128, T], features [N, H], logits of the slots [T, C]. Times in ms."""
    samples = np.fromfile(clip["file"], dtype="<f4")
    inputs, words = processor.prepare_forced_aligner_inputs(samples, clip["text"], language=clip.get("language"))
    mel, mask, ids = inputs["input_features"], inputs["input_features_mask"], inputs["input_ids"]
    features = model.model.get_audio_features(mel, mask).pooler_output  # [N, H]
    logits = model(
        input_ids=ids, attention_mask=inputs["attention_mask"], input_features=mel, input_features_mask=mask
    ).logits  # [1, S, C]
    slot = model.config.timestamp_token_id
    of_slots = logits[0][ids[0] == slot]  # [T, C]
    times = processor.decode_forced_alignment(logits, ids, words, slot)[0]
    entry = {
        "units": words[0],
        "prompt_ids": ids[0].tolist(),
        "classes": of_slots.argmax(-1).tolist(),
        "times": [round(1000 * word[key]) for word in times for key in ("start_time", "end_time")],
    }
    return entry, {"mel": mel[0, :, : int(mask.sum())], "features": features, "logits": of_slots}


if __name__ == "__main__":
    main()
