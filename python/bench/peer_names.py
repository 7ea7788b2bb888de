"""What two other engines call the tensors of a Qwen3-ASR checkpoint, the types that their quantizers give them, and the metadata they want.

Facts from the engines' own converters and loaders:
transcribe.cpp (github.com/handy-computer/transcribe.cpp): scripts/convert-qwen3_asr.py, src/arch/qwen3_asr/weights.cpp,
tools/transcribe-quantize/policy.cpp (preset Q4_K_M).
CrispASR (github.com/CrispStrobe/CrispASR): models/convert-qwen3-asr-to-gguf.py, src/qwen3_asr.cpp,
examples/crispasr-quantize/main.cpp (q4_k: the audio tower stays at 8 bits).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from checkpoint import Checkpoint
from ggml_blocks import F16, F32, Q4_K, Q6_K, Q8_0, SUPER, Format
from mel_filters import HOP, RATE, WINDOW

TOWER, PROJECTOR, TEXT = "model.audio_tower.", "model.multi_modal_projector.", "model.language_model."
EMBEDDING = TEXT + "embed_tokens.weight"
NORMS = ("norm", "ln_post")
AUDIO_START, AUDIO_END, AUDIO_PAD, END, PADDING = 151669, 151670, 151676, 151645, 151643
MAX_POSITIONS, MAX_AUDIO = 65536, 1500

Metadata = dict[str, int | float | str | bool]


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
    architecture: str
    names: Names
    format_of: Callable[[str, tuple[int, ...]], Format]
    metadata: Callable[[Checkpoint], Metadata]
    filters: str
    """of mel, float32 [bins, frequencies]"""
    window: str
    has_turned_filters: bool
    """[frequencies, bins]"""
    head: str | None
    """where a copy of tied embeddings goes"""


def parts(natives: str, engines: str) -> dict[str, str]:
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
    """Q4_K_M: 8 bits where rows are no multiple of 256, and of what leaves attention; 6 bits of the embeddings."""
    if len(shape) != 2:
        return F32
    if name == "dec.token_embd.weight":
        return Q6_K
    is_out = name.endswith(("attn.out.weight", "attn.o.weight"))
    return Q8_0 if is_out or shape[-1] % SUPER != 0 else Q4_K


def crispasr_format(name: str, shape: tuple[int, ...]) -> Format:
    """q4_k: matrices of the decoder in 4 bits, embeddings and head too; those of the encoder in 8, its kernels in F16."""
    if len(shape) == 1 or any(norm in name for norm in NORMS):
        return F32
    if len(shape) > 2:
        return F16
    return Q8_0 if name.startswith("audio.") else Q4_K


def transcribe_metadata(checkpoint: Checkpoint) -> Metadata:
    audio, text = checkpoint.audio, checkpoint.text
    encoder: Metadata = {
        "n_layers": audio["encoder_layers"],
        "d_model": audio["d_model"],
        "n_heads": audio["encoder_attention_heads"],
        "ffn_dim": audio["encoder_ffn_dim"],
        "num_mel_bins": audio["num_mel_bins"],
        "downsample_hidden": audio["downsample_hidden_size"],
        "output_dim": audio["output_dim"],
        "max_source_positions": MAX_AUDIO,
        "n_window": audio["n_window"],
        "n_window_infer": audio["n_window_infer"],
        "conv_chunksize": 500,
        "activation": "gelu",
    }
    decoder: Metadata = {
        "n_layers": text["num_hidden_layers"],
        "hidden_size": text["hidden_size"],
        "intermediate_size": text["intermediate_size"],
        "n_heads": text["num_attention_heads"],
        "n_kv_heads": text["num_key_value_heads"],
        "head_dim": text["head_dim"],
        "hidden_act": "silu",
        "rms_norm_eps": float(text["rms_norm_eps"]),
        "rope_theta": float(text["rope_theta"]),
        "rope_mrope_section_t": text["head_dim"] // 2 - 2 * (text["head_dim"] * 5 // 32),
        "rope_mrope_section_h": text["head_dim"] * 5 // 32,
        "rope_mrope_section_w": text["head_dim"] * 5 // 32,
        "rope_mrope_interleaved": True,
        "max_position_embeddings": MAX_POSITIONS,
        "tie_word_embeddings": True,
        "vocab_size": text["vocab_size"],
    }
    frontend: Metadata = {
        "type": "mel",
        "num_mels": audio["num_mel_bins"],
        "sample_rate": RATE,
        "n_fft": WINDOW,
        "win_length": WINDOW,
        "hop_length": HOP,
        "window": "hann_periodic",
        "normalize": "per_utterance",
        "dither": 0.0,
        "pre_emphasis": 0.0,
        "f_min": 0.0,
        "f_max": RATE / 2,
        "pad_mode": "reflect",
        "center": True,
        "mel_norm": "slaney",
    }
    own = "stt.qwen3_asr."
    return {
        "stt.variant": "qwen3-asr-0.6b",
        "stt.capability.lang_detect": True,
        "tokenizer.ggml.pre": "qwen2",
        "tokenizer.ggml.eos_token_id": END,
        "tokenizer.ggml.padding_token_id": PADDING,
        "tokenizer.ggml.add_bos_token": False,
        **{f"{own}encoder.{key}": value for key, value in encoder.items()},
        **{f"{own}decoder.{key}": value for key, value in decoder.items()},
        f"{own}audio_token_id": AUDIO_PAD,
        f"{own}audio_start_token_id": AUDIO_START,
        f"{own}audio_end_token_id": AUDIO_END,
        **{f"stt.frontend.{key}": value for key, value in frontend.items()},
    }


def crispasr_metadata(checkpoint: Checkpoint) -> Metadata:
    audio, text = checkpoint.audio, checkpoint.text
    values: Metadata = {
        "sample_rate": RATE,
        "n_mels": audio["num_mel_bins"],
        "n_fft": WINDOW,
        "win_length": WINDOW,
        "hop_length": HOP,
        "audio.n_layers": audio["encoder_layers"],
        "audio.d_model": audio["d_model"],
        "audio.n_heads": audio["encoder_attention_heads"],
        "audio.head_dim": audio["d_model"] // audio["encoder_attention_heads"],
        "audio.ff_dim": audio["encoder_ffn_dim"],
        "audio.conv_channels": audio["downsample_hidden_size"],
        "audio.proj_dim": audio["output_dim"],
        "audio.max_source_pos": MAX_AUDIO,
        "llm.n_layers": text["num_hidden_layers"],
        "llm.d_model": text["hidden_size"],
        "llm.n_heads": text["num_attention_heads"],
        "llm.n_kv_heads": text["num_key_value_heads"],
        "llm.head_dim": text["head_dim"],
        "llm.ff_dim": text["intermediate_size"],
        "llm.rope_theta": float(text["rope_theta"]),
        "llm.rms_norm_eps": float(text["rms_norm_eps"]),
        "llm.vocab_size": text["vocab_size"],
        "llm.max_pos": MAX_POSITIONS,
        "audio_start_token_id": AUDIO_START,
        "audio_end_token_id": AUDIO_END,
        "audio_pad_token_id": AUDIO_PAD,
        "eos_token_id": END,
        "pad_token_id": PADDING,
    }
    return {f"qwen3asr.{key}": value for key, value in values.items()}


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
