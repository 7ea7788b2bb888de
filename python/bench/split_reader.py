# SPDX-License-Identifier: Apache-2.0

"""The split layout in Python's onnxruntime: encoder, decoder_init and decoder_step in a loop of numpy arrays."""

import json
import time
from pathlib import Path

import numpy as np
import onnxruntime

AROUND, OFFSET = 15, 9  # tokens of the prompt around the audio, and before it
NAMES = ["logits", "present_keys", "present_values"]


class SplitReader:
    """The sessions of one variant of a release."""

    def __init__(self, model: Path, variant: str, threads: int, init: Path | None = None) -> None:
        """init: decoder_init where it is not the release's"""
        config = json.loads((model / "config.json").read_text(encoding="utf-8"))
        table = np.memmap(model / "embed_tokens.bin", "<f2", "r")
        self.embeddings = table.reshape(config["embed_tokens_shape"])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads

        def session(path: Path):
            return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

        def graph(name: str) -> Path:
            own = model / f"{name}.{variant}.onnx"
            return own if own.exists() else model / f"{name}.onnx"

        self.encoder = session(graph("encoder"))
        self.init, self.step = session(init or graph("decoder_init")), session(graph("decoder_step"))

    def transcribe(self, mel: np.ndarray, steps: int) -> dict:
        """mel [1, 128, T] -> seconds of each part. The largest logit is fed for as many steps as asked, whatever it is."""
        started = time.perf_counter()
        features = self.encoder.run(["audio_features"], {"mel": mel})[0]
        encoded = time.perf_counter()
        length = features.shape[1] + AROUND
        prompt = {
            "input_ids": np.random.default_rng(1).integers(0, 400, (1, length)),
            "position_ids": np.arange(length)[None],
            "audio_features": features,
            "audio_offset": np.array([OFFSET]),
        }
        logits, keys, values = self.init.run(NAMES, prompt)
        token = int(logits[0, -1].argmax())
        prefilled = time.perf_counter()
        for step in range(steps):
            inputs = {
                "input_embeds": self.embeddings[token].astype(np.float32)[None, None],
                "position_ids": np.array([[length + step]]),
                "past_keys": keys,
                "past_values": values,
            }
            logits, keys, values = self.step.run(NAMES, inputs)
            token = int(logits[0, -1].argmax())
        ended = time.perf_counter()
        return {"encoder": encoded - started, "prefill": prefilled - encoded, "decode": ended - prefilled}


def noise(frames: int) -> np.ndarray:
    """As a mel spectrogram: f32 [1, 128, frames]"""
    return ((np.random.default_rng(1).random((1, 128, frames)) - 0.5) / 5).astype(np.float32)
