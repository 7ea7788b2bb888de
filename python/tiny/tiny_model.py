# SPDX-License-Identifier: Apache-2.0

"""The tiny models before training: tokenizer, processor, config, initial weights."""

import copy
from pathlib import Path

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    Qwen2Tokenizer,
    Qwen3ASRConfig,
    Qwen3ASRFeatureExtractor,
    Qwen3ASRForConditionalGeneration,
    Qwen3ASRForTokenClassification,
    Qwen3ASRProcessor,
)

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|audio_start|>", "<|audio_end|>", "<|audio_pad|>"]
ASR_TEXT = "<asr_text>"
TIMESTAMP = "<timestamp>"
VOCAB_SIZE = 448
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

# No turns and no spaces: the audio, then each unit with the slots of its start and its end.
ALIGNER_TEMPLATE = (
    "{%- for m in messages -%}{%- for part in m.content -%}"
    "{%- if part.type == 'audio' -%}{{- '<|audio_start|><|audio_pad|><|audio_end|>' -}}"
    "{%- else -%}{{- part.text + '<timestamp><timestamp>' -}}{%- endif -%}"
    "{%- endfor -%}{%- endfor -%}"
)


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
    """The processor of transformers for a tokenizer."""
    return Qwen3ASRProcessor(Qwen3ASRFeatureExtractor(), tokenizer, chat_template=CHAT_TEMPLATE)


def make_config(tokenizer: Qwen2Tokenizer) -> Qwen3ASRConfig:
    """The tiny architecture, with the ids of the tokenizer's special tokens."""
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


def make_aligner_processor(checkpoint: Path) -> Qwen3ASRProcessor:
    """That of the tiny speech recognizer, with one token more."""
    tokenizer = Qwen3ASRProcessor.from_pretrained(checkpoint).tokenizer
    tokenizer.add_tokens([AddedToken(TIMESTAMP, special=False, normalized=False)])
    return Qwen3ASRProcessor(Qwen3ASRFeatureExtractor(), tokenizer, chat_template=ALIGNER_TEMPLATE)


def make_aligner(checkpoint: Path, tokenizer: Qwen2Tokenizer, classes: int) -> Qwen3ASRForTokenClassification:
    """The weights of the tiny speech recognizer, a row of embeddings for the new token, and a new head."""
    recognizer = Qwen3ASRForConditionalGeneration.from_pretrained(checkpoint, dtype=torch.float32)
    recognizer.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    config = copy.deepcopy(recognizer.config)
    config.num_labels = classes
    config.support_languages = ["English", "German"]
    config.timestamp_token_id = tokenizer.convert_tokens_to_ids(TIMESTAMP)
    model = Qwen3ASRForTokenClassification(config)
    model.model.load_state_dict(recognizer.model.state_dict())
    torch.nn.init.xavier_uniform_(model.score.weight)
    return model
