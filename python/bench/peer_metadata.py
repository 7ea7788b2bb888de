# SPDX-License-Identifier: Apache-2.0

"""What two other engines read about a Qwen3-ASR model, by the keys of their model files. The sources are those of peer_names.py."""

from checkpoint import Checkpoint
from mel_filters import HOP, RATE, WINDOW

MAX_POSITIONS, MAX_AUDIO = 65536, 1500

Metadata = dict[str, int | float | str | bool]


def transcribe_metadata(checkpoint: Checkpoint, tokens: dict[str, int]) -> Metadata:
    """For transcribe.cpp; `tokens`: ids of special tokens by name."""
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
        "tokenizer.ggml.eos_token_id": tokens["<|im_end|>"],
        "tokenizer.ggml.padding_token_id": tokens["<|endoftext|>"],
        "tokenizer.ggml.add_bos_token": False,
        **{f"{own}encoder.{key}": value for key, value in encoder.items()},
        **{f"{own}decoder.{key}": value for key, value in decoder.items()},
        f"{own}audio_token_id": tokens["<|audio_pad|>"],
        f"{own}audio_start_token_id": tokens["<|audio_start|>"],
        f"{own}audio_end_token_id": tokens["<|audio_end|>"],
        **{f"stt.frontend.{key}": value for key, value in frontend.items()},
    }


def crispasr_metadata(checkpoint: Checkpoint, tokens: dict[str, int]) -> Metadata:
    """For CrispASR; `tokens`: ids of special tokens by name."""
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
        "audio_start_token_id": tokens["<|audio_start|>"],
        "audio_end_token_id": tokens["<|audio_end|>"],
        "audio_pad_token_id": tokens["<|audio_pad|>"],
        "eos_token_id": tokens["<|im_end|>"],
        "pad_token_id": tokens["<|endoftext|>"],
    }
    return {f"qwen3asr.{key}": value for key, value in values.items()}
