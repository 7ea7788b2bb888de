# SPDX-License-Identifier: Apache-2.0

"""Synthetic speech for the tiny checkpoint: sentences, voices, espeak-ng, 16 kHz samples.

Two languages, two closed word lists. Held-out sentences and held-out voices are disjoint from
what training sees, so the WER on them measures recognition, not memory.
"""

import json
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soundfile

from espeak_speech import TimedWord, require_library, say

SAMPLE_RATE = 16000
SALAD = 0.2

TRAIN_VARIANTS = (
    "m1 m2 m3 m4 m5 m8 f1 f2 f3 f5 adam Alex Alicia Andrea Andy antonio belinda benjamin caleb "
    "david Denis Diogo ed edward Gene Henrique Hugo iven john Lee linda Marco Mario Michael michel "
    "miguel mike pablo paul pedro quincy rob robert shelby steph travis zac norbert sandro"
).split()
HELD_OUT_VARIANTS = "m6 m7 f4 Annie max victor steph2 anika".split()
ACCENTS = {
    "English": ("en-us", "en-gb", "en-gb-x-rp", "en-gb-scotland", "en-029", "en-us-nyc"),
    "German": ("de",),
}

DIGITS = {
    "English": "zero one two three four five six seven eight nine".split(),
    "German": "null eins zwei drei vier fünf sechs sieben acht neun".split(),
}
# One phrase of each slot, all combinations allowed: so many sentences that none can be guessed from its beginning.
COMMANDS = {
    "English": (
        ("turn on", "turn off", "open", "close", "play", "stop", "set", "call"),
        ("the light", "the lights", "the heating", "the fan", "the door", "the window", "the music", "a timer",
         "the alarm", "home", "my mother"),
        ("", "in the kitchen", "in the bedroom", "in the garden", "in the office"),
        ("", "please", "now", "at {}", "for {} minutes", "in {} hours"),
    ),
    "German": (
        ("mach", "schalte", "öffne", "schließe", "stelle"),
        ("die tür", "das fenster", "das licht", "die heizung", "die musik", "den wecker"),
        ("", "in der küche", "im büro", "im garten"),
        ("", "bitte", "an", "aus", "auf {} uhr", "in {} minuten"),
    ),
}  # fmt: skip
WORDS = {
    language: sorted({word for slot in slots for phrase in slot for word in phrase.replace("{}", "").split()})
    for language, slots in COMMANDS.items()
}


@dataclass(frozen=True)
class Utterance:
    """One or more clauses as one voice says them. `rate` is words a minute, `pitch` espeak's 0 to 99, `pause` the
    seconds of silence between clauses."""

    text: str
    language: str
    voice: str
    rate: int
    pitch: int
    pause: float = 0.0


@dataclass(frozen=True)
class Clip:
    """An utterance as it was said: int16 samples at 16 kHz, mono, and the words with their times."""

    samples: np.ndarray
    words: list[TimedWord]


def draw_utterances(seed: int, count: int, banned: frozenset[str]) -> list[Utterance]:
    """`count` clauses, none in `banned`, each by a random voice of the training variants."""
    rng = random.Random(seed)
    out: list[Utterance] = []
    while len(out) < count:
        language = "German" if rng.random() < 0.3 else "English"
        text = _clause(rng, language, SALAD)
        if text in banned:
            continue
        voice = f"{rng.choice(ACCENTS[language])}+{rng.choice(TRAIN_VARIANTS)}"
        out.append(Utterance(text, language, voice, rng.randint(120, 200), rng.randint(25, 75)))
    return out


def held_out_utterances(seed: int, count: int) -> list[Utterance]:
    """The test set: every twelfth utterance is three clauses with pauses, most of them longer than 10 s."""
    rng = random.Random(seed)
    out: list[Utterance] = []
    for i in range(count):
        language = "German" if i % 3 == 2 else "English"
        is_long = i % 12 == 10
        voice = f"{rng.choice(ACCENTS[language])}+{HELD_OUT_VARIANTS[i % len(HELD_OUT_VARIANTS)]}"
        text = " ".join(_clause(rng, language) for _ in range(3 if is_long else 1))
        rate = rng.randint(120, 140 if is_long else 200)
        out.append(Utterance(text, language, voice, rate, rng.randint(25, 75), 1.5 if is_long else 0.0))
    return out


def clauses_of(utterances) -> frozenset[str]:
    """Every clause said in `utterances`: what training must never contain."""
    return frozenset(clause for u in utterances for clause in split_clauses(u.text))


def split_clauses(text: str) -> list[str]:
    """The sentences of a text, each with its full stop."""
    return [part + "." for part in text.rstrip(".").split(". ")]


def synthesize_all(utterances) -> list[Clip]:
    """A clip of each utterance, in order. Raises SystemExit without espeak-ng."""
    require_library()
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(synthesize, utterances))


def synthesize(utterance: Utterance) -> Clip:
    """Say an utterance with espeak-ng: samples at 16 kHz, int16, and the times of its words in seconds."""
    silence = np.zeros(round(utterance.pause * SAMPLE_RATE), np.int16)
    parts: list[np.ndarray] = []
    words: list[TimedWord] = []
    for clause in split_clauses(utterance.text):
        parts += [silence] if parts else []
        before = sum(map(len, parts)) / SAMPLE_RATE
        said = say(utterance.voice, utterance.rate, utterance.pitch, clause)
        parts.append(_at_half_scale(np.frombuffer(said.samples, np.int16), said.sample_rate))
        words += [TimedWord(word.text, before + word.start, before + word.end) for word in said.words]
    return Clip(np.concatenate(parts), words)


def hours_of(clips: list[Clip]) -> float:
    """Length of all clips together, in hours."""
    return sum(len(clip.samples) for clip in clips) / SAMPLE_RATE / 3600


def write_speech(folder: Path, prefix: str, utterances, clips: list[Clip]) -> None:
    """16 kHz FLAC files named after `prefix`, and manifest.jsonl that lists them."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for i, (utterance, clip) in enumerate(zip(utterances, clips, strict=True)):
        name = f"{prefix}-{i:03d}.flac"
        soundfile.write(folder / name, clip.samples, SAMPLE_RATE, subtype="PCM_16", compression_level=1.0)
        lines.append(
            {
                "id": name.removesuffix(".flac"), "file": name, "seconds": round(len(clip.samples) / SAMPLE_RATE, 4),
                "text": utterance.text, "language": utterance.language, "speaker": utterance.voice,
                "rate": utterance.rate, "pitch": utterance.pitch, "pause": utterance.pause,
                "words": listed_words(clip.words),
            }
        )  # fmt: skip
    write_manifest(folder, lines)


def listed_words(words: list[TimedWord]) -> list[dict]:
    """As a manifest has them: seconds to a tenth of a millisecond."""
    return [asdict(word) | {"start": round(word.start, 4), "end": round(word.end, 4)} for word in words]


def read_manifest(folder: Path) -> list[dict]:
    """The entries of manifest.jsonl in their order."""
    lines = (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def write_manifest(folder: Path, lines: list[dict]) -> None:
    """Write manifest.jsonl, an entry on each line."""
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    (folder / "manifest.jsonl").write_text(text, encoding="utf-8")


def _clause(rng: random.Random, language: str, salad: float = 0.0) -> str:
    """Half digit strings, half commands; a share of `salad` is words in any order, which only the sound determines."""
    kind = rng.random()
    if kind < salad:
        words = rng.choices([*WORDS[language], *DIGITS[language]], k=rng.randint(3, 7))
    elif kind < salad + (1 - salad) / 2:
        words = rng.choices(DIGITS[language], k=rng.randint(3, 8))
    else:
        phrases = (rng.choice(slot).format(rng.choice(DIGITS[language])) for slot in COMMANDS[language])
        words = [phrase for phrase in phrases if phrase]
    sentence = " ".join(words)
    return sentence[0].upper() + sentence[1:] + "."


def _at_half_scale(samples: np.ndarray, rate: int) -> np.ndarray:
    """int16 at 16 kHz, the loudest sample at half of full scale."""
    resampled = _resample(samples.astype(np.float32) / np.float32(32768), rate)
    peak = max(1e-6, float(np.abs(resampled).max()))
    return np.round(resampled * (0.5 / peak) * 32767).astype(np.int16)


def _resample(samples: np.ndarray, rate: int) -> np.ndarray:
    """Band-limited resampling of a whole clip by cutting its spectrum."""
    length = round(len(samples) * SAMPLE_RATE / rate)
    spectrum = np.fft.rfft(samples)[: length // 2 + 1]
    return np.fft.irfft(spectrum, length) * (length / len(samples))
