# SPDX-License-Identifier: Apache-2.0

"""Smoothing: large channels of a norm's output are divided by s, and the rows of the weights behind it multiplied by s.

The function stays the same; activations and weights become easier to round. smoothquant:A looks at both (Xiao et al.,
arXiv 2211.10438), awq:A at the activations alone, as exporters before this one did.
"""

import re

import numpy as np
import torch

from calibration import Calibration
from protocol import UserError

BEHIND = {"input_norm": ("q", "k", "v"), "post_norm": ("gate", "up")}
NORM_OF = {weight: norm for norm, weights in BEHIND.items() for weight in weights}
GROUP = {"input_norm": "qkv", "post_norm": "gate_up"}
LIMITS = (1e-5, 1e5)


class Smoothing:
    """The divisors of a decoder's norms, found on a calibration."""

    def __init__(self, recipe: str, calibration: Calibration) -> None:
        """recipe: smoothquant:A or awq:A"""
        self.formula, self.alpha = parse(recipe)
        self.calibration = calibration
        self._scales: dict[str, np.ndarray] = {}

    def apply(self, name: str, values: np.ndarray) -> np.ndarray:
        """A norm divided by its s, a weight [K, N] behind one with its rows multiplied; any other as it is."""
        if is_norm(name):
            return values / self.of(name)
        norm = norm_before(name)
        return values if norm is None else values * self.of(norm)[:, None]

    def of(self, norm: str) -> np.ndarray:
        """s [K] float32 of a norm's channels."""
        if norm not in self._scales:
            self._scales |= self._of_layer(norm)
        return self._scales[norm]

    def _of_layer(self, norm: str) -> dict[str, np.ndarray]:
        """Of all norms of a layer: they need one forward."""
        if norm == "norm":
            return {norm: self._scales_of(self.calibration.head_inputs(), ["lm_head"])}
        prefix = norm.rpartition(".")[0]
        inputs = self.calibration.inputs(int(prefix.split(".")[1]))
        return {
            f"{prefix}.{role}": self._scales_of(inputs[GROUP[role]], [f"{prefix}.{weight}" for weight in weights])
            for role, weights in BEHIND.items()
        }

    def _scales_of(self, x: torch.Tensor, weights: list[str]) -> np.ndarray:
        absolute = x.abs()
        rows = [largest_of_rows(self.calibration.decoder.values(name)) for name in weights]
        largest, means = absolute.amax(0).numpy(), absolute.mean(0).numpy()
        return scales_of(self.formula, self.alpha, largest, means, np.max(rows, axis=0))


def parse(recipe: str) -> tuple[str, float]:
    """smoothquant:0.5 -> smoothquant, 0.5"""
    match = re.fullmatch(r"(smoothquant|awq):(\d*\.?\d+)", recipe)
    if match is None or float(match[2]) > 1:
        raise UserError(f"There is no smoothing {recipe}.", "Wanted smoothquant:A or awq:A, A from 0 to 1.")
    return match[1], float(match[2])


def scales_of(formula: str, alpha: float, largest: np.ndarray, means: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Largest and mean |x| of each channel, and the largest |w| that it meets -> s [K]"""
    return awq(means, alpha) if formula == "awq" else smoothquant(largest, rows, alpha)


def smoothquant(activations: np.ndarray, rows: np.ndarray, alpha: float) -> np.ndarray:
    """Largest |x| and largest |w| of each channel [K] -> s [K]; a channel that is always 0 on either side stays as it is."""
    is_used = (activations > 0) & (rows > 0)
    x, w = (np.where(is_used, part, 1).astype(np.float64) for part in (activations, rows))
    return np.clip(x**alpha / w ** (1 - alpha), *LIMITS).astype(np.float32)


def awq(means: np.ndarray, alpha: float) -> np.ndarray:
    """Mean |x| of each channel [K] -> s [K]"""
    mean = float(means.mean(dtype=np.float64))
    if mean == 0:
        return np.ones_like(means)
    return np.clip((means.astype(np.float64) / mean) ** alpha, *LIMITS).astype(np.float32)


def largest_of_rows(values: np.ndarray) -> np.ndarray:
    """max |w| of each row, without a copy of the weight"""
    return np.maximum(values.max(1), -values.min(1))


def is_norm(name: str) -> bool:
    """Whether smoothing changes the norm of that name."""
    return name == "norm" or name.rpartition(".")[2] in BEHIND


def norm_before(weight: str) -> str | None:
    """The norm whose output a weight reads; None for those behind no norm."""
    if weight == "lm_head":
        return "norm"
    prefix, _, role = weight.rpartition(".")
    return f"{prefix}.{NORM_OF[role]}" if role in NORM_OF else None
