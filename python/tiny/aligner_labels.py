# SPDX-License-Identifier: Apache-2.0

"""What a forced aligner is to say in each timestamp slot of its prompt: two a unit, its start and its end."""

import math

import torch

SEGMENT = 0.08  # seconds that a class stands for
CLASSES = 160
LONGEST = SEGMENT * (CLASSES - 1)  # seconds: the time of the last class
UNKNOWN = math.nan


def slot_times(words, split) -> list[float]:
    """Seconds of every slot, in the prompt's order. `split` divides a text into the units that the prompt has.

    An entry of several units, such as `in the`, has known outer edges alone: the slots between are UNKNOWN.
    Raises ValueError for a time behind the last class: the clip is too long for the model.
    """
    times: list[float] = []
    for word in words:
        units = split(word.text)
        if units:
            times += [word.start, *[UNKNOWN] * (2 * len(units) - 2), word.end]
    if times and max(word.end for word in words) > LONGEST + SEGMENT / 2:
        raise ValueError(f"A word ends at {max(word.end for word in words):.2f} s, the last class is {LONGEST:.2f} s.")
    return times


def slot_targets(times: torch.Tensor, deviation: float) -> torch.Tensor:
    """Shares of the classes, around each time: a normal distribution. times [T] in seconds -> [T, CLASSES]"""
    distance = (torch.arange(CLASSES) - times[:, None] / SEGMENT) / deviation
    return torch.softmax(-0.5 * distance**2, -1)


def frame_times(count: int) -> torch.Tensor:
    """Seconds at which the audio positions stand: the encoder makes 13 of each second, at steps of 80 ms."""
    at = torch.arange(count)
    return at // 13 + 0.08 * (at % 13)
