# SPDX-License-Identifier: Apache-2.0

"""tokenizer.json for a checkpoint that only has vocab.json and merges.txt.

python python/export/make_tokenizer.py CHECKPOINT OUT
"""

import json
import sys
from pathlib import Path

from tokenizers import AddedToken
from transformers import Qwen2Tokenizer

sys.path.insert(1, str(Path(__file__).parents[1]))  # modules that several folders share

from protocol import emit, reporting


def main(folder: Path, out: Path) -> None:
    """Write tokenizer.json of the checkpoint in `folder` to `out`. @raises SystemExit when an added token gets another id"""
    with reporting():
        tokenizer = Qwen2Tokenizer(
            vocab=json.loads((folder / "vocab.json").read_text(encoding="utf-8-sig")),
            merges=read_merges(folder / "merges.txt"),
        )
        backend = tokenizer.backend_tokenizer
        config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8-sig"))
        added = sorted(config.get("added_tokens_decoder", {}).items(), key=lambda item: int(item[0]))
        for wanted, entry in added:
            token = AddedToken(entry["content"], special=entry.get("special", False), normalized=False)
            (backend.add_special_tokens if entry.get("special") else backend.add_tokens)([token])
            found = backend.token_to_id(entry["content"])
            if found != int(wanted):
                raise SystemExit(f"{entry['content']} became id {found}, wanted {wanted} as in tokenizer_config.json")
        backend.save(str(out / "tokenizer.json"))
        emit("result", tokens=backend.get_vocab_size())


def read_merges(path: Path) -> list[tuple[str, str]]:
    """Pairs of merges.txt in their order, without the line of its version."""
    lines = path.read_text(encoding="utf-8-sig").split("\n")
    pairs = [line.split(" ") for line in lines if line and not line.startswith("#version")]
    return [(first, second) for first, second in pairs]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
