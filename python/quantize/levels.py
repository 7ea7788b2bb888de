# SPDX-License-Identifier: Apache-2.0

"""The levels of a weight in blocks: how MatMulNBits packs them, and what values they stand for."""

from dataclasses import dataclass

import numpy as np

from formats import Blocks


@dataclass(frozen=True)
class Levels:
    """A weight [K, N] whose blocks of `size` along K share a scale: value = (level - zero point) * scale."""

    levels: np.ndarray  # [K, N] uint8
    scales: np.ndarray  # [K / size, N] float32
    zero_points: np.ndarray  # [K / size, N] uint8

    def values(self) -> np.ndarray:
        """[K, N] float32, what the weight is after quantization"""
        groups, columns = self.scales.shape
        levels = self.levels.reshape(groups, -1, columns).astype(np.float32)
        levels -= self.zero_points[:, None]
        levels *= self.scales[:, None]
        return levels.reshape(-1, columns)

    def packed(self, blocks: Blocks) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Levels [N, K / size, size * bits / 8], scales [N, K / size], zero points [N, bytes of K / size]"""
        groups, columns = self.scales.shape
        levels = pack(np.ascontiguousarray(self.levels.T), blocks.bits).reshape(columns, groups, -1)
        scales = np.ascontiguousarray(self.scales.T, np.float32)
        return levels, scales, pack(np.ascontiguousarray(self.zero_points.T), blocks.bits, zero_of(blocks.bits))


def unpacked(parts: list[tuple[str, np.ndarray]], blocks: Blocks) -> Levels:
    """The inverse of `Levels.packed`: of what Blocks.quantize gives."""
    levels, scales, *zero_points = [part for _, part in parts]
    columns, groups = scales.shape
    zeros = np.full(scales.shape, zero_of(blocks.bits), np.uint8)
    if zero_points:
        zeros = unpack(zero_points[0], blocks.bits)[:, :groups]
    whole = unpack(levels.reshape(columns, -1), blocks.bits)
    return Levels(*(np.ascontiguousarray(part.T) for part in (whole, scales, zeros)))


def zero_of(bits: int) -> int:
    """The zero point of symmetric blocks, which MatMulNBits takes when it is given none."""
    return 1 << (bits - 1)


def pack(rows: np.ndarray, bits: int, filling: int = 0) -> np.ndarray:
    """[R, C] uint8 below 2^bits -> [R, ceil(C * bits / 8)]: the first stands in the lowest bits of a byte."""
    each = 8 // bits
    padded = np.pad(rows, ((0, 0), (0, -rows.shape[1] % each)), constant_values=filling)
    whole = np.zeros((len(rows), padded.shape[1] // each), np.uint8)
    for i in range(each):
        whole |= padded[:, i::each] << np.uint8(i * bits)
    return whole


def unpack(whole: np.ndarray, bits: int) -> np.ndarray:
    """[R, C] bytes -> [R, C * 8 / bits] uint8 below 2^bits"""
    each = 8 // bits
    rows = np.empty((len(whole), whole.shape[1] * each), np.uint8)
    for i in range(each):
        rows[:, i::each] = (whole >> np.uint8(i * bits)) & np.uint8((1 << bits) - 1)
    return rows
