# SPDX-License-Identifier: Apache-2.0

"""lm_head whose quantized rows are the embedding table too: what must hold for that."""

from pathlib import Path

import numpy as np
import onnx_ir as ir

import formats
from protocol import UserError
from tensors import EMBEDDINGS

HEAD = "lm_head"
BITS = (4, 8)
SAMPLES = 512  # rows that are compared: an untied table differs in all


def require_table(recipe: dict) -> None:
    """Raise UserError for a recipe by which lm_head's rows are not quantized."""
    name = formats.name_of(recipe["decoder"], HEAD)
    chosen = formats.parse(name)
    if not isinstance(chosen, formats.Blocks) or chosen.bits not in BITS:
        raise UserError(
            f"The recipe has embeddings: {HEAD}, and {name} as {HEAD}'s format.",
            f'Wanted a format of blocks of 4 or 8 bits, such as ["{HEAD}", "q8b64"].',
        )


def require_tied(weight: ir.Value, values: np.ndarray) -> None:
    """Raise UserError when lm_head, float32 [H, V], is another matrix than embed_tokens.bin, FP16 [V, H]."""
    hidden, vocab = values.shape
    table = np.memmap(Path(weight.const_value.base_dir) / EMBEDDINGS, np.float16, "r", shape=(vocab, hidden))
    rows = np.linspace(0, vocab - 1, min(vocab, SAMPLES)).astype(int)
    if np.array_equal(values[:, rows].T.astype(np.float16), table[rows]):
        return
    raise UserError(
        f"{HEAD} is another matrix than {EMBEDDINGS}: its rows cannot be the embedding table.",
        f"Leave embeddings: {HEAD} out of the recipe: the checkpoint's embeddings are not tied.",
    )
