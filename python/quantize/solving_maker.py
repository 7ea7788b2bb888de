# SPDX-License-Identifier: Apache-2.0

"""How recipes with a solver, smoothing or `auto` make the decoder's weights."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

import formats
from auto import resolve
from calibration import Calibration
from release_decoder import GROUP_OF, ReleaseDecoder
from smooth import Smoothing, is_norm
from solvers import factor_of, solve
from weight_maker import WeightMaker

THREADS = 2
# the norm that smoothing divides, of weights with the same inputs
NORMS = {"qkv": "input_norm", "gate_up": "post_norm"}


class SolvingMaker(WeightMaker):
    """Makes the decoder's weights with a solver, smoothing or `auto`."""

    def __init__(self, recipe: dict, release: Path, calibration: Path | None) -> None:
        """`calibration` is None for k_quant alone. @raises UserError when it is not of the release"""
        torch.set_num_threads(THREADS)
        self.solver = recipe.get("solver", "rtn")
        self.smoothing: Smoothing | None = None
        rules = recipe["decoder"]
        if calibration is not None:
            self.calibration = Calibration(calibration, ReleaseDecoder(release))
            rules = resolve(rules, self.calibration)
            if recipe.get("smooth"):
                self.smoothing = Smoothing(recipe["smooth"], self.calibration)
        super().__init__(rules)
        # weights come layer by layer, those with the same inputs one after the other
        self._inputs = lru_cache(1)(lambda layer: self.calibration.inputs(layer))
        self._factor = lru_cache(1)(self._factor_of)

    def changes(self, name: str) -> bool:
        """Whether smoothing changes an initializer: a norm."""
        return self.smoothing is not None and is_norm(name)

    def prepare(self, name: str, values: np.ndarray) -> np.ndarray:
        """The values before they are rounded: smoothed where the recipe says so, shape unchanged."""
        return values if self.smoothing is None else self.smoothing.apply(name, values)

    def encode(self, name: str, values: np.ndarray, chosen: formats.Encoded) -> formats.Parts:
        """A weight [K, N] in the chosen format; blocks of fewer than 8 bits by the recipe's solver."""
        if self.solver == "rtn" or not isinstance(chosen, formats.Blocks) or chosen.bits == 8:
            return super().encode(name, values, chosen)
        prefix, _, role = name.rpartition(".")
        factor = self._factor(prefix, GROUP_OF.get(role, role)) if self.solver == "gptq" else None
        return chosen.named(*solve(self.solver, values, chosen, factor).packed(chosen))

    def _factor_of(self, prefix: str, group: str) -> torch.Tensor:
        """Of what a group of weights is multiplied by; `prefix` is layers.N, or nothing for lm_head."""
        norm = f"{prefix}.{NORMS[group]}" if group in NORMS else None
        if prefix:
            x = self._inputs(int(prefix.split(".")[1]))[group]
        else:
            x, norm = self.calibration.head_inputs(), "norm"
        if self.smoothing is not None and norm is not None:
            x = x / torch.from_numpy(self.smoothing.of(norm))
        return factor_of(x.T @ x)
