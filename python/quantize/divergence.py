# SPDX-License-Identifier: Apache-2.0

"""The KLD of the next token's distribution, a few positions at a time: logits of a large vocabulary fill memory."""

from collections.abc import Iterator

import torch
from torch import Tensor

LOGITS = 8_000_000  # at a time


def chunks(positions: int, vocabulary: int) -> Iterator[slice]:
    """Slices of `positions` whose logits of `vocabulary` values fit in memory."""
    size = max(1, LOGITS // vocabulary)
    return (slice(start, start + size) for start in range(0, positions, size))


def kld(wanted_inputs: Tensor, wanted_head: Tensor, inputs: Tensor, head: Tensor) -> float:
    """Mean of KL(wanted || found) in nats, of inputs [A, H] by lm_head [H, V]."""
    total = 0.0
    for part in chunks(len(inputs), head.shape[1]):
        wanted = torch.log_softmax(wanted_inputs[part] @ wanted_head, -1)
        found = torch.log_softmax(inputs[part] @ head, -1)
        total += float((wanted.exp() * (wanted - found)).sum(dtype=torch.float64))
    return max(0.0, total / len(inputs))
