# SPDX-License-Identifier: Apache-2.0

"""What the scripts that dump references share: options, the loop over clips, and how arrays are written."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import torch
import transformers

from protocol import emit, note, progress


def reference_parser(about: str) -> argparse.ArgumentParser:
    """The options that the scripts share; `about` is the text of --help."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--processor", required=True, help="folder with tokenizer.json")
    parser.add_argument("--config", required=True, help="config.json of the release")
    parser.add_argument("--clips", required=True)
    parser.add_argument("--out", required=True)
    return parser


def special_tokens(args: argparse.Namespace) -> dict:
    """Ids of special tokens by name, from the release's config.json."""
    return json.loads(Path(args.config).read_text(encoding="utf-8"))["special_tokens"]


def dump_clips(
    args: argparse.Namespace,
    dump: Callable[[dict], tuple[dict, dict]],
    is_endless: Callable[[dict], bool] | None = None,
) -> None:
    """Write index.json and the arrays of each clip. `dump` gives its entry, and tensors by name.

    The first entry that `is_endless` is true of is reported: such clips take minutes.
    """
    clips = json.loads(Path(args.clips).read_text(encoding="utf-8"))
    out = Path(args.out)
    index = []
    for done, clip in enumerate(clips, 1):
        entry, arrays = dump(clip)
        if is_endless is not None and is_endless(entry):
            note(f"{clip['id']}: PyTorch's transcript has no end. A model that repeats itself makes this stage slow.")
            is_endless = None
        index.append({"id": clip["id"], **entry, **write_arrays(out, clip["id"], arrays)})
        progress("reference", done, len(clips), "clips")
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    (out / "index.json").write_text(json.dumps({"clips": index, "versions": versions}), encoding="utf-8")
    emit("result", clips=len(index), **versions)


def write_arrays(out: Path, clip: str, arrays: dict[str, torch.Tensor]) -> dict:
    """Little-endian float32 files, and where they are."""
    written = {}
    for name, value in arrays.items():
        file = f"{clip}.{name}.f32"
        value.numpy().astype("<f4").tofile(out / file)
        written[name] = {"file": file, "shape": list(value.shape)}
    return written
