# SPDX-License-Identifier: Apache-2.0

"""What espeak-ng's library says of a clause: samples, and the time of each word. The command line has no times.

The library is called in a process of its own for each clause: what it says depends on what it said before. The samples
are then those of `espeak-ng --stdout`, to the bit. Event types, flags and structures are those of its header, speak_lib.h
(https://github.com/espeak-ng/espeak-ng/blob/1.51/src/include/espeak-ng/speak_lib.h).
"""

import ctypes
import itertools
import json
import re
import subprocess
import sys
from dataclasses import dataclass

LIBRARY = "libespeak-ng.so.1"
RETRIEVAL, PHONEME_EVENTS = 1, 1
LIST_TERMINATED, WORD, PHONEME, END = 0, 1, 7, 5
RATE, PITCH = 1, 3
PHONEMES, END_PAUSE = 0x100, 0x1000
PAUSE = "_:"


@dataclass(frozen=True)
class TimedWord:
    """A word as it is written, in seconds. espeak-ng joins some function words: `in the` is one."""

    text: str
    start: float
    end: float


@dataclass(frozen=True)
class Clause:
    """16-bit samples as bytes, how many there are a second, and the words."""

    samples: bytes
    sample_rate: int
    words: tuple[TimedWord, ...]


class _Id(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int), ("unique_identifier", ctypes.c_uint), ("text_position", ctypes.c_int),
        ("length", ctypes.c_int), ("audio_position", ctypes.c_int), ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p), ("id", _Id),
    ]  # fmt: skip


class _Voice(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p), ("languages", ctypes.c_char_p), ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte), ("age", ctypes.c_ubyte), ("variant", ctypes.c_ubyte), ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int), ("spare", ctypes.c_void_p),
    ]  # fmt: skip


def require_library() -> None:
    """Raises SystemExit without espeak-ng."""
    try:
        ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise SystemExit(f"{LIBRARY} cannot be loaded: {error}. hint: apt-get install espeak-ng") from error


def say(voice: str, rate: int, pitch: int, clause: str) -> Clause:
    """`rate` is words a minute, `pitch` espeak's 0 to 99. Raises ValueError when the events do not fit the text."""
    command = [sys.executable, __file__, voice, str(rate), str(pitch), clause]
    head, samples = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.split(b"\n", 1)
    said = json.loads(head)
    return Clause(samples, said["sample_rate"], timed_words(clause, said["events"], said["sample_rate"]))


def timed_words(clause: str, events: list[tuple[str, int, int]], sample_rate: int) -> tuple[TimedWord, ...]:
    """Words of events, each its kind (`word`, `pause`, `end`), place in the text from 0 and sample, in their order.

    A word ends where the next begins, or where the pause before that does. A plosive begins with its closure.
    """
    written = {match.start(): match.group() for match in re.finditer(r"\S+", clause)}
    said = [(place, sample, events[i + 1][2]) for i, (kind, place, sample) in enumerate(events) if kind == "word"]
    starts = [place for place, _, _ in said]
    if starts[:1] != list(written)[:1] or not written.keys() >= set(starts):
        raise ValueError(f"{clause!r} has its words at {list(written)}, espeak-ng says at {starts}.")
    words = []
    for (place, start, end), stop in zip(said, [*starts[1:], len(clause)], strict=True):
        text = " ".join(word for at, word in written.items() if place <= at < stop)
        words.append(TimedWord(text, start / sample_rate, end / sample_rate))
    return tuple(words)


def _main(voice: str, rate: str, pitch: str, clause: str) -> None:
    """A line of JSON with the events, then the samples."""
    library = ctypes.CDLL(LIBRARY)
    sample_rate = library.espeak_Initialize(RETRIEVAL, 0, None, PHONEME_EVENTS)
    samples: list[bytes] = []
    events: list[tuple[str, int, int]] = []

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))
    def take(pointer, count, found):
        if pointer and count > 0:
            samples.append(ctypes.string_at(pointer, 2 * count))
        for i in itertools.count():
            if found[i].type == LIST_TERMINATED:
                return 0
            events.extend(_kept(found[i]))

    library.espeak_SetSynthCallback(take)
    # As the command line does: `en-gb+m6` is not a name, but a language with a variant.
    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        wanted = _Voice(languages=voice.encode())
        if library.espeak_SetVoiceByProperties(ctypes.byref(wanted)) != 0:
            raise SystemExit(f"espeak-ng has no voice {voice}.")
    library.espeak_SetParameter(RATE, int(rate), 0)
    library.espeak_SetParameter(PITCH, int(pitch), 0)
    text = clause.encode()
    library.espeak_Synth(text, len(text) + 1, 0, 1, 0, PHONEMES | END_PAUSE, None, None)
    library.espeak_Synchronize()
    head = json.dumps({"sample_rate": sample_rate, "events": events})
    sys.stdout.buffer.write(head.encode() + b"\n" + b"".join(samples))


def _kept(event: _Event) -> list[tuple[str, int, int]]:
    """Places in the text count from 1, in characters."""
    if event.type == WORD:
        return [("word", event.text_position - 1, event.sample)]
    if event.type == PHONEME and event.id.string.decode() == PAUSE:
        return [("pause", event.text_position - 1, event.sample)]
    return [("end", event.text_position - 1, event.sample)] if event.type == END else []


if __name__ == "__main__":
    _main(*sys.argv[1:])
