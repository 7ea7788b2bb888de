# SPDX-License-Identifier: Apache-2.0

"""embed_tokens.bin: the embedding table as headerless little-endian float16 [vocabulary, hidden], row after row.

The decoders' table is made from decoder_init.onnx (graph-tools/embed-fp16.ts); a forced aligner has no graph with one.
"""

from pathlib import Path

import numpy as np

from checkpoint import Checkpoint
from decoder_graph import EMBEDDING
from protocol import UserError, progress

ROWS = 4096  # written at once


def write_embeddings(checkpoint: Checkpoint, path: Path) -> None:
    """Write the table to `path` in parts of ROWS rows. @raises UserError for values beyond float16"""
    table = checkpoint.load(EMBEDDING)
    with open(path, "wb") as file:
        for start in range(0, len(table), ROWS):
            rows = table[start : start + ROWS]
            with np.errstate(over="ignore"):
                halves = rows.astype("<f2")
            if not np.isfinite(halves).all():
                worst = np.abs(rows).max()
                raise UserError(f"{EMBEDDING} holds {worst}, which float16 cannot hold: wanted at most 65504.")
            file.write(memoryview(halves).cast("B"))
            progress(path.name, min(start + ROWS, len(table)), len(table), "rows")
