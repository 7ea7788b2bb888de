# SPDX-License-Identifier: Apache-2.0

"""Python's onnxruntime on the split layout, in a process of its own, for `npm run bench -- peers`.

    python python/bench/run_split.py '{"model": RELEASE, "variant": "int4", "threads": 2, "isWarm": true,
                                       "clips": [{"file": WAV, "newTokens": 30}, ...]}'

Prints what run_peer.py prints. The spectrogram is noise of the clip's length, which takes the same time; making one is not
counted. The tokens are not turned into text.
"""

import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).parents[1]))  # modules that several folders share

import no_telemetry  # noqa: F401  # isort: skip  (before onnxruntime)

import json
import os
import resource
import time
import wave

from split_reader import SplitReader, noise

FRAMES_A_SECOND = 100
lines = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def main() -> None:
    """Transcribe the clips of the job in argv[1], and print the figures: seconds and bytes."""
    job = json.loads(sys.argv[1])
    clips = [(frames_of(clip["file"]), clip["newTokens"]) for clip in job["clips"]]
    started = time.perf_counter()
    reader = SplitReader(Path(job["model"]), job["variant"], job["threads"])
    load = time.perf_counter() - started
    if job["isWarm"]:
        for frames, _ in clips:
            reader.transcribe(noise(frames), 2)
    results = [facts(reader, frames, new_tokens) for frames, new_tokens in clips]
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"load": load, "peak": peak, "clips": results}), file=lines, flush=True)
    os._exit(0)


def facts(reader: SplitReader, frames: int, new_tokens: int) -> dict:
    """Seconds of one clip by part, as run_peer.py prints them; `frames`: of its mel spectrogram."""
    mel = noise(frames)
    parts = reader.transcribe(mel, new_tokens - 1)
    first = parts["encoder"] + parts["prefill"]
    return {
        **{"seconds": first + parts["decode"], "tokens": new_tokens, "text": ""},
        **{"encoder": parts["encoder"], "prompt": parts["prefill"], "first": first},
        "step": parts["decode"] / max(new_tokens - 1, 1),
    }


def frames_of(path: str) -> int:
    """Mel frames of a WAV file, by its length."""
    with wave.open(path) as file:
        return file.getnframes() * FRAMES_A_SECOND // file.getframerate()


if __name__ == "__main__":
    main()
