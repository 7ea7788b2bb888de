# SPDX-License-Identifier: Apache-2.0

"""What a weight is in a format: its bytes, and its values after rounding."""

import numpy as np

from formats import Blocks, Columns, parse
from levels import unpacked


def bytes_of(name: str, shape: tuple[int, ...]) -> int:
    """The bytes of a weight [K, N] with its scales and zero points."""
    chosen, (rows, columns) = parse(name), shape
    if chosen is None:
        return 4 * rows * columns
    if isinstance(chosen, Columns):
        return rows * columns + 4 * columns
    if not isinstance(chosen, Blocks):
        return 2 * rows * columns
    groups = -(-rows // chosen.size)
    zero_points = 0 if chosen.symmetric else -(-groups * chosen.bits // 8)
    return columns * (groups * (chosen.size * chosen.bits // 8 + 4) + zero_points)


def rounded(name: str, values: np.ndarray) -> np.ndarray:
    """[K, N] float32 -> the values that products see, rounded to nearest."""
    chosen = parse(name)
    if chosen is None:
        return values
    if isinstance(chosen, Blocks):
        return unpacked(chosen.quantize(values), chosen).values()
    if isinstance(chosen, Columns):
        (_, levels), (_, scales) = chosen.quantize(values)
        return levels * scales
    return values.astype(np.float16).astype(np.float32)
