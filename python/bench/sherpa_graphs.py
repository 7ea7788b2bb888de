# SPDX-License-Identifier: Apache-2.0

"""The three graphs that sherpa-onnx reads for Qwen3-ASR, as export modules.

conv_frontend: mel [1, T, 128] -> [1, A, D], before the positions. encoder: that and bool [1, A] of what is a token -> [1, A, H].
decoder: one graph for prompt and steps, which takes whole caches [1, C, KV, size] and gives the new keys and values alone.
Inputs and outputs by their place: sherpa-onnx/csrc/offline-qwen3-asr-model.cc of github.com/k2-fsa/sherpa-onnx. How the parts
compute (logits everywhere, keys of a group repeated, the past cut out of the cache): github.com/Wasser1462/Qwen3-ASR-onnx,
which the published files come from.
B = 1, A audio tokens, S new positions, C capacity, P past, KV key/value heads, G query heads for each.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, embedding, pad
from torch.onnx import ops

from decoder_graph import EMBEDDING, Decoder
from encoder_graph import LAYER_NORM_EPSILON, MASKED, EncoderLayer, sinusoids, tokens_of
from fused_ops import bias_gelu, gelu, reshape, rms_norm, skip_layer_norm, skip_rms_norm
from special_tokens import special_tokens
from weights import Weights

TOWER = "model.audio_tower."


class ConvFrontend(nn.Module):
    """The convolutions of the encoder: mel frames to tokens."""

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        config = weights.checkpoint.audio
        self.chunk, self.bins = 2 * config["n_window"], config["num_mel_bins"]
        self.tokens, self.width = tokens_of(self.chunk, self.chunk), config["d_model"]
        self.conv_weights = nn.ParameterList(weights.vector(f"{TOWER}conv2d{i}.weight") for i in (1, 2, 3))
        self.conv_biases = nn.ParameterList(weights.vector(f"{TOWER}conv2d{i}.bias") for i in (1, 2, 3))
        self.conv_out = weights.matrix(TOWER + "conv_out.weight")

    def forward(self, input_features: Tensor) -> Tensor:
        """mel [1, T, 128] -> [1, A, D], A padded to whole chunks, without positions."""
        frames = input_features.shape[1]
        chunks = (frames + self.chunk - 1) // self.chunk
        x = pad(input_features, (0, 0, 0, chunks * self.chunk - frames))
        x = x.reshape(chunks, self.chunk, self.bins).transpose(1, 2).unsqueeze(1)
        for weight, bias in zip(self.conv_weights, self.conv_biases, strict=True):
            x = gelu(conv2d(x, weight, bias, stride=2, padding=1))
        x = x.permute(0, 3, 1, 2).flatten(2) @ self.conv_out
        return x.reshape(1, chunks * self.tokens, self.width)


class EncoderLayers(nn.Module):
    """The layers of the encoder behind the convolutions, with positions and projector."""

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        config = weights.checkpoint.audio
        chunk = 2 * config["n_window"]
        self.tokens, self.width = tokens_of(chunk, chunk), config["d_model"]
        self.window = self.tokens * (config["n_window_infer"] // chunk)
        self.register_buffer("positions", sinusoids(self.tokens, self.width))
        heads, layers = config["encoder_attention_heads"], range(config["encoder_layers"])
        self.layers = nn.ModuleList(EncoderLayer(weights, f"{TOWER}layers.{i}.", heads) for i in layers)
        self.norm_weight = weights.vector(TOWER + "ln_post.weight")
        self.norm_bias = weights.vector(TOWER + "ln_post.bias")
        projector = "model.multi_modal_projector."
        self.linear_1 = weights.matrix(projector + "linear_1.weight")
        self.linear_1_bias = weights.vector(projector + "linear_1.bias")
        self.linear_2 = weights.matrix(projector + "linear_2.weight")
        self.linear_2_bias = weights.vector(projector + "linear_2.bias")

    def forward(self, input_features: Tensor, feature_attention_mask: Tensor) -> Tensor:
        """[1, A, D] and bool [1, A], true for tokens -> features [1, A, H]."""
        tokens = input_features.shape[1]
        x = input_features + embedding(torch.arange(tokens) % self.tokens, self.positions)[None]
        windows = (tokens + self.window - 1) // self.window
        padding = windows * self.window - tokens
        additive = torch.where(feature_attention_mask, 0.0, MASKED)
        mask = pad(additive, (0, padding), value=MASKED).reshape(windows, 1, 1, self.window)
        first = self.layers[0]
        normed = torch.layer_norm(x, (self.width,), first.norm_1, first.norm_1_bias, LAYER_NORM_EPSILON)
        for layer, following in zip(self.layers, [*self.layers[1:], None], strict=True):
            attended = layer.attend(normed, padding, mask)
            normed, x = skip_layer_norm(
                attended, x, layer.norm_2, layer.norm_2_bias, layer.out_bias, LAYER_NORM_EPSILON
            )
            after = (following.norm_1, following.norm_1_bias) if following else (self.norm_weight, self.norm_bias)
            normed, x = skip_layer_norm(layer.feed_forward(normed), x, *after, layer.fc2_bias, LAYER_NORM_EPSILON)
        projected = bias_gelu(normed @ self.linear_1, self.linear_1_bias) @ self.linear_2 + self.linear_2_bias
        return projected * feature_attention_mask[..., None].float()


class CachedDecoder(Decoder):
    """The decoder over whole caches."""

    def __init__(self, weights: Weights) -> None:
        super().__init__(weights)
        self.embed_tokens = weights.vector(EMBEDDING)
        self.audio_pad = special_tokens(weights.checkpoint.folder)["<|audio_pad|>"]

    def forward(
        self,
        input_ids: Tensor,
        audio_features: Tensor,
        attention_mask: Tensor,
        cache_position: Tensor,
        *cache: Tensor,
    ):
        """ids and mask i64 [1, S], features [1, A, H], places i64 [S], caches [1, C, KV, size] -> logits [1, S, V], new ones."""
        x = self.with_audio(embedding(input_ids, self.embed_tokens), input_ids, audio_features)
        x = x + 0.0 * attention_mask.sum().float()  # all of it is new: it only has to be an input
        angles = cache_position[:, None].float() * self.inverse_frequencies[None]
        turns = torch.cat([angles, angles], dim=1).cos(), torch.cat([angles, angles], dim=1).sin()  # [S, size]
        mask = torch.where(cache_position[None] <= cache_position[:, None], 0.0, MASKED)  # [S, S]
        normed = rms_norm(x, self.layers[0].input_norm, self.epsilon)
        new = []
        for i, (layer, following) in enumerate(zip(self.layers, [*self.layers[1:], None], strict=True)):
            q = turned(rms_norm(self.parted(normed @ layer.q, self.heads), layer.q_norm, self.epsilon), *turns)
            k = turned(rms_norm(self.parted(normed @ layer.k, self.kv_heads), layer.k_norm, self.epsilon), *turns)
            v = self.parted(normed @ layer.v, self.kv_heads)
            new += [k.transpose(1, 2), v.transpose(1, 2)]
            past = [past_of(one, cache_position).transpose(1, 2) for one in cache[2 * i : 2 * i + 2]]
            attended = self.attend(q, past[0], past[1], k, v, mask)
            normed, x = skip_rms_norm(attended @ layer.o, x, layer.post_norm, self.epsilon)
            after = following.input_norm if following is not None else self.norm
            normed, x = skip_rms_norm(layer.feed_forward(normed), x, after, self.epsilon)
        return normed @ self.lm_head, *new

    def with_audio(self, embeds: Tensor, input_ids: Tensor, audio_features: Tensor) -> Tensor:
        """The n-th audio token gets the n-th row."""
        is_audio = input_ids == self.audio_pad
        rows = (is_audio.long().cumsum(1) - 1).clamp(min=0).clamp(max=audio_features.shape[1] - 1)
        return torch.where(is_audio[..., None], embedding(rows[0], audio_features[0])[None], embeds)

    def parted(self, projected: Tensor, heads: int) -> Tensor:
        """[1, S, heads * size] -> [1, heads, S, size]"""
        return projected.reshape(1, projected.shape[1], heads, self.size).transpose(1, 2)

    def repeated(self, x: Tensor) -> Tensor:
        """[1, KV, S, size] -> [1, KV * G, S, size]"""
        groups = torch.cat([x[:, :, None]] * (self.heads // self.kv_heads), dim=2)
        return reshape(groups, (0, self.heads, -1, self.size))

    def attend(self, q: Tensor, past_k: Tensor, past_v: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
        """q [1, KV * G, S, size]; past [1, KV, P, size], new [1, KV, S, size], mask [S, S] -> [1, S, KV * G * size]"""
        of_past = q @ self.repeated(past_k).transpose(2, 3) * self.size**-0.5
        of_new = q @ self.repeated(k).transpose(2, 3) * self.size**-0.5 + mask
        weights = torch.softmax(torch.cat([of_past, of_new], dim=3), dim=-1)
        attended = weights @ torch.cat([self.repeated(past_v), self.repeated(v)], dim=2)
        return reshape(attended.transpose(1, 2), (0, 0, -1))


def turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding of halves. x [1, heads, S, size], cos and sin [S, size]"""
    first, second = x.chunk(2, dim=3)
    return x * cos + torch.cat([-second, first], dim=3) * sin


def past_of(cache: Tensor, cache_position: Tensor) -> Tensor:
    """The positions before the new ones: [1, C, KV, size] -> [1, P, KV, size]. The exporter takes P for C, so that no shape may
    be computed of it."""
    inputs = (cache, torch.tensor([0]), cache_position[:1], torch.tensor([1]))
    return ops.symbolic("Slice", inputs, dtype=cache.dtype, shape=cache.shape, version=None)
