# SPDX-License-Identifier: Apache-2.0

"""Write the times of the words into the manifests of synthetic speech. No audio is written.

    .venv/bin/python python/tiny/write_words.py test/fixtures/speech test/fixtures/calibration

Every clip is said again by espeak-ng. Times are written for those whose samples are the same as in the file, to the bit;
the others get no words, and are named.
"""

import argparse
from pathlib import Path

import numpy as np
import soundfile

import tiny_speech


def main() -> None:
    """Run the command line: write the times into the manifest of each folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    for folder in parser.parse_args().folders:
        lines = tiny_speech.read_manifest(folder)
        clips = tiny_speech.synthesize_all([utterance_of(line) for line in lines])
        written = [with_words(folder, line, clip) for line, clip in zip(lines, clips, strict=True)]
        tiny_speech.write_manifest(folder, written)
        timed = [line["words"] for line in written if "words" in line]
        print(f"{folder}: {len(timed)} of {len(lines)} clips, {sum(map(len, timed))} words")


def utterance_of(line: dict) -> tiny_speech.Utterance:
    """The utterance that an entry of a manifest was made from."""
    parts = (line["text"], line["language"], line["speaker"], line["rate"], line["pitch"], line["pause"])
    return tiny_speech.Utterance(*parts)


def with_words(folder: Path, line: dict, clip: tiny_speech.Clip) -> dict:
    """The entry with the times of its words; without, and named, when the file has other samples."""
    samples, _ = soundfile.read(folder / line["file"], dtype="int16")
    known = {name: value for name, value in line.items() if name != "words"}
    if np.array_equal(samples, clip.samples):
        return {**known, "words": tiny_speech.listed_words(clip.words)}
    print(f"{line['id']}: espeak-ng says {len(clip.samples)} other samples here, the file has {len(samples)}")
    return known


if __name__ == "__main__":
    main()
