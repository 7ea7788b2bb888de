# SPDX-License-Identifier: Apache-2.0

"""The onnxruntime operators that the export graphs use directly instead of being pattern-matched later.

Each is documented in onnxruntime's docs/ContribOperators.md; SimplifiedLayerNormalization (RMSNorm) is
registered by onnxruntime in the default domain. Shapes stand beside the arguments.
"""

import math

import torch
from torch import Tensor
from torch.onnx import ops

FLOAT = torch.float32


def rms_norm(x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    """x [..., D], weight [D] -> [..., D]"""
    attributes = {"axis": -1, "epsilon": epsilon, "stash_type": 1}
    return ops.symbolic(
        "SimplifiedLayerNormalization", (x, weight), attributes, dtype=FLOAT, shape=x.shape, version=None
    )


def skip_rms_norm(x: Tensor, skip: Tensor, weight: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """(rms_norm(x + skip), x + skip), all [1, S, H]; `skip` is the residual stream"""
    return _skip("com.microsoft::SkipSimplifiedLayerNormalization", (skip, x, weight), epsilon)


def skip_layer_norm(
    x: Tensor, skip: Tensor, weight: Tensor, bias: Tensor, input_bias: Tensor, epsilon: float
) -> tuple[Tensor, Tensor]:
    """(layer_norm(x + skip + input_bias), x + skip + input_bias), all [1, N, D]; `skip` is the residual stream"""
    return _skip("com.microsoft::SkipLayerNormalization", (skip, x, weight, bias, input_bias), epsilon)


def bias_gelu(x: Tensor, bias: Tensor) -> Tensor:
    """gelu(x + bias) with the exact erf; x [..., D], bias [D]"""
    return ops.symbolic("com.microsoft::BiasGelu", (x, bias), dtype=FLOAT, shape=x.shape, version=1)


def gelu(x: Tensor) -> Tensor:
    """Gelu by the error function, of any shape."""
    return ops.symbolic("com.microsoft::Gelu", (x,), dtype=FLOAT, shape=x.shape, version=1)


def rotate(x: Tensor, positions: Tensor, cos: Tensor, sin: Tensor, heads: int) -> Tensor:
    """Rotary embedding. x [1, S, heads * D], positions i64 [1, S] are rows of cos and sin [S, D/2]"""
    attributes = {"interleaved": 0, "num_heads": heads, "rotary_embedding_dim": 0}
    return ops.symbolic(
        "com.microsoft::RotaryEmbedding", (x, positions, cos, sin), attributes, dtype=FLOAT, shape=x.shape, version=1
    )


def rotate_heads(x: Tensor, positions: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """As `rotate`, on heads that stand apart: x [B, heads, S, D], positions i64 [B, S]"""
    inputs = (x, positions, cos, sin)
    attributes = {"interleaved": 0, "num_heads": 0, "rotary_embedding_dim": 0}
    return ops.symbolic("com.microsoft::RotaryEmbedding", inputs, attributes, dtype=FLOAT, shape=x.shape, version=1)


def reshape(x: Tensor, sizes: tuple[int, ...]) -> Tensor:
    """As ONNX does it: 0 keeps the size of the same axis, -1 takes the rest. The shape is a constant in the graph, where
    x.reshape computes one from symbols and marks the node `allowzero`."""
    shape = [x.shape[axis] if size == 0 else size for axis, size in enumerate(sizes)]
    if -1 in sizes:
        known = math.prod(size for size in shape if not isinstance(size, int) or size != -1)
        shape[sizes.index(-1)] = math.prod(x.shape) // known
    return ops.symbolic("Reshape", (x, torch.tensor(sizes)), dtype=x.dtype, shape=shape, version=None)


def by_rows(x: Tensor, rows: Tensor) -> Tensor:
    """x [B * K] -> [B, K], where `rows` [B] says how many there are"""
    count = ops.symbolic("Shape", (rows,), dtype=torch.int64, shape=(1,), version=None)
    sizes = torch.cat([count, torch.tensor([-1])])
    shape = (rows.shape[0], x.shape[0] // rows.shape[0])
    return ops.symbolic("Reshape", (x, sizes), dtype=x.dtype, shape=shape, version=None)


def _skip(operator: str, inputs: tuple[Tensor, ...], epsilon: float) -> tuple[Tensor, Tensor]:
    # onnxruntime gives the output the first input's shape. That of the residual stream is known in every layer; products of
    # heads have sizes without a name, with which it plans memory for seconds at each load.
    shape = inputs[0].shape
    # Outputs 1 and 2 (mean, inverse deviation) are for training; emit_onnx drops their names.
    outputs = ops.symbolic_multi_out(
        operator, inputs, {"epsilon": epsilon}, dtypes=(FLOAT,) * 4, shapes=(shape, (1,), (1,), shape), version=1
    )
    return outputs[0], outputs[3]
