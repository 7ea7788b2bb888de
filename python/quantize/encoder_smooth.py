# SPDX-License-Identifier: Apache-2.0

"""Smoothing of an encoder's norms (smooth.py), where one has large channels and all weights behind it are int8: a row of
activations has 255 levels, which one large channel takes from all others."""

from functools import cached_property
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime

import formats
from activation_scales import tapped
from calibration_clips import mels_of
from protocol import progress
from smooth import largest_of_rows, parse, scales_of
from tensors import values_of

OUTLIER = 6  # times the median channel: the others have 21 levels on each side then
# where operators have their scale; the bias stands behind it
NORMS = {"LayerNormalization": 1, "SkipLayerNormalization": 2}


class Norm:
    """A norm that products alone read."""

    def __init__(self, node: ir.Node) -> None:
        place = NORMS[node.op_type]
        self.output = node.outputs[0].name
        self.parts = [value.name for value in node.inputs[place : place + 2]]
        self.weights = [use.inputs[1] for use, _ in node.outputs[0].uses()]


def norms_of(model: ir.Model) -> list[Norm]:
    """Norms of an encoder whose output only products read, as their first input."""

    def is_product(use: ir.Node, place: int) -> bool:
        return use.op_type == "MatMul" and place == 0 and use.inputs[1].is_initializer()

    nodes = [node for node in model.graph if node.op_type in NORMS]
    return [
        Norm(node) for node in nodes if node.outputs[0].uses() and all(is_product(*u) for u in node.outputs[0].uses())
    ]


class EncoderSmoothing:
    """The divisors of an encoder's norms, found on a calibration."""

    def __init__(self, recipe: str, path: Path, calibration: Path) -> None:
        """recipe: smoothquant:A or awq:A; path: FP32's encoder"""
        self.formula, self.alpha = parse(recipe)
        self.path, self.calibration = path, calibration

    def divisors(self, rules: formats.Rules) -> dict[str, np.ndarray]:
        """s [K] by the names of scale and bias of each norm that is smoothed, and by those of the weights behind."""
        found: dict[str, np.ndarray] = {}
        for norm, scales in self._scales.items():
            if all(formats.name_of(rules, weight.name) == "i8" for weight in norm.weights):
                found |= dict.fromkeys([*norm.parts, *(weight.name for weight in norm.weights)], scales)
        return found

    @cached_property
    def _scales(self) -> dict[Norm, np.ndarray]:
        norms = norms_of(ir.load(self.path))
        largest, means = self._seen([norm.output for norm in norms])
        found = {}
        for norm in norms:
            if largest[norm.output].max() <= OUTLIER * np.median(largest[norm.output]):
                continue
            rows = [largest_of_rows(values_of(weight.const_value)) for weight in norm.weights]
            found[norm] = scales_of(
                self.formula, self.alpha, largest[norm.output], means[norm.output], np.max(rows, axis=0)
            )
        return found

    def _seen(self, names: list[str]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Largest and mean |x| of each channel [K], by activation, on the clips of the calibration."""
        session = onnxruntime.InferenceSession(tapped(onnx.load(self.path), names), providers=["CPUExecutionProvider"])
        mels = mels_of(self.calibration)
        largest = dict.fromkeys(names, np.float32(0))
        sums = dict.fromkeys(names, np.float64(0))
        rows = 0
        for i, mel in enumerate(mels):
            progress("the encoder's norms", i, len(mels), "clips")
            for name, values in zip(names, session.run(names, {"mel": mel.read()}), strict=True):
                absolute = np.abs(values.reshape(-1, values.shape[-1]))
                largest[name] = np.maximum(largest[name], absolute.max(0))
                sums[name] = sums[name] + absolute.sum(0, dtype=np.float64)
            rows += len(absolute)
        progress("the encoder's norms", len(mels), len(mels), "clips")
        return largest, {name: (total / rows).astype(np.float32) for name, total in sums.items()}
