# SPDX-License-Identifier: Apache-2.0

"""Transcribe clips with a packaged release, knowing nothing but the release contract.

    python contract_reader.py RELEASE.tar.gz VARIANT CLIP.flac...

Shares no code with the project: its own mel in numpy, its own prompt and decoding loop, Python's onnxruntime.
Prints one JSON line: {"files": [...], "texts": [...], "fused_texts": [...], "prefill_texts": [...]}: by the split graphs, one
clip after the other; by the fused graph, all clips in one batch, as config.json describes it; the same with the prompts
in 8 bits, as the recipe that it names describes it.
"""

import base64
import json
import re
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
import soundfile
from tokenizers import Tokenizer


def main(archive: str, variant: str, clips: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(archive) as tar:
            names = tar.getnames()
            tar.extractall(folder, filter="data")
        reader = Reader(Path(folder) / names[0].split("/")[0], variant)
        texts = [reader.transcribe(clip) for clip in clips]
        result = {"files": names, "texts": texts, "fused_texts": reader.transcribe_together(clips)}
        if variant and reader.fused.get("quicker_prompts"):
            recipe = json.loads((reader.folder / reader.fused["quicker_prompts"][0]).read_text())
            result["prefill_texts"] = reader.transcribe_together(clips, reader.prefill(recipe))
        print(json.dumps(result))


class Reader:
    def __init__(self, folder: Path, variant: str) -> None:
        self.folder = folder
        config = json.loads((folder / "config.json").read_text())
        self.mel_config, self.special = config["mel"], config["special_tokens"]
        assert config["model_type"] == "qwen3_asr" and config["embed_tokens_dtype"] == "float16"
        self.embeddings = np.fromfile(folder / "embed_tokens.bin", "<f2").reshape(config["embed_tokens_shape"])
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))

        def session(name: str):
            path = folder / (f"{name}.{variant}.onnx" if variant else f"{name}.onnx")
            return onnxruntime.InferenceSession(str(path if path.exists() else folder / f"{name}.onnx"))

        self.encoder, self.init, self.step = map(session, ("encoder", "decoder_init", "decoder_step"))
        self.decoder, self.fused = session("decoder"), config["decoder"]["fused"]
        self.cache_shape = (config["decoder"]["num_layers"], config["decoder"]["num_key_value_heads"])

    def encode(self, clip: str) -> np.ndarray:
        samples, rate = soundfile.read(clip, dtype="float32")
        assert rate == self.mel_config["sample_rate"]
        return self.encoder.run(["audio_features"], {"mel": self.mel(samples)})[0]

    def transcribe(self, clip: str) -> str:
        features = self.encode(clip)
        ids, offset = self.prompt(features.shape[1])
        length = len(ids)
        logits, keys, values = self.init.run(
            ["logits", "present_keys", "present_values"],
            {
                "input_ids": np.array([ids]),
                "position_ids": np.arange(length)[None],
                "audio_features": features,
                "audio_offset": np.array([offset]),
            },
        )
        assert (keys.shape[0], keys.shape[2]) == self.cache_shape and keys.shape[3] == length
        tokens: list[int] = []
        while (token := int(logits[0, 0].argmax())) not in self.special["eos_token_ids"] and len(tokens) < 512:
            tokens.append(token)
            logits, keys, values = self.step.run(
                ["logits", "present_keys", "present_values"],
                {
                    "input_embeds": self.embeddings[token].astype(np.float32)[None, None],
                    "position_ids": np.array([[length + len(tokens) - 1]]),
                    "past_keys": keys,
                    "past_values": values,
                },
            )
        return self.tokenizer.decode(tokens, skip_special_tokens=True)

    def prefill(self, recipe: dict):
        """The graph for prompts with its weights, made of the int4 ones."""
        data = (self.folder / recipe["data"]).read_bytes()
        block, feeds = recipe["block_size"], {}

        def stored(place, dtype: str, shape: tuple) -> np.ndarray:
            raw = base64.b64decode(place) if isinstance(place, str) else data
            return np.frombuffer(raw, dtype, int(np.prod(shape)), 0 if isinstance(place, str) else place).reshape(shape)

        nibbles = lambda packed: np.stack([packed & 15, packed >> 4], -1).reshape(len(packed), -1)  # noqa: E731
        for weight in recipe["weights"]:
            k, n, blocks = weight["K"], weight["N"], weight["K"] // block
            q = nibbles(stored(weight["packed"], "u1", (n, k // 2))).astype(np.float32).reshape(n, blocks, block)
            scales = stored(weight["scales"], "<f4", (n, blocks))
            zeros = np.full((n, blocks), 8)
            if "zero_points" in weight:
                zeros = nibbles(stored(weight["zero_points"], "u1", (n, (blocks + 1) // 2)))[:, :blocks].astype(int)
            values = (q - zeros[:, :, None]) * scales[:, :, None]
            scale = (np.maximum(zeros, 15 - zeros) * np.abs(scales)).max(axis=1) / 64
            feeds[weight["name"] + ".int8"] = np.rint(values.reshape(n, k) / scale[:, None]).astype(np.int8).T.copy()
            feeds[weight["name"] + ".scale"] = scale.astype(np.float32)
        graph = onnxruntime.InferenceSession(str(self.folder / recipe["graph"]))
        names = {value.name for value in graph.get_inputs()}
        return lambda outputs, given: graph.run(outputs, feeds | {k: v for k, v in given.items() if k in names})

    def transcribe_together(self, clips: list[str], prefill=None) -> list[str]:
        """All clips in one batch of unequal rows; what stands behind the valid positions is noise on purpose."""
        noise = np.random.default_rng(0)
        features = [self.encode(clip)[0] for clip in clips]
        prompts = [self.prompt(len(rows)) for rows in features]
        lengths = np.array([len(ids) for ids, _ in prompts])
        batch, longest = len(clips), int(lengths.max())
        embeds = noise.standard_normal((batch, longest, self.embeddings.shape[1])).astype(np.float32)
        for row, (ids, offset) in enumerate(prompts):
            embeds[row, : len(ids)] = self.embeddings[ids]
            embeds[row, offset : offset + len(features[row])] = features[row]
        layers = range(self.cache_shape[0])
        kinds = [f"{i}.{kind}" for i in layers for kind in ("key", "value")]
        size = self.fused["inputs"]["past_key_values.{i}.key"]["shape"][3]
        found = re.search(r"\bC = (\d+)", self.fused["prompt"][0])
        assert found, "the prompt says no capacity"
        capacity = int(found[1])
        assert capacity >= 1  # WebGPU has no empty tensors
        empty = np.zeros((batch, self.cache_shape[1], capacity, size), np.float32)
        run = lambda **feeds: self.decoder.run(["logits", *(f"new.{kind}" for kind in kinds)], feeds)  # noqa: E731
        past = {f"past_key_values.{kind}": empty for kind in kinds}
        before, ones = lengths - 1, np.ones_like(lengths)
        given = {"input_embeds": embeds, "input_lengths": lengths, "past_lengths": np.zeros_like(lengths), **past}
        if prefill is None:
            logits, *new = run(**given)
            filled = lengths
        else:
            new = prefill([f"new.{kind}" for kind in kinds], given | {"input_embeds": embeds[:, :-1].copy()})
            filled = before
        capacity = longest + 512
        for kind, fresh in zip(kinds, new, strict=True):
            buffer = noise.standard_normal((batch, self.cache_shape[1], capacity, size)).astype(np.float32)
            for row, length in enumerate(filled):
                buffer[row, :, :length] = fresh[row, :, :length]
            past[f"past_key_values.{kind}"] = buffer
        tokens: list[list[int]] = [[] for _ in clips]
        ended = np.zeros(batch, bool)
        past_lengths = lengths.copy()
        if prefill is not None:
            last = np.stack([embeds[row, length] for row, length in enumerate(before)])[:, None]
            logits, *new = run(input_embeds=last, input_lengths=ones, past_lengths=before, **past)
            for kind, fresh in zip(kinds, new, strict=True):
                for row, length in enumerate(before):
                    past[f"past_key_values.{kind}"][row, :, length] = fresh[row, :, 0]
        while True:
            best = logits[:, 0].argmax(axis=-1)
            ended |= np.isin(best, self.special["eos_token_ids"])
            if ended.all() or max(map(len, tokens)) == 512:
                return [self.tokenizer.decode(ids, skip_special_tokens=True) for ids in tokens]
            for row in np.flatnonzero(~ended):
                tokens[row].append(int(best[row]))
            embeds = self.embeddings[best].astype(np.float32)[:, None]
            logits, *new = run(input_embeds=embeds, input_lengths=ones, past_lengths=past_lengths, **past)
            for kind, fresh in zip(kinds, new, strict=True):
                for row, length in enumerate(past_lengths):
                    past[f"past_key_values.{kind}"][row, :, length] = fresh[row, :, 0]
            past_lengths += 1

    def prompt(self, audio_tokens: int) -> tuple[list[int], int]:
        special = self.special
        encode = lambda text: self.tokenizer.encode(text, add_special_tokens=False).ids  # noqa: E731
        start, end, newline = special["im_start_token_id"], special["im_end_token_id"], encode("\n")
        before = [start, *encode("system\n"), end, *newline, start, *encode("user\n"), special["audio_start_token_id"]]
        after = [special["audio_end_token_id"], end, *newline, start, *encode("assistant\n")]
        return [*before, *[special["audio_pad_token_id"]] * audio_tokens, *after], len(before)

    def mel(self, samples: np.ndarray) -> np.ndarray:
        """[1, 128, T] as section 1 of the contract describes it."""
        config = self.mel_config
        n_fft, hop = config["n_fft"], config["hop_length"]
        samples = np.pad(samples, (0, max(0, 8000 - len(samples))))
        padded = np.pad(samples, n_fft // 2, mode="reflect")
        frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop][:-1]
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)
        power = np.abs(np.fft.rfft(frames * window)) ** 2
        mel = np.log10(np.maximum(power @ self.filters(), 1e-10))
        return ((np.maximum(mel, mel.max() - 8) + 4) / 4).T[None].astype(np.float32)

    def filters(self) -> np.ndarray:
        config = self.mel_config
        hertz = np.linspace(0, config["sample_rate"] / 2, config["n_fft"] // 2 + 1)
        to_mel = lambda f: np.where(f < 1000, f * 3 / 200, 15 + np.log(np.maximum(f, 1) / 1000) * 27 / np.log(6.4))  # noqa: E731
        to_hertz = lambda m: np.where(m < 15, m * 200 / 3, 1000 * np.exp((m - 15) * np.log(6.4) / 27))  # noqa: E731
        edges = to_hertz(np.linspace(to_mel(config["fmin"]), to_mel(config["fmax"]), config["n_mels"] + 2))
        low, centre, high = edges[:-2], edges[1:-1], edges[2:]
        rising = (hertz[:, None] - low) / (centre - low)
        falling = (high - hertz[:, None]) / (high - centre)
        return np.maximum(0, np.minimum(rising, falling)) * 2 / (high - low)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
