# SPDX-License-Identifier: Apache-2.0

"""What chooses the levels of a weight in blocks.

rtn: the nearest level, by onnxruntime's kernel. k_quant: scales that fit large weights better, by onnxruntime's port of
llama.cpp's. gptq: levels that keep the products with calibration's activations (Frantar et al., arXiv 2210.17323).
"""

import numpy as np
import torch
from onnxruntime.quantization.neural_compressor.weight_only import quant_tensor_k_quant_cpu
from torch import Tensor

from formats import Blocks
from levels import Levels, unpacked, zero_of
from protocol import UserError

DAMPING = 0.01  # of the mean square of an input: keeps rare inputs from deciding
COLUMNS = 16384  # that gptq works on at a time: a vocabulary of 151,936 takes no more memory than a layer
WANTED = ("rtn", "k_quant", "gptq")


def solve(solver: str, values: np.ndarray, blocks: Blocks, factor: Tensor | None = None) -> Levels:
    """values [K, N] float32 -> its levels. `factor` [K, K] of its inputs, by `factor_of`, is what gptq looks at.

    8 bits are always rounded to nearest: there is nothing to win.
    """
    if solver not in WANTED:
        raise UserError(f"There is no solver {solver}.", f"Wanted one of {', '.join(WANTED)}.")
    if len(values) % blocks.size:
        raise UserError(
            f"Blocks of {blocks.size} do not divide the {len(values)} inputs of a weight.",
            "Choose a block size that divides the number of inputs.",
        )
    if solver == "rtn" or blocks.bits == 8:
        return unpacked(blocks.quantize(values), blocks)
    if solver == "k_quant":
        return _k_quant(values, blocks)
    if factor is None:
        raise UserError("gptq needs a calibration.", "Give --calibration.")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # its steps are so small that threads wait for each other most of the time
    parts = [_gptq(values[:, i : i + COLUMNS], blocks, factor) for i in range(0, values.shape[1], COLUMNS)]
    torch.set_num_threads(threads)
    return Levels(
        *(np.concatenate([getattr(part, name) for part in parts], axis=1) for name in Levels.__dataclass_fields__)
    )


def factor_of(gram: Tensor) -> Tensor:
    """Gram matrix [K, K] of inputs -> upper triangular U float32 with U^T U the inverse of the damped gram matrix."""
    size = len(gram)
    mean = gram.diagonal().double().mean()
    if not torch.isfinite(mean):
        raise UserError(
            "The activations of the calibration are not finite.", "Remove the calibration folder and run again."
        )
    if mean == 0:
        return torch.eye(size)
    damped = gram.double()
    damped.diagonal().add_(DAMPING * mean)
    # of the reversed matrix, the lower factor reversed is an upper one, whose inverse is U
    lower = torch.linalg.cholesky(damped.flip(0, 1)).float()
    return torch.linalg.solve_triangular(lower.flip(0, 1), torch.eye(size), upper=True)


def _gptq(values: np.ndarray, blocks: Blocks, factor: Tensor) -> Levels:
    rest = torch.from_numpy(np.array(values))  # [K, N] with the errors of earlier rows taken up
    levels = torch.empty_like(rest, dtype=torch.uint8)
    scales, zeros = (torch.empty(len(rest) // blocks.size, rest.shape[1]) for _ in range(2))
    for group, start in enumerate(range(0, len(rest), blocks.size)):
        end = start + blocks.size
        block, own = rest[start:end], factor[start:end, start:end]
        scale, zero = scales[group], zeros[group] = grid(block, blocks)
        inverse = torch.where(scale == 0, 0, 1 / scale)
        errors = torch.empty_like(block)
        for i, row in enumerate(block):
            level = (row * inverse + zero).round().clamp(0, 2**blocks.bits - 1)
            levels[start + i] = level.to(torch.uint8)
            errors[i] = (row - (level - zero) * scale) / own[i, i]
            block[i + 1 :].addr_(own[i, i + 1 :], errors[i], alpha=-1)
        rest[end:].addmm_(factor[start:end, end:].T, errors, alpha=-1)
    return Levels(levels.numpy(), scales.numpy(), zeros.to(torch.uint8).numpy())


def grid(block: Tensor, blocks: Blocks) -> tuple[Tensor, Tensor]:
    """[size, N] -> scales and zero points [N], as onnxruntime's kernel chooses them."""
    low, high = block.amin(0), block.amax(0)
    if blocks.symmetric:
        zero = zero_of(blocks.bits)
        return torch.where(high.abs() > low.abs(), high, low) / -zero, torch.full_like(low, zero)
    low, high = low.clamp(max=0), high.clamp(min=0)
    scale = (high - low) / (2**blocks.bits - 1)
    zero = torch.where(scale == 0, 0, -low / scale).round().clamp(0, 2**blocks.bits - 1)
    return scale, zero


def _k_quant(values: np.ndarray, blocks: Blocks) -> Levels:
    if blocks.symmetric:
        raise UserError(
            "k_quant has zero points: it cannot make symmetric blocks.",
            f"Choose q{blocks.bits}b{blocks.size}, or another solver.",
        )
    columns = values.shape[1]
    with np.errstate(divide="ignore", invalid="ignore"):  # blocks of equal weights
        parts = quant_tensor_k_quant_cpu(values.T, blocks.bits, blocks.size)
    # [N * K / size, size or 1] -> [K or K / size, N]
    found, nearest = [part.reshape(columns, -1).T for part in parts], unpacked(blocks.quantize(values), blocks)
    # onnxruntime's loses blocks whose weights all have one sign: it gives them no zero point that fits
    grouped = values.reshape(-1, blocks.size, columns)
    is_one_sided = (grouped.min(1) > 0) | (grouped.max(1) < 0) | (grouped.min(1) == grouped.max(1))
    places = (np.repeat(is_one_sided, blocks.size, 0), is_one_sided, is_one_sided)
    wanted = (nearest.levels, nearest.scales, nearest.zero_points)
    return Levels(
        *(np.where(at, own, part).astype(own.dtype) for at, own, part in zip(places, wanted, found, strict=True))
    )
