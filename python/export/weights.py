# SPDX-License-Identifier: Apache-2.0

"""Parameters that take part in the export without being in memory.

torch.empty reserves address space that nothing touches, so tracing a 1.7B decoder costs no memory; the real
values are read, transposed and written one at a time when the graph is saved.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from checkpoint import Checkpoint


@dataclass(frozen=True)
class Source:
    """Where a parameter's value comes from: `key` is equal for equal values, in whatever graph."""

    key: str
    load: Callable[[], np.ndarray]


class Weights:
    """Parameters of the export modules, each with the tensor that its values come from."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self.sources: dict[int, Source] = {}

    def vector(self, name: str) -> nn.Parameter:
        """The tensor as it is stored."""
        shape = self.checkpoint.shape(name)
        return self._parameter(shape, Source(name, lambda: self.checkpoint.load(name)))

    def matrix(self, name: str) -> nn.Parameter:
        """A Linear weight [out, in] as MatMul takes it: [in, out]."""
        rows, columns = self.checkpoint.shape(name)
        load = lambda: np.ascontiguousarray(self.checkpoint.load(name).T)  # noqa: E731
        return self._parameter((columns, rows), Source(name + ".T", load))

    def _parameter(self, shape: tuple[int, ...], source: Source) -> nn.Parameter:
        parameter = nn.Parameter(torch.empty(shape), requires_grad=False)
        self.sources[id(parameter)] = source
        return parameter

    def by_parameter_name(self, module: nn.Module) -> dict[str, Source]:
        """Where the values of a module's parameters come from, by their names in it."""
        return {name: self.sources[id(parameter)] for name, parameter in module.named_parameters()}
