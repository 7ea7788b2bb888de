# SPDX-License-Identifier: Apache-2.0

"""Gelu by the error function, as the encoder's graph has it."""

from math import erf, sqrt

import numpy as np

_erf = np.vectorize(erf, otypes=[np.float64])


def gelu(values: np.ndarray) -> np.ndarray:
    """x * (1 + erf(x / sqrt 2)) / 2, of any shape."""
    return values * (0.5 + 0.5 * _erf(values / sqrt(2)))
