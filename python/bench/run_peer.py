# SPDX-License-Identifier: Apache-2.0

"""One engine in a process of its own, for `npm run bench -- peers`.

    python python/bench/run_peer.py '{"engine": NAME, "model": PATH, "threads": 2, "isWarm": true,
                                      "clips": [{"file": WAV, "newTokens": 30}, ...]}'

With isWarm each clip is transcribed twice, with one new token the first time where the engine has a limit, and the second
time counts. Prints one line of JSON, as soon as all texts are there.
"""

import json
import os
import resource
import sys
import time
import wave
from pathlib import Path

import numpy as np

from peer_engines import ENGINES, Engine, Run

RATE = 16000
lines = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what engines print themselves


def main() -> None:
    """Transcribe the clips of the job in argv[1] with its engine, and print the figures: seconds and bytes."""
    job = json.loads(sys.argv[1])
    clips = [(read_wave(clip["file"]), clip["newTokens"]) for clip in job["clips"]]
    started = time.perf_counter()
    engine = ENGINES[job["engine"]](Path(job["model"]), job["threads"])
    load = time.perf_counter() - started
    if job["isWarm"]:
        for samples, _ in clips:
            engine.transcribe(samples, 1)
    results = [facts(engine, samples, new_tokens, job["isWarm"]) for samples, new_tokens in clips]
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"load": load, "peak": peak, "clips": results}), file=lines, flush=True)
    os._exit(0)  # some take long to close


def facts(engine: Engine, samples: np.ndarray, new_tokens: int, is_warm: bool) -> dict:
    """Where an engine reports no parts, the time to the first token is that of a run with one."""
    run = engine.transcribe(samples, new_tokens)
    first, step = None, run.step
    if step is not None:
        first = run.seconds - (run.tokens - 1) * step
    elif is_warm:
        first, step = parts(run, engine.transcribe(samples, 1))
    return {
        **{"seconds": run.seconds, "tokens": run.tokens, "text": run.text[:100]},
        **{"encoder": run.encoder, "prompt": run.prompt, "first": first, "step": step},
    }


def parts(run: Run, first: Run) -> tuple[float, float]:
    """Seconds to the first token, and of each further one; `first`: a run with one new token."""
    return first.seconds, (run.seconds - first.seconds) / max(run.tokens - 1, 1)


def read_wave(path: str) -> np.ndarray:
    """16 kHz mono of 16 bits -> float32, full scale 1"""
    with wave.open(path) as file:
        if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (RATE, 1, 2):
            raise SystemExit(f"{path} is not 16 kHz mono of 16 bits")
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768


if __name__ == "__main__":
    main()
