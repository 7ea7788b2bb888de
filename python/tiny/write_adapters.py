# SPDX-License-Identifier: Apache-2.0

"""Write LoRA adapters of the tiny checkpoint with peft, and what peft's merge_and_unload makes of them.

    python -m venv ENV
    ENV/bin/pip install -r python/requirements.txt -r python/tiny/adapter-requirements.txt
    ENV/bin/python python/tiny/write_adapters.py test/fixtures/qwen3-asr-tiny test/fixtures/adapters

For each case: adapter_config.json and adapter_model.safetensors as peft saves them, and merged.json with the sha256 of each
tensor that merging changes, by the type of the base's weights. Norms of rows are sums whose order differs between
processors, so that those of DoRA are in merged-TYPE.safetensors too.
"""

import hashlib
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import Qwen3ASRForConditionalGeneration

TYPES = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32}
SEED = 20
SCALE = 0.2


@dataclass(frozen=True)
class Case:
    """An adapter to write."""

    settings: dict
    """of LoraConfig"""
    stored: torch.dtype = torch.float32
    """type of the adapter's file"""
    untied: bool = False
    """on a base whose output layer is the embedding table upside down"""
    noise: float = 1.0
    """strength of what is trained as a whole"""
    keeps: tuple[str, ...] = field(default=())
    """tensors that are stored as they are, not as hashes alone; by the end of their names"""


CASES = {
    "plain": Case({"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj", "down_proj", "fc1", "linear_1"]}),
    "patterns": Case(
        {
            "r": 4,
            "lora_alpha": 3,
            "target_modules": r"model\.audio_tower\.(conv2d[12]|layers\.[01]\.(self_attn\.(q|out)_proj|fc2))",
            "rank_pattern": {"conv2d2": 3, r"layers\.1\.fc2": 7},
            "alpha_pattern": {"out_proj": 5.5},
            "use_rslora": True,
            "lora_bias": True,
        },
        stored=torch.bfloat16,
    ),
    "layers": Case(
        {
            "r": 2,
            "lora_alpha": 16,
            "target_modules": ["k_proj", "gate_proj"],
            "exclude_modules": ["language_model.layers.0.mlp.gate_proj"],
            "layers_to_transform": [0, 2],
            "layers_pattern": ["layers"],
        },
        stored=torch.float16,
    ),
    "dora": Case(
        {
            "r": 4,
            "lora_alpha": 6,
            "target_modules": r".*(conv2d1|language_model\.layers\.1\.self_attn\.k_proj)",
            "use_dora": True,
        },
        keeps=("conv2d1.weight", "k_proj.weight"),
    ),
    "whole": Case(
        {
            "r": 4,
            "lora_alpha": 8,
            "target_modules": ["o_proj"],
            "modules_to_save": ["ln_post", "multi_modal_projector"],
            "trainable_token_indices": [3, 250, 447],
        },
        noise=0.05,
    ),
    "biases": Case({"r": 2, "lora_alpha": 2, "target_modules": ["fc2"], "bias": "all"}, noise=0.1),
    "untied": Case(
        {"r": 4, "lora_alpha": 8, "target_modules": ["embed_tokens", "lm_head"]}, torch.bfloat16, untied=True
    ),
}


def main(base: Path, out: Path) -> None:
    """Write all cases into `out`, which is emptied first; `base`: the tiny checkpoint."""
    rmtree(out, ignore_errors=True)
    for name, case in CASES.items():
        folder = out / name
        save_adapter(base, folder, case)
        merged = {kind: merge(base, folder, case, dtype) for kind, dtype in TYPES.items()}
        hashes = {kind: {key: digest(tensor) for key, tensor in tensors.items()} for kind, tensors in merged.items()}
        (folder / "merged.json").write_text(json.dumps(hashes, indent=1) + "\n", encoding="utf-8")
        for kind, tensors in merged.items():
            kept = {key: tensor.contiguous() for key, tensor in tensors.items() if key.endswith(case.keeps)}
            if kept and case.keeps:
                save_file(kept, folder / f"merged-{kind}.safetensors")
        print(name, len(hashes["F32"]), "tensors")


def load_base(folder: Path, case: Case, dtype: torch.dtype) -> nn.Module:
    """The base model in `dtype`, with an output layer of its own where the case is untied."""
    model = Qwen3ASRForConditionalGeneration.from_pretrained(folder, dtype=dtype)
    if case.untied:
        model.config.tie_word_embeddings = model.config.text_config.tie_word_embeddings = False
        model.lm_head.weight = nn.Parameter(model.get_input_embeddings().weight.detach().flip(0).clone())
    return model


def save_adapter(base: Path, folder: Path, case: Case) -> None:
    """Save the adapter of a case into `folder`, with seeded weights."""
    model = get_peft_model(load_base(base, case, torch.bfloat16), LoraConfig(**case.settings))
    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if not parameter.requires_grad:
                continue
            noise = torch.randn(parameter.shape, generator=generator)
            if "lora_magnitude" in name:
                parameter.mul_(1 + SCALE * noise)
            elif "lora_" in name:
                parameter.copy_(SCALE * noise)
            else:
                parameter.add_((case.noise * SCALE * noise).to(parameter.dtype))
    model.save_pretrained(folder)
    (folder / "README.md").unlink()
    weights = folder / "adapter_model.safetensors"
    save_file({key: tensor.to(case.stored) for key, tensor in load_file(weights).items()}, weights, {"format": "pt"})
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = "../../qwen3-asr-tiny"
    for key in ("target_modules", "exclude_modules"):  # sets, whose order is another each time
        config[key] = sorted(config[key]) if isinstance(config[key], list) else config[key]
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def merge(base: Path, folder: Path, case: Case, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """What peft makes of the base in a type, without the tensors that stay."""
    model = load_base(base, case, dtype)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    merged = PeftModel.from_pretrained(model, folder).merge_and_unload().state_dict()
    assert merged.keys() == before.keys()
    return {
        name: tensor
        for name, tensor in sorted(merged.items())
        if not torch.equal(tensor, before[name]) and (case.untied or name != "lm_head.weight")
    }


def digest(tensor: torch.Tensor) -> str:
    """SHA-256 of a tensor's bytes, in hexadecimal."""
    return hashlib.sha256(tensor.contiguous().view(torch.uint8).numpy().tobytes()).hexdigest()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
