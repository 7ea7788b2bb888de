# SPDX-License-Identifier: Apache-2.0

"""How a recipe's rules make the encoder's weights, and what judges them."""

from collections.abc import Callable
from functools import cached_property
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir

import formats
from graph_weights import convolutions
from int8_convolutions import Scales
from protocol import UserError
from weight_maker import WeightMaker

if TYPE_CHECKING:
    from encoder_gate import EncoderGate
    from encoder_smooth import EncoderSmoothing


def encoder_choices(recipe: dict) -> list[formats.Rules]:
    """The rules that an encoder is made by, best first."""
    return [recipe.get("encoder", []), *recipe.get("encoderFallback", [])]


def first_that_passes(choices: list[formats.Rules], make: Callable[[formats.Rules], Path], gate: "EncoderGate") -> dict:
    """Make an encoder by one set of rules after the other. @raises UserError when all of them lose too much"""
    tried: list[dict] = []
    for rules in choices:
        found = gate.judge(make(rules))
        tried.append({"rules": rules, **found})
        if gate.passes(found):
            return {"rules": rules, "tried": tried, "limits": gate.limits}
    losses = [f"cosine {one['cosine']:.4f}, KLD {one.get('kld', inf):.5f}" for one in tried]
    raise UserError(
        f"All rules for the encoder lose too much on the calibration: {'; '.join(losses)};"
        f" wanted at least {gate.limits['cosine']}, and at most {gate.limits['kld']}.",
        'Add [["*", "bf16"]] as the last of encoderFallback.',
    )


class EncoderMakers:
    """What the rules of one encoder have in common: they are tried one after the other."""

    def __init__(self, path: Path, calibration: Path | None, smooth: str | None = None) -> None:
        """path: FP32's graph, beside FP32's decoder; smooth: smoothquant:A or awq:A"""
        self.path, self.calibration, self.smooth = path, calibration, smooth

    def maker_of(self, rules: formats.Rules) -> WeightMaker:
        """What makes the weights by one set of rules."""
        return EncoderMaker(rules, self)

    def gate(self) -> "EncoderGate":
        """@raises UserError without a calibration"""
        from encoder_gate import EncoderGate  # torch, which takes seconds

        return EncoderGate(self.path.parent, self.required)

    @property
    def required(self) -> Path:
        """Folder of the calibration. @raises UserError without one"""
        if self.calibration is None:
            raise UserError("The recipe's encoder needs a calibration.", "Give --calibration DIR.")
        return self.calibration

    def divisors(self, rules: formats.Rules) -> dict[str, np.ndarray]:
        """What smoothing divides norms by and multiplies weights with, by their names."""
        return {} if self.smooth is None else self._smoothing.divisors(rules)

    @cached_property
    def _smoothing(self) -> "EncoderSmoothing":
        from encoder_smooth import EncoderSmoothing  # torch, which takes seconds

        return EncoderSmoothing(self.smooth or "", self.path, self.required)

    @cached_property
    def scales(self) -> dict[str, Scales]:
        """Scales of what each convolution reads and makes, by the name of its weight. @raises UserError without a calibration"""
        from activation_scales import scales_of

        names = [weight.name for _, weight in convolutions(ir.load(self.path))]
        return scales_of(self.path, names, self.required)


class EncoderMaker(WeightMaker):
    """Makes the encoder's weights by one set of rules."""

    def __init__(self, rules: formats.Rules, makers: EncoderMakers) -> None:
        super().__init__(rules)
        self.makers = makers
        self.divisors = makers.divisors(rules)

    def changes(self, name: str) -> bool:
        """Whether smoothing changes an initializer."""
        return name in self.divisors

    def prepare(self, name: str, values: np.ndarray) -> np.ndarray:
        """Norms are divided, with their biases; the rows of the weights behind are multiplied."""
        if name not in self.divisors:
            return values
        s = self.divisors[name]
        return values / s if values.ndim == 1 else values * s[:, None]

    def scales_of(self, convolution: str) -> Scales:
        """Scales of what a convolution reads and makes; `convolution`: name of its weight."""
        return self.makers.scales[convolution]
