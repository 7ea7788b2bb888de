"""What PyTorch says: mel, audio features, prompt ids, logits and greedy tokens of given clips, from transformers.

    python reference.py --checkpoint checkpoint.json --processor DIR --clips clips.json --out DIR

clips.json: [{"id", "file": float32 samples at 16 kHz, "steps": rows of logits to keep, 0 for none}].
Writes little-endian float32 files and index.json. Uses transformers' own model code, so it shares nothing with the
export graphs but the weights.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer
from transformers import Qwen3ASRConfig, Qwen3ASRFeatureExtractor, Qwen3ASRForConditionalGeneration

from checkpoint import Checkpoint
from protocol import UserError, emit, progress, reporting


def main() -> None:
    args = parse_args()
    with reporting(), torch.no_grad():
        checkpoint = Checkpoint(args.checkpoint)
        tokenizer = Tokenizer.from_file(str(Path(args.processor) / "tokenizer.json"))
        model = load_model(checkpoint, json.loads(Path(args.config).read_text())["special_tokens"])
        clips = json.loads(Path(args.clips).read_text(encoding="utf-8"))
        out = Path(args.out)
        index = []
        for done, clip in enumerate(clips, 1):
            index.append(dump(model, tokenizer, clip, out, args.max_new_tokens))
            progress("reference", done, len(clips), "clips")
        versions = {"torch": torch.__version__, "transformers": transformers.__version__}
        (out / "index.json").write_text(json.dumps({"clips": index, "versions": versions}), encoding="utf-8")
        emit("result", clips=len(index), **versions)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--processor", required=True, help="folder with tokenizer.json")
    parser.add_argument("--config", required=True, help="config.json of the release")
    parser.add_argument("--clips", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--max-new-tokens", type=int, default=512)
    return parser.parse_args()


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
            raise UserError(f"transformers wants {name}, which the checkpoint does not have.")
        parameter.data = torch.from_numpy(checkpoint.load(name))
    fill_buffers(model)
    return model.eval()


def fill_buffers(model) -> None:
    """Non-persistent buffers are not in the checkpoint; compute them as their modules' constructors do."""
    positions = model.model.audio_tower.positional_embedding
    positions.positional_embedding = positions.compute_default_singular_positional_embedding()
    rotary = model.model.language_model.rotary_emb
    rotary.inv_freq, rotary.attention_scaling = rotary.compute_default_rope_parameters(rotary.config)


def dump(model, tokenizer: Tokenizer, clip: dict, out: Path, max_new_tokens: int) -> dict:
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
    entry = {"id": clip["id"], "prompt_ids": ids[0].tolist()}
    entry["tokens"] = answer.sequences[0, ids.shape[1] :].tolist()
    rows = answer.logits[: clip["steps"]]
    arrays = {"mel": mel[0, :, :frames], "features": features}
    if rows:
        arrays["logits"] = torch.cat(rows)
    for name, value in arrays.items():
        file = f"{clip['id']}.{name}.f32"
        value.numpy().astype("<f4").tofile(out / file)
        entry[name] = {"file": file, "shape": list(value.shape)}
    return entry


def prompt_text(audio_tokens: int) -> str:
    return (
        f"<|im_start|>system\n<|im_end|>\n<|im_start|>user\n<|audio_start|>{'<|audio_pad|>' * audio_tokens}"
        "<|audio_end|><|im_end|>\n<|im_start|>assistant\n"
    )


if __name__ == "__main__":
    main()
