# SPDX-License-Identifier: Apache-2.0

"""Download a checkpoint from the hub into its cache, and say where it is.

python download.py OWNER/NAME REVISION
"""

import sys

from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from tqdm import tqdm

from protocol import UserError, emit, progress, reporting

FILES = ["*.json", "*.safetensors", "*.txt", "README.md"]


class Bar(tqdm):
    """Passes byte counts on instead of drawing."""

    def __init__(self, *args, **kwargs) -> None:
        kwargs.pop("name", None)
        super().__init__(*args, **{**kwargs, "disable": False, "file": sys.stderr, "mininterval": 1})

    def update(self, n=1):
        """Draw the bar, and report the bytes in a progress event."""
        drawn = super().update(n)
        if self.unit == "B" and self.total:
            progress(self.desc or "download", int(self.n), int(self.total), "bytes")
        return drawn


def main(repo: str, revision: str) -> None:
    """Download `repo` at `revision`, and report its folder. Reports UserError where the hub refuses or lacks it."""
    with reporting():
        try:
            folder = snapshot_download(repo, revision=revision, allow_patterns=FILES, tqdm_class=Bar)
        except GatedRepoError:
            raise UserError(
                f"{repo} is gated: its terms must be accepted before it can be read.",
                f"Accept them at {constants.ENDPOINT}/{repo}, then set HF_TOKEN to a token of the same account,"
                " or run: hf auth login.",
            ) from None
        except RevisionNotFoundError:
            raise UserError(f"{repo} has no revision {revision}.", "Give --model owner/name@revision.") from None
        except RepositoryNotFoundError:
            raise UserError(
                f"The hub has no model {repo}, or it is private.", "Check the name; set HF_TOKEN."
            ) from None
        except (HfHubHTTPError, OSError) as error:
            if isinstance(error, LocalEntryNotFoundError) and constants.HF_HUB_OFFLINE:
                raise UserError(
                    f"HF_HUB_OFFLINE is set, and {repo} at {revision} is not in the cache ({constants.HF_HUB_CACHE}).",
                    "Unset it to download the checkpoint, or give a folder to --model.",
                ) from None
            if getattr(error, "errno", None) in (28, 122):
                raise
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise UserError(
                f"Downloading {repo} failed: {reason}", "Check the network and run again: finished files are kept."
            ) from None
        emit("result", folder=folder, commit=folder.rstrip("/").rsplit("/", 1)[-1])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
