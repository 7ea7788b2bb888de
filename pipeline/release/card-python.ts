// SPDX-License-Identifier: Apache-2.0

import { ALIGNER, EMBEDDINGS, ENCODER, LAYOUTS } from '../../eval/runtime/graphs.ts'

/*
 * Programs for readers of a model card who have Python and onnxruntime alone. The tests run them as they stand in the card.
 */

/** What they import beside Python's own modules. */
export const PACKAGES = ['numpy', 'onnxruntime', 'tokenizers'] as const

/**
 * `python transcribe.py FOLDER RECORDING.wav` prints the text.
 * @param prompt ids before and behind the audio
 */
export function transcribingProgram(
  variant: string,
  prompt: { readonly before: readonly number[]; readonly after: readonly number[] },
): string {
  return `import json
${start(variant)}
# The prompt: embeddings of its ids, and the audio between them
${TABLE}
before = ${idList(prompt.before)}
after = ${idList(prompt.after)}
embeds = np.concatenate([table[before], audio, table[after]])

# Greedy decoding: a buffer holds the keys and values of all positions so far
decoder, most = load("${LAYOUTS.fused[0]}"), 512
past = {}
for value in decoder.get_inputs():
    if value.name.startswith("past_key_values"):
        shape = (1, value.shape[1], len(embeds) + most, value.shape[3])
        past[value.name] = np.zeros(shape, np.float32)
outputs = ["logits", *(name.replace("past_key_values", "new") for name in past)]
tokens, filled = [], 0
while len(tokens) < most:
    count = len(embeds)
    feeds = {
        "input_embeds": embeds.astype(np.float32)[None],
        "input_lengths": np.array([count]),
        "past_lengths": np.array([filled]),
    }
    logits, *new = decoder.run(outputs, feeds | past)
    for buffer, values in zip(past.values(), new):
        buffer[:, :, filled : filled + count] = values
    filled += count
    token = int(logits[0, -1].argmax())
    if token in config["special_tokens"]["eos_token_ids"]:
        break
    tokens.append(token)
    embeds = table[[token]]

tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
print(tokenizer.decode(tokens, skip_special_tokens=False).split("<asr_text>")[-1])`
}

/** `python align.py FOLDER RECORDING.wav TEXT.txt` prints a line for each word: start, end, word. */
export function aligningProgram(variant: string): string {
  return `import json
${start(variant, 'import unicodedata')}

def in_order(times):
    """The longest non-decreasing subsequence stays; others follow from neighbours."""
    lengths, before = [1] * len(times), [-1] * len(times)
    for i in range(len(times)):
        for j in range(i):
            if times[j] <= times[i] and lengths[j] >= lengths[i]:
                lengths[i], before[i] = lengths[j] + 1, j
    stays, at = [], lengths.index(max(lengths))
    while at >= 0:
        stays, at = [at, *stays], before[at]
    for left, right in zip([-1, *stays], [*stays, len(times)]):
        first, last = times[max(left, stays[0])], times[min(right, stays[-1])]
        gap = right - left
        for i in range(1, gap):  # one or two take the nearer time, more are laid evenly
            nearer = first if 2 * i <= gap else last
            evenly = int(first + (last - first) / gap * i)
            times[left + i] = nearer if gap <= 3 else evenly
    return times


def spoken(word):
    return "".join(c for c in word if c == "'" or unicodedata.category(c)[0] in "LN")


# Words by spaces, of which letters, numbers and apostrophes count
words = Path(sys.argv[3]).read_text(encoding="utf-8").split()
words = [word for word in words if spoken(word)]

# The prompt: the audio, then each word with two timestamps behind it
tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
timestamp = tokenizer.token_to_id("<timestamp>")
ids = [tokenizer.token_to_id("<|audio_end|>")]
for word in words:
    unit = tokenizer.encode(spoken(word), add_special_tokens=False)
    ids += [*unit.ids, timestamp, timestamp]
${TABLE}
first = [tokenizer.token_to_id("<|audio_start|>")]
embeds = np.concatenate([table[first], audio, table[ids]])
slots = [1 + len(audio) + i for i, token in enumerate(ids) if token == timestamp]

feeds = {
    "input_embeds": embeds.astype(np.float32)[None],
    "input_lengths": np.array([len(embeds)]),
    "slots": np.array([slots]),
}
classes = load("${ALIGNER}").run(["logits"], feeds)[0][0].argmax(axis=-1)
times = in_order([int(one) * config["aligner"]["segment_ms"] for one in classes])
for word, first, last in zip(words, times[::2], times[1::2]):
    print(f"{first / 1000:.2f}\\t{last / 1000:.2f}\\t{word}")`
}

const TABLE = `shape = tuple(config["embed_tokens_shape"])
table = np.memmap(folder / "${EMBEDDINGS}", "<f2", "r", shape=shape)`

/** From the arguments to what the encoder makes of the recording. */
function start(variant: string, ...imports: readonly string[]): string {
  return `import sys
${[...imports, 'import wave'].join('\n')}
from pathlib import Path

import numpy as np
from onnxruntime import InferenceSession
from tokenizers import Tokenizer

folder, recording = Path(sys.argv[1]), sys.argv[2]
config = json.loads((folder / "config.json").read_text())


def load(graph):
    own = folder / f"{graph}.${variant}.onnx"
    return InferenceSession(own if own.exists() else folder / f"{graph}.onnx")


# 16 kHz, one channel, 16 bits
with wave.open(recording) as file:
    form = (file.getframerate(), file.getnchannels(), file.getsampwidth())
    assert form == (16000, 1, 2), form
    samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768

# Log-mel features: 128 bands on Slaney's scale up to 8 kHz, a frame each 10 ms
samples = np.pad(samples, (0, max(0, 8000 - len(samples))))
samples = np.pad(samples, 200, "reflect")
frames = np.lib.stride_tricks.sliding_window_view(samples, 400)[::160][:-1]
power = np.abs(np.fft.rfft(frames * np.hanning(401)[:-1])) ** 2
rate = np.log(6.4) / 27
steps = np.linspace(0, 15 + np.log(8) / rate, 130)
edges = np.where(steps < 15, steps * 200 / 3, 1000 * np.exp((steps - 15) * rate))
low, centre, high = edges[:-2], edges[1:-1], edges[2:]
hertz = 40 * np.arange(201)[:, None]
bands = np.minimum((hertz - low) / (centre - low), (high - hertz) / (high - centre))
bands = np.maximum(bands, 0) * 2 / (high - low)
mel = np.log10(np.maximum(power @ bands, 1e-10))
mel = ((np.maximum(mel, mel.max() - 8) + 4) / 4).T[None].astype(np.float32)
audio = load("${ENCODER}").run(["audio_features"], {"mel": mel})[0][0]
`
}

function idList(ids: readonly number[]): string {
  return `[${ids.join(', ')}]`
}
