# SPDX-License-Identifier: Apache-2.0

"""What the solvers and smoothing of python/quantize make of matrices that are made here: a line of JSON with figures."""

import json
import sys
from pathlib import Path

import numpy as np
import torch

sys.path[1:1] = [str(Path(__file__).parents[2] / "python" / name) for name in (".", "quantize")]

import solvers  # noqa: E402
from formats import Blocks  # noqa: E402
from levels import unpacked  # noqa: E402
from protocol import UserError, emit  # noqa: E402
from smooth import awq, smoothquant  # noqa: E402
from weight_bytes import bytes_of, rounded  # noqa: E402

random = np.random.default_rng(7)
FORMATS = ["q2b16", "q2b64s", "q4b16", "q4b32s", "q4b64", "q4b64s", "q4b128", "q8b32", "q8b128s"]


def blocks_of(name: str) -> Blocks:
    bits, size = name.rstrip("s")[1:].split("b")
    return Blocks(int(bits), int(size), name.endswith("s"))


def correlated(rows: int, mixing: np.ndarray) -> np.ndarray:
    return (random.standard_normal((rows, len(mixing))) @ mixing).astype(np.float32)


def error_of(solve, *given) -> list[str]:
    try:
        solve(*given)
    except UserError as error:
        return [str(error), error.hint]
    return []


def packing() -> dict:
    """Whether levels that are unpacked and packed again are onnxruntime's bytes, also of an odd number of blocks."""
    weight = random.standard_normal((384, 24)).astype(np.float32)
    same = {}
    for name in FORMATS:
        blocks = blocks_of(name)
        parts = blocks.quantize(weight)
        again = blocks.named(*unpacked(parts, blocks).packed(blocks))
        same[name] = [suffix for suffix, _ in again] == [suffix for suffix, _ in parts] and all(
            np.array_equal(a, b) for (_, a), (_, b) in zip(again, parts, strict=True)
        )
        size = sum(part.nbytes for _, part in parts)
        same[name] &= bytes_of(name, weight.shape) == size
        step = (weight.max() - weight.min()) / (2**blocks.bits - 1)
        same[name] &= bool(np.abs(rounded(name, weight) - weight).max() <= step * (1.01 if blocks.symmetric else 0.51))
    return same


def identity() -> dict:
    """How much GPTQ of inputs without correlation differs from rounding to nearest."""
    weight = random.standard_normal((256, 96)).astype(np.float32)
    weight[64:128, 3] = 0
    factor = solvers.factor_of(torch.eye(256) * 5)
    found = {}
    for name in ("q2b16", "q4b32s", "q4b64", "q4b64s"):
        own, nearest = (solvers.solve(solver, weight, blocks_of(name), factor) for solver in ("gptq", "rtn"))
        apart = np.abs(own.levels.astype(int) - nearest.levels)
        found[name] = {
            "apart": int((apart > 0).sum()),
            "furthest": int(apart.max()),
            "scales": float(np.abs(own.scales - nearest.scales).max()),
            "zeros": int((own.zero_points != nearest.zero_points).sum()),
        }
    return found


def outputs() -> dict:
    """||X (W - W_gptq)|| by ||X (W - W_rtn)|| on inputs that gave no gram matrix, and whether levels are in range."""
    mixing = random.standard_normal((256, 256)) * np.geomspace(1, 0.02, 256)[:, None]
    seen, others = correlated(2000, mixing), correlated(500, mixing)
    weight = random.standard_normal((256, 80)).astype(np.float32)
    factor = solvers.factor_of(torch.from_numpy(seen.T @ seen))
    found = {}
    for name in ("q2b16", "q2b64s", "q4b16", "q4b32s", "q4b64", "q4b128s", "q4b256"):
        blocks = blocks_of(name)
        own, nearest = (solvers.solve(solver, weight, blocks, factor) for solver in ("gptq", "rtn"))
        errors = [np.linalg.norm(others @ (weight - one.values())) for one in (own, nearest)]
        in_range = own.levels.max() < 2**blocks.bits and own.zero_points.max() < 2**blocks.bits
        used = len(np.unique(own.levels))
        found[name] = {"ratio": float(errors[0] / errors[1]), "inRange": bool(in_range), "used": used}
    return found


def corners() -> dict:
    weight = random.standard_normal((128, 50)).astype(np.float32)
    x = correlated(300, random.standard_normal((128, 128)))
    x[:, [5, 77]] = 0  # inputs that never come
    factor = solvers.factor_of(torch.from_numpy(x.T @ x))
    blocks = Blocks(4, 64, False)
    whole = solvers.solve("gptq", weight, blocks, factor)
    solvers.COLUMNS = 7
    parts = solvers.solve("gptq", weight, blocks, factor)
    eight = [
        solvers.solve(solver, weight, Blocks(8, 64, False), factor).values() for solver in ("gptq", "k_quant", "rtn")
    ]
    nothing = solvers.factor_of(torch.zeros(128, 128))
    kept = np.abs(whole.values() - weight)[[5, 77]].max()
    k_quant = {}
    for name, moved in (("usual", weight), ("positive", np.abs(weight) + 1), ("negative", -np.abs(weight) - 1)):
        squares = [np.square(solvers.solve(s, moved, blocks).values() - moved).mean() for s in ("k_quant", "rtn")]
        k_quant[name] = float(squares[0] / squares[1])
    return {
        "columns": bool(np.allclose(whole.values(), parts.values(), atol=1e-5)),
        "eight": all(np.array_equal(one, eight[2]) for one in eight),
        "nothing": bool(torch.equal(nothing, torch.eye(128))),
        "unseen": float(kept / whole.scales.max()),
        "inverse": float((factor.T @ factor @ damped(x) - torch.eye(128)).abs().max()),
        "kQuant": k_quant,
        "equal": solvers.solve("k_quant", np.full((64, 2), 0.25, np.float32), blocks).values().ravel().tolist()[:3],
    }


def damped(x: np.ndarray) -> torch.Tensor:
    gram = torch.from_numpy(x.T @ x)
    return gram + 0.01 * gram.diagonal().mean() * torch.eye(len(gram))


def smoothing() -> dict:
    """A planted outlier: the same function with a channel of x larger and its row of w smaller by `factor`."""
    x = np.abs(random.standard_normal(64)).astype(np.float32) + 0.1
    w = np.abs(random.standard_normal(64)).astype(np.float32) + 0.1
    factor = np.ones(64, np.float32)
    factor[[3, 9, 40]] = 400
    plain, planted = smoothquant(x, w, 0.5), smoothquant(x * factor, w / factor, 0.5)
    one_sided = awq(np.array([1, 2, 3, 6], np.float32), 0.5)
    dead = smoothquant(np.array([0, 1, 2], np.float32), np.array([1, 0, 8], np.float32), 0.25)
    return {
        "undone": float(np.abs((x * factor) / planted / (x / plain) - 1).max()),
        "awq": np.square(one_sided).tolist(),
        "smoothquant": dead.tolist(),
        "limits": awq(np.array([1e-30, 1, 1], np.float32), 1).tolist()[:1],
    }


def errors() -> list:
    weight = np.zeros((96, 2), np.float32)
    return [
        error_of(solvers.solve, "hqq", weight, Blocks(4, 32, False)),
        error_of(solvers.solve, "rtn", weight, Blocks(4, 64, False)),
        error_of(solvers.solve, "gptq", weight, Blocks(4, 32, False)),
        error_of(solvers.solve, "k_quant", weight, Blocks(4, 32, True)),
        error_of(solvers.factor_of, torch.full((2, 2), torch.nan)),
    ]


torch.set_num_threads(1)
asks = (packing, identity, outputs, corners, smoothing, errors)
emit("result", **json.loads(json.dumps({ask.__name__: ask() for ask in asks})))
