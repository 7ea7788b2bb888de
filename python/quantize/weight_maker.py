# SPDX-License-Identifier: Apache-2.0

"""How a recipe makes the weights of graphs."""

from pathlib import Path

import numpy as np

import formats
from int8_convolutions import Scales
from protocol import UserError


class WeightMaker:
    """Weights stay what they are in FP32's graph until they are rounded to nearest. Encoders are made so."""

    def __init__(self, rules: formats.Rules) -> None:
        self.rules = rules

    def changes(self, name: str) -> bool:
        """Whether `prepare` changes an initializer that is not a weight of a product."""
        return False

    def prepare(self, name: str, values: np.ndarray) -> np.ndarray:
        """What stands in FP32's graph -> what stands in the variant's before rounding."""
        return values

    def encode(self, name: str, values: np.ndarray, chosen: formats.Encoded) -> formats.Parts:
        """[K, N] float32, prepared -> what the weight's node reads, by the suffixes of the names."""
        return chosen.quantize(values)

    def scales_of(self, convolution: str) -> Scales:
        """Of the activations of a convolution in i8."""
        raise UserError(f"{convolution} is i8, whose scales come from a calibration.", "Give --calibration DIR.")


def maker_of(recipe: dict, release: Path, calibration: Path | None) -> WeightMaker:
    """Of the decoder's weights. `release` has FP32's graphs. @raises UserError for what cannot be together"""
    require_compatible(recipe)
    rules, smooth = recipe["decoder"], recipe.get("smooth")
    has_auto = any(formats.is_auto(selector) for selector, _ in rules)
    if recipe.get("solver", "rtn") == "rtn" and not smooth and not has_auto:
        return WeightMaker(rules)
    from solving_maker import SolvingMaker  # torch, which takes seconds

    needs_calibration = recipe.get("solver") == "gptq" or smooth or has_auto
    if needs_calibration and calibration is None:
        raise UserError("The recipe needs a calibration.", "Give --calibration DIR.")
    return SolvingMaker(recipe, release, calibration if needs_calibration else None)


def require_compatible(recipe: dict) -> None:
    """Raise UserError for parts of a recipe that cannot be together."""
    smooth = recipe.get("smooth")
    if smooth and recipe.get("embeddings"):
        raise UserError(
            "The recipe has smooth, which changes lm_head, and embeddings: lm_head, which reads tokens from it.",
            "Leave one out.",
        )
    if smooth and any(name == "f16" for _, name in recipe["decoder"]):
        raise UserError(
            "The recipe has smooth and f16: smoothing is for formats with few levels.", "Leave smooth or f16 out."
        )
