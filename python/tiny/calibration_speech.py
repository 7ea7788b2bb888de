# SPDX-License-Identifier: Apache-2.0

"""Make the calibration speech that ships in test/fixtures, from espeak-ng alone.

    .venv/bin/python python/tiny/calibration_speech.py --out test/fixtures/calibration

Clips that quantization is calibrated with by default: training voices, a seed of its own, and no clause of the
held-out speech in `--held-out`, on which the quantized variants are measured.
"""

import argparse
from pathlib import Path

import tiny_speech


def main() -> None:
    """Run the command line: write the clips and their manifest."""
    args = parse_args()
    banned = held_out_clauses(args.held_out)
    utterances = tiny_speech.draw_utterances(args.seed, args.utterances, banned)
    clips = tiny_speech.synthesize_all(utterances)
    tiny_speech.write_speech(args.out, "calibration", utterances, clips)
    seconds = sum(len(clip.samples) for clip in clips) / tiny_speech.SAMPLE_RATE
    print(f"{len(clips)} clips, {seconds:.1f} s: {args.out}")


def parse_args() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--held-out", type=Path, default=Path(__file__).parents[2] / "test" / "fixtures" / "speech")
    parser.add_argument("--utterances", type=int, default=32)
    parser.add_argument("--seed", type=int, default=20031)
    return parser.parse_args()


def held_out_clauses(folder: Path) -> frozenset[str]:
    """Every clause of the speech in `folder`."""
    texts = (line["text"] for line in tiny_speech.read_manifest(folder))
    return frozenset(clause for text in texts for clause in tiny_speech.split_clauses(text))


if __name__ == "__main__":
    main()
