# SPDX-License-Identifier: Apache-2.0

"""The mel filters and the window of the model's spectrogram, which other engines read from their model files."""

import numpy as np

RATE, WINDOW, HOP = 16000, 400, 160


def mel_filters(bins: int) -> np.ndarray:
    """Slaney's triangles of equal area over 0 to 8 kHz, float32 [bins, frequencies]. Source: Auditory Toolbox, Slaney 1998."""
    frequencies = np.linspace(0, RATE / 2, WINDOW // 2 + 1)
    edges = hertz(np.linspace(0, mel(RATE / 2), bins + 2))
    rising = (frequencies - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - frequencies) / np.diff(edges)[1:, None]
    heights = 2 / (edges[2:] - edges[:-2])
    return (np.minimum(rising, falling).clip(0) * heights[:, None]).astype(np.float32)


def mel(frequency: float) -> float:
    """Linear below 1 kHz, logarithmic above."""
    return frequency * 3 / 200 if frequency < 1000 else 15 + 27 * np.log(frequency / 1000) / np.log(6.4)


def hertz(mels: np.ndarray) -> np.ndarray:
    """Slaney's mel scale: mel -> Hz, linear below 1000 Hz, of any shape."""
    return np.where(mels < 15, mels * 200 / 3, 1000 * np.exp(np.log(6.4) / 27 * (mels - 15)))


def hann() -> np.ndarray:
    """The periodic window."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)
