# SPDX-License-Identifier: Apache-2.0

"""What two other engines call the tensors of a Qwen3-ASR checkpoint, and the types that their quantizers give them.

Facts from the engines' own converters and loaders:
transcribe.cpp (github.com/handy-computer/transcribe.cpp): scripts/convert-qwen3_asr.py, src/arch/qwen3_asr/weights.cpp,
tools/transcribe-quantize/policy.cpp (preset Q4_K_M).
CrispASR (github.com/CrispStrobe/CrispASR): models/convert-qwen3-asr-to-gguf.py, src/qwen3_asr.cpp,
examples/crispasr-quantize/main.cpp (q4_k: the audio tower stays at 8 bits).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from checkpoint import Checkpoint
from ggml_blocks import F16, F32, Q4_K, Q6_K, Q8_0, Format
from peer_metadata import Metadata, crispasr_metadata, transcribe_metadata

TOWER, PROJECTOR, TEXT = "model.audio_tower.", "model.multi_modal_projector.", "model.language_model."
EMBEDDING = TEXT + "embed_tokens.weight"
NORMS = ("norm", "ln_post")


@dataclass(frozen=True)
class Names:
    """Where tensors go: parts of a layer and of the rest, without `.weight` and `.bias`; {} is the number of a layer."""

    audio_layer: str
    audio_parts: dict[str, str]
    text_layer: str
    text_parts: dict[str, str]
    rest: dict[str, str]

    def pairs(self, tensors: dict) -> Iterator[tuple[str, str]]:
        """(engine's name, checkpoint's name) of every tensor."""
        for native in tensors:
            stem, _, kind = native.rpartition(".")
            yield f"{self.place(stem)}.{kind}", native

    def place(self, stem: str) -> str:
        """Where a tensor goes; `stem`: its checkpoint's name without `.weight` and `.bias`. @raises KeyError for others"""
        for prefix, layer, parts in (
            (TOWER + "layers.", self.audio_layer, self.audio_parts),
            (TEXT + "layers.", self.text_layer, self.text_parts),
        ):
            if stem.startswith(prefix):
                number, _, part = stem.removeprefix(prefix).partition(".")
                return layer.format(number) + parts[part]
        return self.rest[stem]


@dataclass(frozen=True)
class Engine:
    """What the model file of an engine has: tensors and their formats, metadata, filters and window of the spectrogram."""

    architecture: str
    names: Names
    format_of: Callable[[str, tuple[int, ...]], Format]
    metadata: Callable[[Checkpoint, dict[str, int]], Metadata]
    """of a checkpoint and the ids of its special tokens"""
    filters: str
    """of mel, float32 [bins, frequencies]"""
    window: str
    has_turned_filters: bool
    """[frequencies, bins]"""
    head: str | None
    """where a copy of tied embeddings goes"""


def parts(natives: str, engines: str) -> dict[str, str]:
    """Names of parts in the checkpoint to those of an engine: two lists, divided by spaces, of one length."""
    return dict(zip(natives.split(), engines.split(), strict=True))


AUDIO_PARTS = "self_attn_layer_norm self_attn.q_proj self_attn.k_proj self_attn.v_proj self_attn.out_proj final_layer_norm fc1 fc2"
TEXT_PARTS = (
    "input_layernorm post_attention_layernorm self_attn.q_proj self_attn.k_proj self_attn.v_proj self_attn.o_proj "
    "self_attn.q_norm self_attn.k_norm mlp.gate_proj mlp.up_proj mlp.down_proj"
)
REST = " ".join(
    [
        *(TOWER + part for part in ("conv2d1", "conv2d2", "conv2d3", "conv_out", "ln_post")),
        *(PROJECTOR + part for part in ("linear_1", "linear_2")),
        *(TEXT + part for part in ("embed_tokens", "norm")),
        "lm_head",
    ]
)

TRANSCRIBE_NAMES = Names(
    audio_layer="enc.blocks.{}.",
    audio_parts=parts(AUDIO_PARTS, "norm_attn attn.q attn.k attn.v attn.out norm_ffn ffn.fc1 ffn.fc2"),
    text_layer="dec.blocks.{}.",
    text_parts=parts(
        TEXT_PARTS,
        "norm_attn norm_ffn attn.q attn.k attn.v attn.o attn.q_norm attn.k_norm ffn.gate ffn.up ffn.down",
    ),
    rest=parts(
        REST,
        "enc.conv.0 enc.conv.1 enc.conv.2 enc.conv_out enc.ln_post enc.proj1 enc.proj2 "
        "dec.token_embd dec.output_norm dec.output",
    ),
)
CRISPASR_NAMES = Names(
    audio_layer="audio.blk.{}.",
    audio_parts=parts(AUDIO_PARTS, "attn_norm attn_q attn_k attn_v attn_out ffn_norm ffn_up ffn_down"),
    text_layer="blk.{}.",
    text_parts=parts(
        TEXT_PARTS,
        "attn_norm ffn_norm attn_q attn_k attn_v attn_output attn_q_norm attn_k_norm ffn_gate ffn_up ffn_down",
    ),
    rest=parts(
        REST,
        "audio.conv.1 audio.conv.2 audio.conv.3 audio.conv_out audio.ln_post audio.proj1 audio.proj2 "
        "token_embd output_norm output",
    ),
)


def transcribe_format(name: str, shape: tuple[int, ...]) -> Format:
    """Q4_K_M: 8 bits of what leaves attention, 6 bits of the embeddings."""
    if len(shape) != 2:
        return F32
    if name == "dec.token_embd.weight":
        return fitting(Q6_K, shape)
    return Q8_0 if name.endswith(("attn.out.weight", "attn.o.weight")) else fitting(Q4_K, shape)


def crispasr_format(name: str, shape: tuple[int, ...]) -> Format:
    """q4_k: matrices of the decoder in 4 bits, embeddings and head too; those of the encoder in 8, its kernels in F16."""
    if len(shape) == 1 or any(norm in name for norm in NORMS):
        return F32
    if len(shape) > 2:
        return F16
    return Q8_0 if name.startswith("audio.") else fitting(Q4_K, shape)


def fitting(wanted: Format, shape: tuple[int, ...]) -> Format:
    """8 bits where rows are not a multiple of a block."""
    return wanted if shape[-1] % wanted.block == 0 else Q8_0


ENGINES = {
    "transcribe-cpp": Engine(
        architecture="qwen3_asr",
        names=TRANSCRIBE_NAMES,
        format_of=transcribe_format,
        metadata=transcribe_metadata,
        filters="frontend.mel_filterbank",
        window="frontend.window",
        has_turned_filters=False,
        head=None,
    ),
    "crispasr": Engine(
        architecture="qwen3asr",
        names=CRISPASR_NAMES,
        format_of=crispasr_format,
        metadata=crispasr_metadata,
        filters="audio.mel_filters",
        window="audio.mel_window",
        has_turned_filters=True,
        head="output.weight",
    ),
}
