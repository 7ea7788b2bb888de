# SPDX-License-Identifier: Apache-2.0

"""What an encoder of fewer bits loses on the speech of a calibration: its features against FP32's, and what the decoder,
led along FP32's own answers, makes of them."""

import hashlib
import json
from math import inf, isfinite
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from calibration import Calibration
from calibration_clips import mels_of
from divergence import kld
from protocol import progress
from release_decoder import ReleaseDecoder, forward

# what an encoder may lose: least cosine that 99 % of the features have, and mean KLD of the next token in nats
LIMITS = {"cosine": 0.99, "kld": 0.001}
KEPT = "encoder-gate-1.json"  # another number where figures are computed differently
SHARE = 0.01  # of the features that may be below
THREADS = 2
CHUNK = 1 << 24  # bytes


class EncoderGate:
    """Judges encoders on the clips of a calibration."""

    limits = LIMITS

    def __init__(self, release: Path, folder: Path) -> None:
        """release: folder with FP32's decoder; folder: of the calibration"""
        torch.set_num_threads(THREADS)
        self.calibration, self.mels = Calibration(folder, ReleaseDecoder(release)), mels_of(folder)
        self.wanted = [self.calibration.features(clip) for clip in self.calibration.clips]

    def judge(self, path: Path) -> dict[str, float]:
        """What stands in LIMITS, and the least and the mean cosine, of an encoder's graph; no KLD that is not finite.

        Variants share encoders: figures are kept with the calibration, by the file's content.
        """
        store = self.calibration.folder / KEPT
        kept = json.loads(store.read_text()) if store.exists() else {}
        digest = digest_of(path)
        if digest not in kept:
            kept[digest] = self._judge(path)
            beside = store.with_suffix(".part")
            beside.write_text(json.dumps(kept))
            beside.replace(store)
        return kept[digest]

    def _judge(self, path: Path) -> dict[str, float]:
        found = self._features(path)
        cosines = np.concatenate([cosines_of(a, b) for a, b in zip(found, self.wanted, strict=True)])
        if not np.isfinite(cosines).all():
            return {"cosine": 0.0, "least": 0.0, "mean": 0.0}
        divergence = self._kld(found)
        return {
            "cosine": float(np.quantile(cosines, SHARE)),
            "least": float(cosines.min()),
            "mean": float(cosines.mean()),
            **({"kld": divergence} if isfinite(divergence) else {}),
        }

    def passes(self, found: dict[str, float]) -> bool:
        """Whether the figures of `judge` are within LIMITS; without a KLD they are not."""
        return found["cosine"] >= LIMITS["cosine"] and found.get("kld", inf) <= LIMITS["kld"]

    def _features(self, path: Path) -> list[np.ndarray]:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        found = []
        for i, mel in enumerate(self.mels):
            progress("the encoder's gate", i, len(self.mels), "clips")
            found.append(session.run(["audio_features"], {"mel": mel.read()})[0][0])
        return found

    def _kld(self, features: list[np.ndarray]) -> float:
        calibration, decoder = self.calibration, self.calibration.decoder
        with torch.no_grad():
            x = calibration.embedded(features)
            for i in range(decoder.sizes.layers):
                progress("the encoder's gate", i, decoder.sizes.layers, "layers")
                x = forward(decoder.layer(i), x, calibration.bounds, decoder.sizes)
            head = torch.from_numpy(decoder.values("lm_head"))
            return kld(calibration.head_inputs(), head, decoder.final_norm(x[calibration.asked]), head)


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while part := file.read(CHUNK):
            digest.update(part)
    return digest.hexdigest()


def cosines_of(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of rows [N, H] -> [N]"""
    a, b = a.astype(np.float64), b.astype(np.float64)
    return (a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1))
