# SPDX-License-Identifier: Apache-2.0

"""The graphs that are written for sherpa-onnx, in float32, against those of the tiny release that does the same.

    check_sherpa.py RELEASE

Its last line is JSON: largest differences {"features", "prompt", "step": of logits, "keys", "padding": largest value behind
the tokens, "sizes" of values, "inputs" of the decoder}.
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(1, str(Path(__file__).parents[2] / "python"))
sys.path.insert(1, str(Path(__file__).parents[2] / "python" / "export"))
sys.path.insert(1, str(Path(__file__).parents[2] / "python" / "bench"))

import numpy as np
import onnxruntime as ort

from checkpoint import Checkpoint
from protocol import emit
from special_tokens import special_tokens
from write_sherpa import GRAPHS, export

FRAMES, CAPACITY = 1130, 200  # more than one chunk, and more positions than are used


def session(path: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def main(release: Path) -> None:
    checkpoint = Checkpoint(release / ".work" / "checkpoint.json")
    random = np.random.default_rng(1)
    mel = random.standard_normal((1, 128, FRAMES)).astype(np.float32)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        paths = [
            export(build, signature(checkpoint), checkpoint, folder / str(i))
            for i, (build, signature, _) in enumerate(GRAPHS)
        ]
        frontend, encoder, decoder = map(session, paths)
        (stem,) = frontend.run(None, {"input_features": mel.transpose(0, 2, 1)})
        (wanted,) = session(release / "encoder.onnx").run(None, {"mel": mel})
        tokens = wanted.shape[1]
        mask = np.arange(stem.shape[1])[None] < tokens
        (features,) = encoder.run(None, {"input_features": stem, "feature_attention_mask": mask})
        facts = compare_decoders(release, checkpoint, decoder, wanted)
    padding = float(np.abs(features[:, tokens:]).max(initial=0))
    differences = {"features": float(np.abs(features[:, :tokens] - wanted).max()), "padding": padding, **facts}
    emit("result", **differences, inputs=[value.name for value in decoder.get_inputs()][:5])


def compare_decoders(
    release: Path, checkpoint: Checkpoint, decoder: ort.InferenceSession, features: np.ndarray
) -> dict:
    """A prompt, then a step behind it."""
    pad, count = special_tokens(checkpoint.folder)["<|audio_pad|>"], features.shape[1]
    ids = np.array([[5, 6, 7, *[pad] * count, 8, 9]])
    length = ids.shape[1]
    prompt = {"input_ids": ids, "position_ids": np.arange(length)[None], "audio_features": features}
    init = session(release / "decoder_init.onnx")
    logits, keys, values = init.run(
        ["logits", "present_keys", "present_values"], {**prompt, "audio_offset": np.array([3])}
    )
    step = session(release / "decoder_step.onnx").run(
        ["logits"],
        {
            "input_embeds": checkpoint.load("model.language_model.embed_tokens.weight")[11][None, None],
            "position_ids": np.array([[length]]),
            "past_keys": keys,
            "past_values": values,
        },
    )
    cache = {value.name: np.zeros((1, CAPACITY, *value.shape[2:]), np.float32) for value in decoder.get_inputs()[4:]}
    found, *new = decoder.run(None, inputs(ids, features, 0, cache))
    for name, delta in zip(cache, new, strict=True):
        cache[name][:, :length] = delta
    after, *_ = decoder.run(None, inputs(np.array([[11]]), features, length, cache))
    own_keys = np.stack([delta[0].transpose(1, 0, 2) for delta in new[::2]])[:, None]
    return {
        "prompt": float(np.abs(found[:, -1:] - logits).max()),
        "step": float(np.abs(after - step[0]).max()),
        "keys": float(np.abs(own_keys - keys).max()),
        "sizes": [float(np.abs(one).max()) for one in (features, logits, keys)],
    }


def inputs(ids: np.ndarray, features: np.ndarray, past: int, cache: dict) -> dict:
    positions = past + np.arange(ids.shape[1])
    fixed = {"input_ids": ids, "audio_features": features, "attention_mask": np.ones_like(ids)}
    return {**fixed, "cache_position": positions, **cache}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
