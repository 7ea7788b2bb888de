# SPDX-License-Identifier: Apache-2.0

"""The decoder of an FP32 release in PyTorch: weights by name, read one at a time, and the function of one layer.

Weights are those of decoder.onnx: layers.N.{input_norm,q,k,v,q_norm,k_norm,o,post_norm,gate,up,down}, norm, lm_head;
matrices [K, N]. P positions of all clips stand after each other; H is the hidden size.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx_ir as ir
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention, silu

from protocol import UserError
from tensors import values_of

GRAPHS = ("decoder.onnx", "decoder_step.onnx", "decoder_init.onnx")  # any has all weights
EMBEDDINGS = "embed_tokens.bin"
# weights with the same inputs, and after which norm they stand
GROUPS = {"qkv": ("q", "k", "v"), "o": ("o",), "gate_up": ("gate", "up"), "down": ("down",)}
GROUP_OF = {role: group for group, roles in GROUPS.items() for role in roles}
ROLES = tuple(GROUP_OF)
NORMS = ("input_norm", "post_norm", "q_norm", "k_norm")


@dataclass(frozen=True)
class Sizes:
    """Sizes of the decoder, from config.json."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head: int
    vocabulary: int
    theta: float
    epsilon: float


class ReleaseDecoder:
    """The decoder of a release. Weights are read when they are used."""

    def __init__(self, folder: str | Path) -> None:
        """folder: with config.json, the FP32 graphs and embed_tokens.bin. @raises UserError when one is not there"""
        self.folder = Path(folder)
        self.sizes = read_sizes(self.folder)
        graph = next((self.folder / name for name in GRAPHS if (self.folder / name).exists()), None)
        if graph is None or not (self.folder / EMBEDDINGS).exists():
            raise UserError(
                f"{self.folder} has no FP32 decoder: wanted {EMBEDDINGS} and one of {', '.join(GRAPHS)}.",
                "Make the release with --variants fp32 first.",
            )
        self._tensors = {name: value.const_value for name, value in ir.load(graph).graph.initializers.items()}

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a weight by its name."""
        return tuple(int(size) for size in self._tensor(name).shape)

    def values(self, name: str) -> np.ndarray:
        """A weight as float32. Only its own bytes are read."""
        return np.require(values_of(self._tensor(name)), requirements="W")

    def layer(self, index: int) -> dict[str, Tensor]:
        """The weights of a layer by their roles."""
        return {role: torch.from_numpy(self.values(f"layers.{index}.{role}")) for role in (*NORMS, *ROLES)}

    def weights(self) -> list[str]:
        """The names of all matrices, lm_head last."""
        return [f"layers.{i}.{role}" for i in range(self.sizes.layers) for role in ROLES] + ["lm_head"]

    def embed(self, ids: list[int]) -> Tensor:
        """[S] -> [S, H] float32"""
        table = np.memmap(self.folder / EMBEDDINGS, "<f2", "r", shape=(self.sizes.vocabulary, self.sizes.hidden))
        return torch.from_numpy(table[ids].astype(np.float32))

    def final_norm(self, x: Tensor) -> Tensor:
        """What lm_head reads. [..., H] -> the same"""
        return rms_norm(x, torch.from_numpy(self.values("norm")), self.sizes.epsilon)

    def _tensor(self, name: str) -> ir.TensorProtocol:
        if name not in self._tensors:
            raise UserError(
                f"The FP32 decoder in {self.folder} has no weight {name}.",
                "Make the release again: its graphs are old.",
            )
        return self._tensors[name]


def read_sizes(folder: Path) -> Sizes:
    """The sizes in the config.json of a release. @raises UserError when it is missing or lacks one"""
    try:
        own = json.loads((folder / "config.json").read_text(encoding="utf-8"))["decoder"]
        names = (
            "num_layers hidden_size num_attention_heads num_key_value_heads head_dim vocab_size rope_theta rms_norm_eps"
        )
        return Sizes(*(own[name] for name in names.split()))
    except (OSError, KeyError, ValueError) as error:
        raise UserError(
            f"The decoder's sizes cannot be read from {folder / 'config.json'}: {error!r}.",
            "Give the folder of a release that this tool made.",
        ) from error


def rms_norm(x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    """x [P, H], weight [H] -> [P, H]."""
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + epsilon) * weight


def forward(
    weights: dict[str, Tensor],
    x: Tensor,
    bounds: list[tuple[int, int]],
    sizes: Sizes,
    seen: dict[str, Tensor] | None = None,
) -> Tensor:
    """One layer. x [P, H], `bounds` the positions of each clip -> [P, H]. `seen` takes the inputs of each group, [P, K]."""
    normed = rms_norm(x, weights["input_norm"], sizes.epsilon)
    q = rms_norm((normed @ weights["q"]).unflatten(1, (sizes.heads, -1)), weights["q_norm"], sizes.epsilon)
    k = rms_norm((normed @ weights["k"]).unflatten(1, (sizes.kv_heads, -1)), weights["k_norm"], sizes.epsilon)
    v = (normed @ weights["v"]).unflatten(1, (sizes.kv_heads, -1))
    attended = torch.cat([attend(q[a:b], k[a:b], v[a:b], sizes) for a, b in bounds])
    x = x + attended @ weights["o"]
    after = rms_norm(x, weights["post_norm"], sizes.epsilon)
    active = silu(after @ weights["gate"]) * (after @ weights["up"])
    if seen is not None:
        seen |= {"qkv": normed, "o": attended, "gate_up": after, "down": active}
    return x + active @ weights["down"]


def attend(q: Tensor, k: Tensor, v: Tensor, sizes: Sizes) -> Tensor:
    """The positions of one clip: [S, heads, D] -> [S, heads * D]; heads of a group stand together."""
    angle = torch.arange(len(q))[:, None] / sizes.theta ** (torch.arange(0, sizes.head, 2) / sizes.head)
    q, k = (rotate(part, angle.cos()[:, None], angle.sin()[:, None]) for part in (q, k))
    heads = [part.transpose(0, 1)[None] for part in (q, k, v)]
    return scaled_dot_product_attention(*heads, is_causal=True, enable_gqa=True)[0].transpose(0, 1).flatten(1)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding of halves. x [S, heads, D], cos and sin [S, 1, D/2]"""
    first, second = x.chunk(2, -1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)
