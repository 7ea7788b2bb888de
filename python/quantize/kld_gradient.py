# SPDX-License-Identifier: Apache-2.0

"""What each weight takes part in the KLD of a model whose weights all are in the low format: |<dKLD/dW, W_low - W_high>|.

One forward and one backward, layer by layer: hidden states of the low model are kept at the borders of layers only.
"""

import numpy as np
import torch
from torch import Tensor

from calibration import Calibration
from divergence import chunks
from protocol import progress
from release_decoder import ROLES, ReleaseDecoder, forward
from weight_bytes import rounded


def gradient(calibration: Calibration, low: str, high: str) -> dict[str, float]:
    """By weight names, nats."""
    decoder, bounds = calibration.decoder, calibration.bounds
    count = decoder.sizes.layers
    borders = [calibration.hidden(0)]
    with torch.no_grad():
        for i in range(count):
            progress("sensitivity", i, 2 * count + 1, "layers")
            borders.append(forward(low_layer(decoder, i, low), borders[-1], bounds, decoder.sizes))
    progress("sensitivity", count, 2 * count + 1, "layers")
    found, grad = head_gradient(calibration, borders.pop(), low, high)
    for i in reversed(range(count)):
        progress("sensitivity", 2 * count - i, 2 * count + 1, "layers")
        weights = low_layer(decoder, i, low)
        for role in ROLES:
            weights[role].requires_grad_()
        x = borders.pop().requires_grad_()
        forward(weights, x, bounds, decoder.sizes).backward(grad)
        for role in ROLES:
            name = f"layers.{i}.{role}"
            found[name] = share(weights[role].grad, weights[role].detach(), decoder.values(name), high)
        grad = x.grad
    progress("sensitivity", 2 * count + 1, 2 * count + 1, "layers")
    return found


def low_layer(decoder: ReleaseDecoder, index: int, low: str) -> dict[str, Tensor]:
    """Weights of layer `index` by role, matrices [K, N] rounded to the format `low`; norms as they are."""
    weights = decoder.layer(index)
    return weights | {role: torch.from_numpy(np.array(rounded(low, weights[role].numpy()))) for role in ROLES}


def share(grad: Tensor | None, weight: Tensor, exact: np.ndarray, high: str) -> float:
    """|<gradient, W_low - W_high>| of one weight [K, N]; `weight`: in the low format, `exact`: FP32's."""
    assert grad is not None
    return abs(float((grad * (weight - torch.from_numpy(rounded(high, exact)))).sum(dtype=torch.float64)))


def head_gradient(calibration: Calibration, x: Tensor, low: str, high: str) -> tuple[dict[str, float], Tensor]:
    """lm_head's part, and the gradient of the hidden states [P, H] after the last layer."""
    decoder, asked = calibration.decoder, calibration.asked
    exact = decoder.values("lm_head")
    head = torch.from_numpy(rounded(low, exact))
    # the inner product of lm_head's gradient with its change is that of the logits' gradient with theirs
    change = head - torch.from_numpy(rounded(high, exact))
    wanted_head, wanted = torch.from_numpy(exact), calibration.head_inputs()
    own = x[asked].requires_grad_()
    normed = decoder.final_norm(own)
    grads, part = [], 0.0
    with torch.no_grad():
        for rows in chunks(len(asked), head.shape[1]):
            logits = torch.softmax(normed[rows] @ head, -1)
            logits -= torch.softmax(wanted[rows] @ wanted_head, -1)
            logits /= len(asked)  # the gradient of the mean KLD
            part += float((logits * (normed[rows] @ change)).sum(dtype=torch.float64))
            grads.append(logits @ head.T)
    normed.backward(torch.cat(grads))
    whole = torch.zeros_like(x)
    assert own.grad is not None
    whole[asked] = own.grad
    return {"lm_head": abs(part)}, whole
