# SPDX-License-Identifier: Apache-2.0

"""The ids of a tokenizer's special tokens."""

import json
from pathlib import Path


def special_tokens(folder: Path) -> dict[str, int]:
    """By content, of the tokenizer.json in a folder."""
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    return {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
