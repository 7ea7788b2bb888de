# SPDX-License-Identifier: Apache-2.0

"""Other engines behind one face: open a model, transcribe samples with so many new tokens, report what they measure of their time.

Each is the engine's wheel as PyPI has it, used as its documentation says.
"""

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Run:
    """Result of one recording; times in seconds, None where the engine does not report them."""

    text: str
    seconds: float
    tokens: int
    encoder: float | None = None
    prompt: float | None = None
    step: float | None = None


class Engine(Protocol):
    """An engine with an open model."""

    def transcribe(self, samples: np.ndarray, new_tokens: int) -> Run:
        """samples: 16 kHz mono, float32, full scale 1"""
        ...


class TranscribeCpp:
    """It has no limit of tokens below its own of 256: the run continues, and its log says how long a step takes."""

    def __init__(self, model: Path, threads: int) -> None:
        os.environ["TRANSCRIBE_PERF_DEBUG"] = "1"
        os.environ["TRANSCRIBE_NO_REPETITION_GUARD"] = "1"  # random weights repeat themselves
        import transcribe_cpp

        self.library = transcribe_cpp
        self.lines: list[str] = []
        transcribe_cpp.set_log_callback(lambda _level, message: self.lines.append(message))
        self.session = transcribe_cpp.Model(model, backend="cpu").session(n_threads=threads)

    def transcribe(self, samples: np.ndarray, new_tokens: int) -> Run:
        """As in Engine; `new_tokens` has no effect. @raises SystemExit when the log lacks a time"""
        self.lines.clear()
        started = time.perf_counter()
        try:
            result = self.session.run(samples)
        except self.library.OutputTruncated as error:
            result = error.partial_result
        seconds = time.perf_counter() - started
        log = "\n".join(self.lines)
        steps = int(told(log, r"step_loop +[\d.]+ ms +\((\d+) steps"))
        return Run(
            text=result.raw_text,
            seconds=seconds,
            tokens=steps + 1,
            encoder=milliseconds(log, "enc_build") + milliseconds(log, "enc_compute"),
            prompt=sum(milliseconds(log, f"prefill_{part}") for part in ("build", "compute", "logits")),
            step=milliseconds(log, "step_loop") / max(steps, 1),
        )


class CrispAsr:
    """In one piece, as the others: by itself it cuts what is longer than 30 s."""

    def __init__(self, model: Path, threads: int) -> None:
        os.environ["CRISPASR_SESSION_AUTOCHUNK"] = "0"
        os.environ["CRISPASR_NGRAM_LOOPFIX_OFF"] = "1"  # random weights repeat themselves
        import crispasr

        self.session = crispasr.Session(str(model), n_threads=threads, use_gpu=False)

    def transcribe(self, samples: np.ndarray, new_tokens: int) -> Run:
        """As in Engine; without times of parts."""
        self.session.set_max_new_tokens(new_tokens)
        started = time.perf_counter()
        segments = self.session.transcribe(samples)
        seconds = time.perf_counter() - started
        tokens = sum(len(segment.tokens) for segment in segments)
        return Run(" ".join(segment.text for segment in segments), seconds, tokens)


class SherpaOnnx:
    """It cuts loops out from 64 tokens on: what is longer is sampled, which random weights do not repeat themselves in."""

    GREEDY = 60

    def __init__(self, folder: Path, threads: int) -> None:
        import sherpa_onnx

        def found(*names: str) -> str:
            return str(next((folder / name for name in names if (folder / name).exists()), folder / names[0]))

        self.recognizer = sherpa_onnx.OfflineRecognizer.from_qwen3_asr(
            conv_frontend=found("conv_frontend.onnx"),
            encoder=found("encoder.int8.onnx", "encoder.onnx"),
            decoder=found("decoder.int8.onnx", "decoder.onnx"),
            tokenizer=found("tokenizer"),
            num_threads=threads,
            max_total_len=1024,  # prompt and new tokens of the longest clip
        )

    def transcribe(self, samples: np.ndarray, new_tokens: int) -> Run:
        """As in Engine; without times of parts."""
        started = time.perf_counter()
        stream = self.recognizer.create_stream()
        stream.set_option("max_new_tokens", str(new_tokens))
        if new_tokens > self.GREEDY:
            stream.set_option("temperature", "1")
            stream.set_option("top_p", "1")
        stream.accept_waveform(16000, samples)
        self.recognizer.decode_stream(stream)
        return Run(stream.result.text, time.perf_counter() - started, len(stream.result.tokens))


ENGINES: dict[str, Callable[[Path, int], Engine]] = {
    "transcribe-cpp": TranscribeCpp,
    "crispasr": CrispAsr,
    "sherpa-onnx": SherpaOnnx,
}


def milliseconds(log: str, part: str) -> float:
    """As seconds."""
    return float(told(log, rf"{part} +([\d.]+) ms")) / 1000


def told(log: str, pattern: str) -> str:
    """The first group of `pattern` in a log. @raises SystemExit when it does not match"""
    found = re.search(pattern, log)
    if found is None:
        raise SystemExit(f"the engine's log has no line {pattern}")
    return found[1]
