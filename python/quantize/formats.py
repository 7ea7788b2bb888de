"""The formats that a quantized weight can have, by the names that recipes give them: a closed list.

f32: left as it is. qBbN: MatMulNBits with B bits and a scale for each block of N weights along K, with zero points;
qBbNs: without. Rounded to nearest by onnxruntime's own kernel.
"""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, DefaultWeightOnlyQuantizer

from protocol import UserError

BITS = (4, 8)
BLOCKS = (16, 32, 64, 128, 256)
# selectors that stand for several patterns of weight names
GROUPS = {
    "attention": [f"layers.*.{name}" for name in "qkvo"],
    "mlp": [f"layers.*.{name}" for name in ("gate", "up", "down")],
}


@dataclass(frozen=True)
class Blocks:
    """MatMulNBits: `bits` a weight, `size` weights along K to a scale."""

    bits: int
    size: int
    symmetric: bool

    def quantize(self, values: np.ndarray) -> list[tuple[str, np.ndarray]]:
        """[K, N] float32 -> the node's inputs by their suffixes: levels [N, K / size, size * bits / 8], scales, zero points"""
        config = DefaultWeightOnlyQuantConfig(block_size=self.size, is_symmetric=self.symmetric, bits=self.bits)
        packed, scales, zero_points = DefaultWeightOnlyQuantizer(config).qbits_block_quant(values)
        parts = [(f"_Q{self.bits}", packed), ("_scales", scales)]
        return parts if self.symmetric else [*parts, ("_zero_points", zero_points)]


def parse(name: str) -> Blocks | None:
    """None for f32."""
    if name == "f32":
        return None
    match = re.fullmatch(r"q(\d+)b(\d+)(s?)", name)
    if match is None or int(match[1]) not in BITS or int(match[2]) not in BLOCKS:
        raise UserError(
            f"There is no format {name}.", f"Wanted f32 or q{{bits}}b{{block}}: bits {BITS}, block {BLOCKS}."
        )
    return Blocks(int(match[1]), int(match[2]), match[3] == "s")


def rule_of(rules: list[tuple[str, str]], weight: str) -> int | None:
    """The index of the first rule whose selector fits a weight's name; None: the weight stays f32."""
    for i, (selector, _) in enumerate(rules):
        if any(fnmatchcase(weight, pattern) for pattern in GROUPS.get(selector, [selector])):
            return i
    return None


def choose(rules: list[tuple[str, str]], weight: str) -> Blocks | None:
    """The format of a weight by the first rule that fits its name; f32 when none does."""
    i = rule_of(rules, weight)
    return None if i is None else parse(rules[i][1])


def require_used(rules: list[tuple[str, str]], weights: set[str]) -> None:
    """Raise UserError for a rule that decides about no weight: a name that is spelled wrong changes nothing, silently."""
    used = {rule_of(rules, weight) for weight in weights}
    names = sorted({re.sub(r"\.\d+\.", ".*.", weight) for weight in weights})
    for i, (selector, _) in enumerate(rules):
        if i not in used:
            raise UserError(
                f"The recipe's rule for {selector} decides about no weight.",
                f"Wanted {', '.join(GROUPS)}, or a pattern of names that no rule before it takes: {', '.join(names)}.",
            )
