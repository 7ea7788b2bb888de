# SPDX-License-Identifier: Apache-2.0

"""The KLD of one weight at a time in a low format: a forward from its layer on, for each."""

import torch
from torch import Tensor

from calibration import Calibration
from divergence import kld
from protocol import progress
from release_decoder import ROLES, forward
from weight_bytes import rounded


def scan(calibration: Calibration, low: str, high: str) -> dict[str, float]:
    """By weight names, nats. All layers are in memory. `high` changes nothing: it is as good as FP32."""
    decoder = calibration.decoder
    layers = [decoder.layer(i) for i in range(decoder.sizes.layers)]
    head = torch.from_numpy(decoder.values("lm_head"))
    normed = calibration.head_inputs()
    found: dict[str, float] = {}
    total = len(decoder.weights())

    def cost(name: str, inputs: Tensor, weight: Tensor) -> None:
        found[name] = kld(normed, head, inputs, weight)
        progress("sensitivity", len(found), total, "weights")

    with torch.no_grad():
        for i, layer in enumerate(layers):
            before = calibration.hidden(i)
            for role in ROLES:
                changed = {**layer, role: torch.from_numpy(rounded(low, layer[role].numpy()))}
                x = before
                for weights in (changed, *layers[i + 1 :]):
                    x = forward(weights, x, calibration.bounds, decoder.sizes)
                cost(f"layers.{i}.{role}", decoder.final_norm(x[calibration.asked]), head)
        cost("lm_head", normed, torch.from_numpy(rounded(low, head.numpy())))
    return found
