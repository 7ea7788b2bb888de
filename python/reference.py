# SPDX-License-Identifier: Apache-2.0

"""What PyTorch says: mel, audio features, prompt ids, logits and greedy tokens of given clips, from transformers.

    python reference.py --checkpoint checkpoint.json --processor DIR --clips clips.json --out DIR

clips.json: [{"id", "file": float32 samples at 16 kHz, "steps": rows of logits to keep, 0 for none}].
Writes little-endian float32 files and index.json. Uses transformers' own model code, so it shares nothing with the
export graphs but the weights.
"""

from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import Qwen3ASRConfig, Qwen3ASRFeatureExtractor, Qwen3ASRForConditionalGeneration

from checkpoint import Checkpoint
from clips import dump_clips, reference_parser, special_tokens
from protocol import UserError, reporting


def main() -> None:
    """Run the command line: write the reference of all clips. Reports UserError as an error event."""
    parser = reference_parser(__doc__)
    parser.add_argument("--max-new-tokens", type=int, default=512)
    args = parser.parse_args()
    with reporting(), torch.no_grad():
        tokenizer = Tokenizer.from_file(str(Path(args.processor) / "tokenizer.json"))
        model = load_model(Checkpoint(args.checkpoint), special_tokens(args))
        dump_clips(
            args,
            lambda clip: dump(model, tokenizer, clip, args.max_new_tokens),
            lambda entry: len(entry["tokens"]) >= args.max_new_tokens,
        )


def load_model(checkpoint: Checkpoint, special: dict, kind=Qwen3ASRForConditionalGeneration, **more):
    """A transformers model of a kind in FP32, filled tensor by tensor from either checkpoint format."""
    text = {k: v for k, v in checkpoint.text.items() if k not in ("rope_scaling", "rope_theta")}
    text["rope_parameters"] = {"rope_type": "default", "rope_theta": checkpoint.text["rope_theta"]}
    config = Qwen3ASRConfig(
        audio_config=dict(checkpoint.audio, model_type="qwen3_asr_encoder"),
        text_config=dict(text, model_type="qwen3"),
        audio_token_id=special["audio_pad_token_id"],
        pad_token_id=special["pad_token_id"],
        eos_token_id=special["eos_token_ids"],
        tie_word_embeddings=checkpoint.text["tie_word_embeddings"],
        **more,
    )
    with torch.device("meta"):
        model = kind(config)
    model.to_empty(device="cpu")
    if checkpoint.text["tie_word_embeddings"]:
        model.lm_head.weight = model.get_input_embeddings().weight
    for name, parameter in model.named_parameters():
        if name not in checkpoint.tensors:
            raise UserError(f"transformers needs {name}, which the checkpoint does not have.")
        parameter.data = torch.from_numpy(checkpoint.load(name))
    fill_buffers(model)
    return model.eval()


def fill_buffers(model) -> None:
    """Non-persistent buffers are not in the checkpoint; compute them as their modules' constructors do."""
    positions = model.model.audio_tower.positional_embedding
    positions.positional_embedding = positions.compute_default_singular_positional_embedding()
    rotary = model.model.language_model.rotary_emb
    rotary.inv_freq, rotary.attention_scaling = rotary.compute_default_rope_parameters(rotary.config)


def dump(model, tokenizer: Tokenizer, clip: dict, max_new_tokens: int) -> tuple[dict, dict]:
    """A clip's entry in index.json and its arrays: mel [128, T], features [N, H], and logits [steps, V] where wanted."""
    samples = np.fromfile(clip["file"], dtype="<f4")
    audio = Qwen3ASRFeatureExtractor()(
        samples, sampling_rate=16000, padding=True, return_attention_mask=True, return_tensors="pt"
    )
    mel, mask = audio["input_features"], audio["attention_mask"]
    frames = int(mask.sum())
    features = model.get_audio_features(mel, mask).pooler_output  # [N, H]
    ids = torch.tensor([tokenizer.encode(prompt_text(len(features)), add_special_tokens=False).ids])
    answer = model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), input_features=mel, input_features_mask=mask,
        max_new_tokens=max_new_tokens, do_sample=False, return_dict_in_generate=True, output_logits=True,
    )  # fmt: skip
    entry = {"prompt_ids": ids[0].tolist(), "tokens": answer.sequences[0, ids.shape[1] :].tolist()}
    rows = answer.logits[: clip["steps"]]
    arrays = {"mel": mel[0, :, :frames], "features": features}
    if rows:
        arrays["logits"] = torch.cat(rows)
    return entry, arrays


def prompt_text(audio_tokens: int) -> str:
    """The prompt without context, with one <|audio_pad|> for each of the audio tokens."""
    return (
        f"<|im_start|>system\n<|im_end|>\n<|im_start|>user\n<|audio_start|>{'<|audio_pad|>' * audio_tokens}"
        "<|audio_end|><|im_end|>\n<|im_start|>assistant\n"
    )


if __name__ == "__main__":
    main()
