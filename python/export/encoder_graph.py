# SPDX-License-Identifier: Apache-2.0

"""The audio encoder and projector as an export graph: mel [1, 128, T] -> audio_features [1, N, H].

Reference: transformers `Qwen3ASREncoder` and `Qwen3ASRMultiModalProjector`.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from fused_ops import bias_gelu, gelu, skip_layer_norm
from weights import Weights

LAYER_NORM_EPSILON = 1e-5  # torch.nn.LayerNorm's default, which the reference uses
MASKED = -1e30


class Encoder(nn.Module):
    """Convolutions, layers and projector of the audio tower."""

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        config = weights.checkpoint.audio
        tower = "model.audio_tower."
        self.chunk = 2 * config["n_window"]  # mel frames that share one set of positions
        self.chunk_tokens = tokens_of(self.chunk, self.chunk)
        self.window = self.chunk_tokens * (config["n_window_infer"] // self.chunk)  # tokens that attend to each other
        self.mel_bins = config["num_mel_bins"]
        self.width = config["d_model"]
        self.conv_weights = nn.ParameterList(weights.vector(f"{tower}conv2d{i}.weight") for i in (1, 2, 3))
        self.conv_biases = nn.ParameterList(weights.vector(f"{tower}conv2d{i}.bias") for i in (1, 2, 3))
        self.conv_out = weights.matrix(tower + "conv_out.weight")
        self.register_buffer("positions", sinusoids(self.chunk_tokens, self.width))
        heads = config["encoder_attention_heads"]
        layers = range(config["encoder_layers"])
        self.layers = nn.ModuleList(EncoderLayer(weights, f"{tower}layers.{i}.", heads) for i in layers)
        self.norm_weight = weights.vector(tower + "ln_post.weight")
        self.norm_bias = weights.vector(tower + "ln_post.bias")
        projector = "model.multi_modal_projector."
        self.linear_1 = weights.matrix(projector + "linear_1.weight")
        self.linear_1_bias = weights.vector(projector + "linear_1.bias")
        self.linear_2 = weights.matrix(projector + "linear_2.weight")
        self.linear_2_bias = weights.vector(projector + "linear_2.bias")

    def forward(self, mel: Tensor) -> Tensor:
        """mel [1, 128, T] -> features [1, N, H]."""
        tokens = tokens_of(mel.shape[2], self.chunk)  # N
        x = self.stem(mel)[:, :tokens]  # [1, N, D]; only the last chunk has tokens of padding, at its end
        windows = (tokens + self.window - 1) // self.window
        padding = windows * self.window - tokens
        is_token = torch.arange(windows * self.window) < tokens
        mask = torch.where(is_token, 0.0, MASKED).reshape(windows, 1, 1, self.window)

        first = self.layers[0]
        normed = torch.layer_norm(x, (self.width,), first.norm_1, first.norm_1_bias, LAYER_NORM_EPSILON)
        for layer, following in zip(self.layers, [*self.layers[1:], None], strict=True):
            attended = layer.attend(normed, padding, mask)
            normed, x = skip_layer_norm(
                attended, x, layer.norm_2, layer.norm_2_bias, layer.out_bias, LAYER_NORM_EPSILON
            )
            fed = layer.feed_forward(normed)
            after = (following.norm_1, following.norm_1_bias) if following else (self.norm_weight, self.norm_bias)
            normed, x = skip_layer_norm(fed, x, *after, layer.fc2_bias, LAYER_NORM_EPSILON)
        return bias_gelu(normed @ self.linear_1, self.linear_1_bias) @ self.linear_2 + self.linear_2_bias

    def stem(self, mel: Tensor) -> Tensor:
        """[1, 128, T] -> [1, chunks * 13, D]: three stride-2 convolutions, positions that restart in each chunk."""
        frames = mel.shape[2]
        chunks = (frames + self.chunk - 1) // self.chunk
        x = pad(mel, (0, chunks * self.chunk - frames))
        x = x.reshape(self.mel_bins, chunks, self.chunk).permute(1, 0, 2).unsqueeze(1)  # [chunks, 1, 128, 100]
        for weight, bias in zip(self.conv_weights, self.conv_biases, strict=True):
            x = gelu(conv2d(x, weight, bias, stride=2, padding=1))
        x = x.permute(0, 3, 1, 2).flatten(2) @ self.conv_out  # [chunks, 13, D]
        return (x + self.positions).reshape(1, chunks * self.chunk_tokens, self.width)


class EncoderLayer(nn.Module):
    """Weights of one layer: matrices [in, out], biases and norms [out]."""

    def __init__(self, weights: Weights, prefix: str, heads: int) -> None:
        super().__init__()
        self.heads = heads
        attention = prefix + "self_attn."
        self.norm_1 = weights.vector(prefix + "self_attn_layer_norm.weight")
        self.norm_1_bias = weights.vector(prefix + "self_attn_layer_norm.bias")
        self.q = weights.matrix(attention + "q_proj.weight")
        self.q_bias = weights.vector(attention + "q_proj.bias")
        self.k = weights.matrix(attention + "k_proj.weight")
        self.k_bias = weights.vector(attention + "k_proj.bias")
        self.v = weights.matrix(attention + "v_proj.weight")
        self.v_bias = weights.vector(attention + "v_proj.bias")
        self.out = weights.matrix(attention + "out_proj.weight")
        self.out_bias = weights.vector(attention + "out_proj.bias")
        self.norm_2 = weights.vector(prefix + "final_layer_norm.weight")
        self.norm_2_bias = weights.vector(prefix + "final_layer_norm.bias")
        self.fc1 = weights.matrix(prefix + "fc1.weight")
        self.fc1_bias = weights.vector(prefix + "fc1.bias")
        self.fc2 = weights.matrix(prefix + "fc2.weight")
        self.fc2_bias = weights.vector(prefix + "fc2.bias")

    def attend(self, x: Tensor, padding: int, mask: Tensor) -> Tensor:
        """x [1, N, D] -> [1, N, D] before the output bias; attention stays inside windows of `mask`'s width."""
        tokens, width = x.shape[1], x.shape[2]
        windows, window, size = mask.shape[0], mask.shape[3], width // self.heads

        def split(projected: Tensor) -> Tensor:  # [1, N, D] -> [windows, heads, window, size]
            return pad(projected, (0, 0, 0, padding)).reshape(windows, window, self.heads, size).transpose(1, 2)

        q = split((x @ self.q + self.q_bias) * size**-0.5)
        k = split(x @ self.k + self.k_bias)
        v = split(x @ self.v + self.v_bias)
        weights = torch.softmax(q @ k.transpose(2, 3) + mask, dim=-1)
        attended = (weights @ v).transpose(1, 2).reshape(1, windows * window, width)
        return attended[:, :tokens] @ self.out

    def feed_forward(self, x: Tensor) -> Tensor:
        """x [1, N, D] -> [1, N, D] before the second bias."""
        return bias_gelu(x @ self.fc1, self.fc1_bias) @ self.fc2


def tokens_of(frames, chunk: int):
    """Audio tokens of `frames` mel frames: three halvings, rounded up, inside each chunk."""

    def half(length):
        return (length + 1) // 2

    return half(half(half(frames % chunk))) + half(half(half(chunk))) * (frames // chunk)


def sinusoids(length: int, channels: int) -> Tensor:
    """float32 [length, channels]; computed as the reference does, in float32 on the CPU, to the last bit."""
    with torch.device("cpu"):
        step = np.log(10000) / (channels // 2 - 1)
        inverse = torch.exp(-step * torch.arange(channels // 2).float())
        time = torch.arange(length)[:, None] * inverse[None, :]
        table = torch.cat([time.sin(), time.cos()], dim=1)
    return table.to(torch.get_default_device())
