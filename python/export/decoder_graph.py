# SPDX-License-Identifier: Apache-2.0

"""The Qwen3 decoder as three export graphs over the same weights: the split layout's two, and the fused one.

decoder_init: prompt and audio features -> logits of the last position, keys and values of all positions.
decoder_step: one embedding and the past -> logits, keys and values with one position more.
decoder: embeddings of any length and a buffer of past keys and values -> logits of each row's last position, or of
several, and the keys and values of the new positions alone.
Reference: transformers `Qwen3Model` inside `Qwen3ASRForConditionalGeneration`.
L layers, KV key/value heads, G query heads for each, D head size, B rows, S prompt, P past, C capacity of the past's
buffer, K positions of a row that have logits, N audio tokens, H hidden size, V vocabulary.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, silu

from fused_ops import by_rows, reshape, rms_norm, rotate, rotate_heads, skip_rms_norm
from weights import Weights

EMBEDDING = "model.language_model.embed_tokens.weight"


class Decoder(nn.Module):
    """What the graphs share: layers, final norm, lm_head."""

    def __init__(self, weights: Weights, head: str | None = None) -> None:
        """head: the tensor of the output layer, where it is not the vocabulary's"""
        super().__init__()
        config = weights.checkpoint.text
        model = "model.language_model."
        self.heads, self.kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
        self.size = config["head_dim"]
        self.epsilon = config["rms_norm_eps"]
        layers = range(config["num_hidden_layers"])
        self.layers = nn.ModuleList(DecoderLayer(weights, f"{model}layers.{i}.") for i in layers)
        self.norm = weights.vector(model + "norm.weight")
        of_vocabulary = EMBEDDING if config["tie_word_embeddings"] else "lm_head.weight"
        self.lm_head = weights.matrix(head or of_vocabulary)
        exponents = torch.arange(0, self.size, 2, dtype=torch.float) / self.size
        self.register_buffer("inverse_frequencies", 1.0 / (config["rope_theta"] ** exponents))

    def angles(self, position_ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """i64 [B, S] -> cos, sin [B * S, D/2] and the rows of them that each position uses, i64 [B, S]"""
        angle = position_ids.reshape(-1, 1).float() * self.inverse_frequencies[None, :]
        rows, length = position_ids.shape
        return angle.cos(), angle.sin(), torch.arange(rows)[:, None] * length + torch.arange(length)[None, :]

    def split(self, layer: "DecoderLayer", normed: Tensor, angles) -> tuple[Tensor, Tensor]:
        """normed [B, S, H] -> keys, values [B, KV, S, D]"""
        heads = (0, 0, self.kv_heads, self.size)
        keys = rms_norm(reshape(normed @ layer.k, heads), layer.k_norm, self.epsilon)
        keys = rotate(reshape(keys, (0, 0, -1)), angles[2], angles[0], angles[1], self.kv_heads)
        return reshape(keys, heads).transpose(1, 2), reshape(normed @ layer.v, heads).transpose(1, 2)

    def queries(self, layer: "DecoderLayer", normed: Tensor, angles) -> Tensor:
        """normed [B, S, H] -> [B, KV, G, S, D]; heads of one group stand together, so keys are not repeated"""
        q = rms_norm(reshape(normed @ layer.q, (0, 0, self.heads, self.size)), layer.q_norm, self.epsilon)
        q = rotate(reshape(q, (0, 0, -1)), angles[2], angles[0], angles[1], self.heads)
        groups = self.heads // self.kv_heads
        return reshape(q, (0, 0, self.kv_heads, groups, self.size)).permute(0, 2, 3, 1, 4)

    def merge(self, attended: Tensor) -> Tensor:
        """[B, KV, G, S, D] -> [B, S, heads * D]"""
        return reshape(attended.permute(0, 3, 1, 2, 4), (0, 0, -1))


class DecoderLayer(nn.Module):
    """Weights of one layer: matrices [in, out], norms [H] or [D]."""

    def __init__(self, weights: Weights, prefix: str) -> None:
        super().__init__()
        attention, mlp = prefix + "self_attn.", prefix + "mlp."
        self.input_norm = weights.vector(prefix + "input_layernorm.weight")
        self.q = weights.matrix(attention + "q_proj.weight")
        self.k = weights.matrix(attention + "k_proj.weight")
        self.v = weights.matrix(attention + "v_proj.weight")
        self.o = weights.matrix(attention + "o_proj.weight")
        self.q_norm = weights.vector(attention + "q_norm.weight")
        self.k_norm = weights.vector(attention + "k_norm.weight")
        self.post_norm = weights.vector(prefix + "post_attention_layernorm.weight")
        self.gate = weights.matrix(mlp + "gate_proj.weight")
        self.up = weights.matrix(mlp + "up_proj.weight")
        self.down = weights.matrix(mlp + "down_proj.weight")

    def feed_forward(self, x: Tensor) -> Tensor:
        """[B, S, H] -> [B, S, H], gated by SiLU."""
        return (silu(x @ self.gate) * (x @ self.up)) @ self.down


class DecoderInit(Decoder):
    """Prefill of the split layout: one row, from an empty cache."""

    def __init__(self, weights: Weights) -> None:
        super().__init__(weights)
        self.embed_tokens = weights.vector(EMBEDDING)

    def forward(self, input_ids: Tensor, position_ids: Tensor, audio_features: Tensor, audio_offset: Tensor):
        """ids, positions i64 [1, S], features [1, N, H], offset i64 [1] -> logits [1, 1, V], keys, values [L, 1, KV, S, D]."""
        x = self.place_audio(embedding(input_ids, self.embed_tokens), audio_features, audio_offset)
        length = x.shape[1]
        angles = self.angles(position_ids)
        rows = torch.arange(length)
        mask = torch.where(rows[None, :] <= rows[:, None], 0.0, torch.finfo(torch.float32).min)  # [S, S]
        normed = rms_norm(x, self.layers[0].input_norm, self.epsilon)
        all_keys, all_values = [], []
        for layer, following in zip(self.layers, [*self.layers[1:], None], strict=True):
            keys, values = self.split(layer, normed, angles)
            all_keys.append(keys)
            all_values.append(values)
            if following is None:  # only the last position reaches the logits
                normed, x, angles, mask = self.narrow(normed, x, angles, mask)
            q = self.queries(layer, normed, angles)[0] * self.size**-0.5
            attended = self.attend(q, keys[0], values[0], mask)[None]
            normed, x = skip_rms_norm(self.merge(attended) @ layer.o, x, layer.post_norm, self.epsilon)
            after = following.input_norm if following is not None else self.norm
            normed, x = skip_rms_norm(layer.feed_forward(normed), x, after, self.epsilon)
        return normed @ self.lm_head, torch.stack(all_keys), torch.stack(all_values)

    def place_audio(self, embeds: Tensor, audio_features: Tensor, audio_offset: Tensor) -> Tensor:
        """Overwrite the rows from audio_offset on. embeds [1, S, H], audio_features [1, N, H]"""
        rows = audio_offset + torch.arange(audio_features.shape[1])
        return torch.index_put(embeds[0], (rows,), audio_features[0])[None]

    def narrow(self, normed: Tensor, x: Tensor, angles, mask: Tensor):
        """What the last layer continues with after its keys and values: the last position, which may look at all."""
        cos, sin, rows = angles
        return normed[:, -1:], x[:, -1:], (cos[-1:], sin[-1:], rows[:, :1]), None

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        """q [KV, G, S, D], k and v [KV, S, D], mask [S, S] -> [KV, G, S, D]"""
        scores = q @ k[:, None].transpose(2, 3)
        masked = scores if mask is None else scores + mask
        return torch.softmax(masked, dim=-1) @ v[:, None]


class DecoderStep(Decoder):
    """One token in the split layout."""

    def forward(self, input_embeds: Tensor, position_ids: Tensor, past_keys: Tensor, past_values: Tensor):
        """[1, 1, H], position i64 [1, 1], past [L, 1, KV, P, D] twice -> logits [1, 1, V], present [L, 1, KV, P + 1, D] twice."""
        x = input_embeds
        angles = self.angles(position_ids)
        normed = rms_norm(x, self.layers[0].input_norm, self.epsilon)
        new_keys, new_values = [], []
        pasts = zip(past_keys.unbind(0), past_values.unbind(0), strict=True)
        for layer, following, past in zip(self.layers, [*self.layers[1:], None], pasts, strict=True):
            keys, values = self.split(layer, normed, angles)
            new_keys.append(keys)
            new_values.append(values)
            q = self.queries(layer, normed, angles)[0, :, :, 0] * self.size**-0.5
            attended = self.attend(q, past[0][0], past[1][0], keys[0], values[0])[None, :, :, None]
            normed, x = skip_rms_norm(self.merge(attended) @ layer.o, x, layer.post_norm, self.epsilon)
            after = following.input_norm if following is not None else self.norm
            normed, x = skip_rms_norm(layer.feed_forward(normed), x, after, self.epsilon)
        present_keys = torch.cat([past_keys, torch.stack(new_keys)], dim=3)
        present_values = torch.cat([past_values, torch.stack(new_values)], dim=3)
        return normed @ self.lm_head, present_keys, present_values

    def attend(self, q: Tensor, past_k: Tensor, past_v: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """q [KV, G, D], past [KV, P, D], new [KV, 1, D]: one softmax over past and new, without joining the caches"""
        past_length = past_k.shape[1]
        scores = torch.cat([q @ past_k.transpose(1, 2), q @ k.transpose(1, 2)], dim=2)
        weights = torch.softmax(scores, dim=-1)
        return weights[:, :, :past_length] @ past_v + weights[:, :, past_length:] @ v


class FusedDecoder(Decoder):
    """Prefill and step in one graph, for rows of unequal length. Row b has `input_lengths[b]` new positions, of S,
    after `past_lengths[b]` past ones, of C; both stand at the front. What stands behind must be finite, and is not
    looked at. With K lengths for each row, one row after the other, there are K logits for each: those of the position
    at which each length ends."""

    def forward(self, input_embeds: Tensor, input_lengths: Tensor, past_lengths: Tensor, *past: Tensor):
        """[B, S, H], lengths i64 [B * K], [B], past [B, KV, C, D] 2 * L times -> logits [B, K, V], new [B, KV, S, D]."""
        x = input_embeds
        rows, length, hidden = x.shape
        positions = torch.arange(length)
        cos, sin, places = self.angles(past_lengths[:, None] + positions[None, :])
        scaled = (cos * self.size**-0.5, sin * self.size**-0.5)  # of queries, so that scores need no scaling
        in_past = (torch.arange(past[0].shape[2])[None, :] < past_lengths[:, None])[:, None]  # [B, 1, C]
        is_before = (positions[None, :] <= positions[:, None])[None]  # [1, S, S]
        mask = additive(in_past, is_before)
        normed = rms_norm(x, self.layers[0].input_norm, self.epsilon)
        new = []
        for i, (layer, following) in enumerate(zip(self.layers, [*self.layers[1:], None], strict=True)):
            keys = rotate_heads(self.heads_of(normed @ layer.k, layer.k_norm), places, cos, sin)
            values = self.heads_of(normed @ layer.v)
            new += [keys, values]
            if following is None:  # only these positions reach the logits
                ends = by_rows(input_lengths, past_lengths)
                places = (torch.arange(rows) * length)[:, None] + ends - 1
                normed, x = (embedding(places, reshape(t, (-1, hidden))) for t in (normed, x))
                mask = additive(in_past, positions < ends[:, :, None])
            q = rotate_heads(self.heads_of(normed @ layer.q, layer.q_norm), places, *scaled)
            attended = self.attend(q, past[2 * i], past[2 * i + 1], keys, values, mask)
            normed, x = skip_rms_norm(self.merge(attended) @ layer.o, x, layer.post_norm, self.epsilon)
            after = following.input_norm if following is not None else self.norm
            normed, x = skip_rms_norm(layer.feed_forward(normed), x, after, self.epsilon)
        return normed @ self.lm_head, *new

    def heads_of(self, projected: Tensor, norm: Tensor | None = None) -> Tensor:
        """[B, S, heads * D] -> [B, heads, S, D], normalized where there is a norm"""
        split = reshape(projected, (0, 0, -1, self.size))
        return (split if norm is None else rms_norm(split, norm, self.epsilon)).transpose(1, 2)

    def attend(self, q: Tensor, past_k: Tensor, past_v: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
        """q [B, KV * G, S, D], scaled; past [B, KV, C, D], new [B, KV, T, D], mask [B, 1, 1, S, C + T] -> [B, KV, G, S, D]

        Past and new meet as scores, never as keys: a joined cache would be a copy of the past in every layer. Heads of
        one group meet their keys by broadcasting, which copies none, and makes each product of a step one of a vector and
        a matrix, for which the runtime has kernels that read the cache as it is. The heads of a group come one after the
        other, so that the second one finds the keys in the processor's cache. The transposed keys are written as ONNX's
        own Transpose and MatMul: onnxruntime fuses the two on the CPU, and other providers have no kernel of the fused one.
        """
        grouped = reshape(q, (0, self.kv_heads, self.heads // self.kv_heads, -1, self.size))
        scores = [grouped @ keys.unsqueeze(2).transpose(3, 4) for keys in (past_k, k)]
        weights = torch.softmax(torch.cat(scores, dim=4) + mask, dim=-1)
        of_past, of_new = torch.split(weights, [past_k.shape[2], k.shape[2]], dim=4)
        return of_past @ past_v.unsqueeze(2) + of_new @ v.unsqueeze(2)


def additive(in_past: Tensor, in_new: Tensor) -> Tensor:
    """What may be looked at, bool [B, 1, C] and [B or 1, Q, T] -> f32 [B, 1, 1, Q, C + T], to be added to scores"""
    rows, queries = in_past.shape[0], in_new.shape[1]
    # numbers are joined, not truth values: WebGPU joins those on the processor, and waits for it
    masks = [torch.where(part, 0.0, torch.finfo(torch.float32).min) for part in (in_past, in_new)]
    return torch.cat([mask.expand(rows, queries, mask.shape[2]) for mask in masks], dim=2)[:, None, None]
