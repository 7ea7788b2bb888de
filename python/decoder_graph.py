"""The Qwen3 decoder as two export graphs over the same weights: prefill and one step.

decoder_init: prompt and audio features -> logits of the last position, keys and values of all positions.
decoder_step: one embedding and the past -> logits, keys and values with one position more.
Reference: transformers `Qwen3Model` inside `Qwen3ASRForConditionalGeneration`.
L layers, KV key/value heads, G query heads for each, D head size, S prompt, P past, N audio tokens.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, silu

from fused_ops import rms_norm, rotate, skip_rms_norm
from weights import Weights

EMBEDDING = "model.language_model.embed_tokens.weight"


class Decoder(nn.Module):
    """What both graphs share: layers, final norm, lm_head."""

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        config = weights.checkpoint.text
        model = "model.language_model."
        self.heads, self.kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
        self.size = config["head_dim"]
        self.epsilon = config["rms_norm_eps"]
        layers = range(config["num_hidden_layers"])
        self.layers = nn.ModuleList(DecoderLayer(weights, f"{model}layers.{i}.") for i in layers)
        self.norm = weights.vector(model + "norm.weight")
        self.lm_head = weights.matrix(EMBEDDING if config["tie_word_embeddings"] else "lm_head.weight")
        exponents = torch.arange(0, self.size, 2, dtype=torch.float) / self.size
        self.register_buffer("inverse_frequencies", 1.0 / (config["rope_theta"] ** exponents))

    def angles(self, position_ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """i64 [1, S] -> cos, sin [S, D/2] and the rows of them that S tokens use, i64 [1, S]"""
        angle = position_ids[0, :, None].float() * self.inverse_frequencies[None, :]
        return angle.cos(), angle.sin(), torch.arange(position_ids.shape[1])[None, :]

    def split(self, layer: "DecoderLayer", normed: Tensor, angles) -> tuple[Tensor, Tensor]:
        """normed [1, S, H] -> keys, values [1, KV, S, D]"""
        length = normed.shape[1]
        keys = (normed @ layer.k).reshape(1, length, self.kv_heads, self.size)
        keys = rms_norm(keys, layer.k_norm, self.epsilon).reshape(1, length, self.kv_heads * self.size)
        keys = rotate(keys, angles[2], angles[0], angles[1], self.kv_heads)
        values = normed @ layer.v
        shape = (1, length, self.kv_heads, self.size)
        return keys.reshape(shape).transpose(1, 2), values.reshape(shape).transpose(1, 2)

    def queries(self, layer: "DecoderLayer", normed: Tensor, angles) -> Tensor:
        """normed [1, S, H] -> [KV, G, S, D], scaled; heads of one group stand together, so keys are not repeated"""
        length = normed.shape[1]
        q = (normed @ layer.q).reshape(1, length, self.heads, self.size)
        q = rms_norm(q, layer.q_norm, self.epsilon).reshape(1, length, self.heads * self.size)
        q = rotate(q, angles[2], angles[0], angles[1], self.heads) * self.size**-0.5
        groups = self.heads // self.kv_heads
        return q.reshape(length, self.kv_heads, groups, self.size).permute(1, 2, 0, 3)

    def merge(self, attended: Tensor) -> Tensor:
        """[KV, G, S, D] -> [1, S, heads * D]"""
        length = attended.shape[2]
        return attended.permute(2, 0, 1, 3).reshape(1, length, self.heads * self.size)


class DecoderLayer(nn.Module):
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
        return (silu(x @ self.gate) * (x @ self.up)) @ self.down


class DecoderInit(Decoder):
    def __init__(self, weights: Weights) -> None:
        super().__init__(weights)
        self.embed_tokens = weights.vector(EMBEDDING)

    def forward(self, input_ids: Tensor, position_ids: Tensor, audio_features: Tensor, audio_offset: Tensor):
        x = self.place_audio(embedding(input_ids, self.embed_tokens), audio_features, audio_offset)
        length = x.shape[1]
        angles = self.angles(position_ids)
        rows = torch.arange(length)
        mask = torch.where(rows[None, :] <= rows[:, None], 0.0, torch.finfo(torch.float32).min)  # [S, S]
        normed = rms_norm(x, self.layers[0].input_norm, self.epsilon)
        all_keys, all_values = [], []
        for layer, following in zip(self.layers, [*self.layers[1:], None]):
            keys, values = self.split(layer, normed, angles)
            all_keys.append(keys)
            all_values.append(values)
            if following is None:  # only the last position reaches the logits
                normed, x, angles, mask = normed[:, -1:], x[:, -1:], self.last(angles), None
            attended = self.attend(self.queries(layer, normed, angles), keys[0], values[0], mask)
            normed, x = skip_rms_norm(self.merge(attended) @ layer.o, x, layer.post_norm, self.epsilon)
            after = following.input_norm if following is not None else self.norm
            normed, x = skip_rms_norm(layer.feed_forward(normed), x, after, self.epsilon)
        return normed @ self.lm_head, torch.stack(all_keys), torch.stack(all_values)

    def place_audio(self, embeds: Tensor, audio_features: Tensor, audio_offset: Tensor) -> Tensor:
        """Overwrite the rows from audio_offset on. embeds [1, S, H], audio_features [1, N, H]"""
        rows = audio_offset + torch.arange(audio_features.shape[1])
        return torch.index_put(embeds[0], (rows,), audio_features[0])[None]

    def last(self, angles):
        cos, sin, rows = angles
        return cos[-1:], sin[-1:], rows[:, :1]

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        """q [KV, G, S, D], k and v [KV, S, D], mask [S, S] -> [KV, G, S, D]"""
        scores = q @ k[:, None].transpose(2, 3)
        masked = scores if mask is None else scores + mask
        return torch.softmax(masked, dim=-1) @ v[:, None]


class DecoderStep(Decoder):
    def forward(self, input_embeds: Tensor, position_ids: Tensor, past_keys: Tensor, past_values: Tensor):
        x = input_embeds
        angles = self.angles(position_ids)
        normed = rms_norm(x, self.layers[0].input_norm, self.epsilon)
        new_keys, new_values = [], []
        pasts = zip(past_keys.unbind(0), past_values.unbind(0))
        for layer, following, past in zip(self.layers, [*self.layers[1:], None], pasts):
            keys, values = self.split(layer, normed, angles)
            new_keys.append(keys)
            new_values.append(values)
            q = self.queries(layer, normed, angles)[:, :, 0]
            attended = self.attend(q, past[0][0], past[1][0], keys[0], values[0])[:, :, None]
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
