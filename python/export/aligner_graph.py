# SPDX-License-Identifier: Apache-2.0

"""The forced aligner's decoder as an export graph: a whole prompt -> the class of each timestamp slot.

Reference: transformers `Qwen3ASRForTokenClassification`. B rows, S positions, T slots of a row, H hidden size, C classes,
KV key/value heads, G query heads for each, D head size.
"""

from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import embedding

from decoder_graph import Decoder
from fused_ops import reshape, rms_norm, skip_rms_norm
from weights import Weights

HEAD = "score.weight"
BLOCKS = 4  # of queries: with more, short recordings take longer and long ones hardly less


class Aligner(Decoder):
    """Nothing is generated, so there is no cache. The last layer's queries and the head are computed for the slots alone.
    Row b has `input_lengths[b]` positions, which stand in front; what stands behind must be finite, and is not looked at.
    """

    def __init__(self, weights: Weights) -> None:
        super().__init__(weights, HEAD)

    def forward(self, input_embeds: Tensor, input_lengths: Tensor, slots: Tensor) -> Tensor:
        """f32 [B, S, H], i64 [B], i64 [B, T] -> f32 [B, T, C]"""
        x = input_embeds
        rows, length, hidden = x.shape
        positions = torch.arange(length)
        cos, sin, _ = self.angles(positions[None])
        places = positions[None].expand(rows, length)
        is_there = (positions[None, :] < input_lengths[:, None])[:, None]  # [B, 1, S]
        mask = additive(is_there & (positions[None, :] <= positions[:, None])[None])
        normed = rms_norm(x, self.layers[0].input_norm, self.epsilon)
        for layer, following in zip(self.layers, [*self.layers[1:], None], strict=True):
            keys, values = self.split(layer, normed, (cos, sin, places))
            if following is None:  # only these positions reach the logits
                flat = (torch.arange(rows) * length)[:, None] + slots
                normed, x = (embedding(flat, reshape(t, (-1, hidden))) for t in (normed, x))
                places, mask = slots, additive(is_there & (positions[None, None, :] <= slots[:, :, None]))
            q = self.queries(layer, normed, (cos, sin, places)) * self.size**-0.5
            attend = self.attend if following is None else self.attend_before
            attended = attend(q, keys, values, mask)
            normed, x = skip_rms_norm(self.merge(attended) @ layer.o, x, layer.post_norm, self.epsilon)
            after = following.input_norm if following is not None else self.norm
            normed, x = skip_rms_norm(layer.feed_forward(normed), x, after, self.epsilon)
        return normed @ self.lm_head

    def attend_before(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
        """As `attend` for queries of all positions, a block of them after the other: each with the keys up to its own end, as
        the others are masked. That saves three eighths of the work, and holds the scores of one block alone."""
        length = q.shape[3]
        ends = [length * i // BLOCKS for i in range(BLOCKS + 1)]
        blocks = [
            self.attend(q[:, :, :, start:end], k[:, :, :end], v[:, :, :end], mask[:, :, :, start:end, :end])
            for start, end in pairwise(ends)
        ]
        return torch.cat(blocks, dim=3)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
        """q [B, KV, G, Q, D], scaled; k and v [B, KV, S, D], mask [B, 1, 1, Q, S] -> [B, KV, G, Q, D]"""
        scores = q @ k.unsqueeze(2).transpose(3, 4)
        return torch.softmax(scores + mask, dim=-1) @ v.unsqueeze(2)


def additive(allowed: Tensor) -> Tensor:
    """What may be looked at, bool [B, Q, S] -> f32 [B, 1, 1, Q, S], to be added to scores"""
    return torch.where(allowed, 0.0, torch.finfo(torch.float32).min)[:, None, None]
