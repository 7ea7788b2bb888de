# SPDX-License-Identifier: Apache-2.0

"""Weights as ggml stores them: rows of blocks, each with scales of its own.

Layouts: ggml-quants.c of ggml (dequantize_row_q8_0, _q4_K, _q6_K). A matrix [rows, columns] becomes bytes [rows, bytes of a row].
Scales are the plain ones of largest and smallest value: no search for better ones, which speed and size do not depend on.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

SUPER = 256  # values of a block of Q4_K and Q6_K
LEVELS_6_BIT, LEVELS_4_BIT = 63, 15


@dataclass(frozen=True)
class Format:
    """`name` as in GGMLQuantizationType of the gguf package; `encode` takes float32 [rows, columns]."""

    name: str
    block: int
    encode: Callable[[np.ndarray], np.ndarray]


def to_f32(values: np.ndarray) -> np.ndarray:
    """As little-endian float32, of the same shape."""
    return values.astype("<f4", copy=False)


def to_f16(values: np.ndarray) -> np.ndarray:
    """As little-endian float16, of the same shape."""
    return values.astype("<f2")


def to_q8_0(values: np.ndarray) -> np.ndarray:
    """Blocks of 32: a scale (f16) and 32 levels (i8)."""
    blocks = values.reshape(-1, 32)
    scale = as_half(np.abs(blocks).max(axis=1) / 127)
    levels = nearest(blocks, scale[:, None]).clip(-127, 127).astype(np.int8)
    return rows_of(values, [as_bytes(scale), levels.view(np.uint8)])


def to_q4_k(values: np.ndarray) -> np.ndarray:
    """Blocks of 256: two scales (f16) for 8 scales and 8 minima of 6 bits (12 bytes), then 256 levels of 4 bits.

    A value is scale * level - minimum. The first half of each 32 bytes' nibbles (the low ones) are 32 values in a row, the
    high ones the next 32.
    """
    parts = values.reshape(-1, 8, 32)
    least = np.minimum(parts.min(axis=2), 0)
    step = (parts.max(axis=2) - least) / LEVELS_4_BIT
    scale, scales = six_bits(step)
    offset, offsets = six_bits(-least)
    steps, minima = scale[:, None] * scales, offset[:, None] * offsets
    levels = nearest(parts + minima[..., None], steps[..., None]).clip(0, LEVELS_4_BIT).astype(np.uint8)
    pairs = levels.reshape(-1, 4, 2, 32)
    packed = (pairs[:, :, 0] | pairs[:, :, 1] << 4).reshape(-1, 128)
    return rows_of(values, [as_bytes(scale), as_bytes(offset), pack_six_bits(scales, offsets), packed])


def to_q6_k(values: np.ndarray) -> np.ndarray:
    """Blocks of 256: low 4 bits of the levels (128 bytes), high 2 bits (64), 16 scales (i8), a scale of scales (f16).

    A value is scale * (level - 32). Each half of a block has 128 values: byte l of its 64 has the low bits of values l and
    l + 64, byte l of its 32 the high bits of values l, l + 32, l + 64 and l + 96.
    """
    parts = values.reshape(-1, 16, 16)
    step = np.abs(parts).max(axis=2) / 31
    scale = as_half(step.max(axis=1) / 127)
    scales = nearest(step, scale[:, None]).clip(0, 127).astype(np.int8)
    levels = nearest(parts, (scale[:, None] * scales)[..., None]).clip(-32, 31).astype(np.int16)
    halves = (levels + 32).astype(np.uint8).reshape(-1, 2, 4, 32)
    low, high = halves & 15, halves >> 4
    lows = np.concatenate([low[:, :, 0] | low[:, :, 2] << 4, low[:, :, 1] | low[:, :, 3] << 4], axis=2)
    highs = high[:, :, 0] | high[:, :, 1] << 2 | high[:, :, 2] << 4 | high[:, :, 3] << 6
    return rows_of(values, [lows.reshape(-1, 128), highs.reshape(-1, 64), scales.view(np.uint8), as_bytes(scale)])


def six_bits(steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[blocks, 8] -> a scale for each block and whole numbers of 6 bits, whose products are nearest"""
    scale = as_half(steps.max(axis=1) / LEVELS_6_BIT)
    return scale, nearest(steps, scale[:, None]).clip(0, LEVELS_6_BIT).astype(np.uint8)


def pack_six_bits(scales: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Two times 8 numbers of 6 bits in 12 bytes: of the last four of each, the high 2 bits are in the bytes of the first four."""
    low_scales, high_scales = scales[:, :4], scales[:, 4:]
    low_offsets, high_offsets = offsets[:, :4], offsets[:, 4:]
    first = low_scales | (high_scales >> 4) << 6
    second = low_offsets | (high_offsets >> 4) << 6
    third = (high_scales & 15) | (high_offsets & 15) << 4
    return np.concatenate([first, second, third], axis=1)


def as_half(scales: np.ndarray) -> np.ndarray:
    """As a reader sees them: rounded to f16."""
    return scales.astype("<f2").astype(np.float32)


def as_bytes(scales: np.ndarray) -> np.ndarray:
    """Scales of any shape as float16 -> uint8 [scales, 2]."""
    return scales.astype("<f2").reshape(-1, 1).view(np.uint8)


def nearest(values: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """The nearest multiples of `steps`, as counts of them; 0 where the step is 0."""
    return np.rint(values / np.where(steps == 0, 1, steps))


def rows_of(values: np.ndarray, parts: list[np.ndarray]) -> np.ndarray:
    """Parts of blocks, uint8 [blocks, bytes] each -> [rows of `values`, bytes of a row]."""
    return np.concatenate(parts, axis=1).reshape(values.shape[0], -1)


F32 = Format("F32", 1, to_f32)
F16 = Format("F16", 1, to_f16)
Q8_0 = Format("Q8_0", 32, to_q8_0)
Q4_K = Format("Q4_K", SUPER, to_q4_k)
Q6_K = Format("Q6_K", SUPER, to_q6_k)
