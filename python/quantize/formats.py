# SPDX-License-Identifier: Apache-2.0

"""The formats that a weight can have, by the names that recipes give them: a closed list.

f32: left as it is. f16: the whole graph computes in float16 (half_graph.py). bf16: stored as bfloat16 where that loses
nothing, computed in float32; of encoders. qBbN: MatMulNBits with B bits and a scale for each block of N weights along K,
with zero points; qBbNs: without. i8: int8 with a scale for each column (int8_products.py) or output channel of a
convolution (int8_convolutions.py). Blocks are rounded to nearest by onnxruntime's own kernel; convolutions cannot have them.
"""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

import ml_dtypes
import numpy as np
from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, DefaultWeightOnlyQuantizer

from int8_products import quantize_columns
from protocol import UserError

BITS = (2, 4, 8)
BLOCKS = (16, 32, 64, 128, 256)
# selectors that stand for several patterns of weight names
GROUPS = {
    "attention": [f"layers.*.{name}" for name in ("q", "k", "v", "o", "out")],
    "mlp": [f"layers.*.{name}" for name in ("gate", "up", "down", "fc1", "fc2")],
}

Rules = list[tuple[str, str]]
Parts = list[tuple[str, np.ndarray]]


@dataclass(frozen=True)
class Blocks:
    """MatMulNBits: `bits` a weight, `size` weights along K to a scale."""

    bits: int
    size: int
    symmetric: bool

    def require_fit(self, weight: str, rows: int) -> None:
        """@raises UserError when blocks do not divide K = rows, with sizes that do"""
        if rows % self.size == 0:
            return
        fit = [str(size) for size in BLOCKS if rows % size == 0]
        raise UserError(
            f"{weight} has K = {rows}, which blocks of {self.size} do not divide.",
            f"Block sizes that do: {', '.join(fit)}." if fit else "No block size does: leave the weight f32.",
        )

    def quantize(self, values: np.ndarray) -> Parts:
        """[K, N] float32 -> the node's inputs by their suffixes: levels [N, K / size, size * bits / 8], scales, zero points"""
        config = DefaultWeightOnlyQuantConfig(block_size=self.size, is_symmetric=self.symmetric, bits=self.bits)
        return self.named(*DefaultWeightOnlyQuantizer(config).qbits_block_quant(values))

    def named(self, packed: np.ndarray, scales: np.ndarray, zero_points: np.ndarray | None) -> Parts:
        """The node's inputs by their suffixes, as of `quantize`; symmetric blocks have no zero points."""
        parts = [(f"_Q{self.bits}", packed), ("_scales", scales)]
        return parts if self.symmetric else [*parts, ("_zero_points", zero_points)]


@dataclass(frozen=True)
class Columns:
    """i8"""

    def require_fit(self, weight: str, rows: int) -> None:
        """Any does."""

    def quantize(self, values: np.ndarray) -> Parts:
        """[K, N] float32 -> levels [K, N] int8, scales [N]"""
        levels, scales = quantize_columns(values)
        return [("_I8", levels), ("_scales", scales)]


@dataclass(frozen=True)
class Half:
    """f16"""

    def require_fit(self, weight: str, rows: int) -> None:
        """Any does."""


@dataclass(frozen=True)
class Bfloat:
    """bf16"""

    def require_fit(self, weight: str, rows: int) -> None:
        """Any does: one that bfloat16 does not hold stays float32."""

    def quantize(self, values: np.ndarray) -> Parts:
        """float32 -> its upper halves; nothing when a lower half is not zero"""
        bits = values.view(np.uint32)
        if np.any(bits & np.uint32(0xFFFF)):
            return []
        return [("_BF16", (bits >> np.uint32(16)).astype(np.uint16).view(ml_dtypes.bfloat16))]


Encoded = Blocks | Columns | Bfloat  # weight by weight
Format = Encoded | Half
NAMED: dict[str, type[Half] | type[Bfloat] | type[Columns]] = {"f16": Half, "bf16": Bfloat, "i8": Columns}


def parse(name: str) -> Format | None:
    """None for f32."""
    if name == "f32":
        return None
    if name in NAMED:
        return NAMED[name]()
    match = re.fullmatch(r"q(\d+)b(\d+)(s?)", name)
    if match is None or int(match[1]) not in BITS or int(match[2]) not in BLOCKS:
        raise UserError(
            f"There is no format {name}.",
            f"Wanted f32, f16, bf16, i8 or q{{bits}}b{{block}}: bits {listed(BITS)}; blocks of {listed(BLOCKS)} weights.",
        )
    return Blocks(int(match[1]), int(match[2]), match[3] == "s")


def listed(numbers: tuple[int, ...]) -> str:
    """2, 4 or 8"""
    return f"{', '.join(map(str, numbers[:-1]))} or {numbers[-1]}"


def is_auto(selector: str) -> bool:
    """Whether a rule's weights are chosen by what they cost on a calibration (auto.py)."""
    return selector.startswith("auto:")


def rule_of(rules: Rules, weight: str) -> int | None:
    """The index of the first rule whose selector fits a weight's name; None: the weight stays f32."""
    for i, (selector, _) in enumerate(rules):
        if any(fnmatchcase(weight, pattern) for pattern in GROUPS.get(selector, [selector])):
            return i
    return None


def name_of(rules: Rules, weight: str) -> str:
    """The name of a weight's format by the first rule that fits its name; f32 when none does."""
    i = rule_of(rules, weight)
    return "f32" if i is None else rules[i][1]


def choose(rules: Rules, weight: str) -> Format | None:
    """The format of a weight, as `name_of` names it."""
    return parse(name_of(rules, weight))


def convolution_name_of(rules: Rules, weight: str) -> str:
    """As `name_of` of a convolution's weight: `*` with a format of blocks leaves it f32."""
    i = rule_of(rules, weight)
    if i is None or (rules[i][0] == "*" and isinstance(parse(rules[i][1]), Blocks)):
        return "f32"
    return rules[i][1]


def require_convolution(rules: Rules, weight: str) -> None:
    """Raise UserError for a rule that gives a convolution's weight a format of blocks by name."""
    name = convolution_name_of(rules, weight)
    if isinstance(parse(name), Blocks):
        raise UserError(
            f"{weight} is a convolution, which {name} cannot be a format of.",
            "Wanted i8, bf16, f16 or f32.",
        )


def require_rules(rules: Rules, weights: set[str]) -> None:
    """Raise UserError for a format that there is not, a rule that decides about no weight, and rules that change none."""
    chosen = [parse(name) for _, name in rules]
    require_used(rules, weights)
    if not any(chosen):
        raise UserError(
            "The recipe changes no weight: none of its rules has a format other than f32.",
            'Give a rule such as ["*", "q4b64"].',
        )
    if any(isinstance(one, Half) for one in chosen):
        others = [name for (_, name), one in zip(rules, chosen, strict=True) if one and not isinstance(one, Half)]
        if others:
            raise UserError(
                f"The recipe has f16 and {others[0]} in one graph: f16 is a format of the whole graph.",
                "Only f32 can be used beside f16.",
            )


def require_used(rules: Rules, weights: set[str]) -> None:
    """Raise UserError for a rule that decides about no weight: a name that is spelled wrong changes nothing, silently."""
    used = {rule_of(rules, weight) for weight in weights}
    names = sorted({re.sub(r"\.\d+(?=\.|$)", ".*", weight) for weight in weights})
    for i, (selector, _) in enumerate(rules):
        if i in used:
            continue
        own = [weight for weight in weights if rule_of([rules[i]], weight) is not None]
        takers = [taker for weight in own if (taker := rule_of(rules, weight)) is not None]
        if takers:
            earlier = rules[min(takers)][0]
            hint = f"An earlier rule takes its weights: put {selector} before {earlier}."
        else:
            hint = f"Wanted {', '.join(GROUPS)}, or a pattern of names: {', '.join(names)}."
        raise UserError(f"The recipe's rule for {selector} decides about no weight.", hint)
