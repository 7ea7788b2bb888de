# SPDX-License-Identifier: Apache-2.0

"""Second opinions for the tests, from published Python packages: a list of questions as JSON in, answers out."""

import json
import sys


def normalize(name: str, texts: list[str]) -> list[str]:
    from whisper_normalizer.basic import BasicTextNormalizer
    from whisper_normalizer.english import EnglishTextNormalizer

    normalizer = {"whisper-basic": BasicTextNormalizer, "whisper-english": EnglishTextNormalizer}[name]()
    return [normalizer(text) for text in texts]


def spellings() -> dict[str, str]:
    from whisper_normalizer.english import EnglishSpellingNormalizer

    return EnglishSpellingNormalizer().mapping


def word_errors(pairs: list[list[str]]) -> list[list[int]]:
    import jiwer

    out = []
    for reference, hypothesis in pairs:
        words = jiwer.process_words(reference, hypothesis)
        cer = jiwer.process_characters(reference, hypothesis)
        distance = cer.substitutions + cer.deletions + cer.insertions
        out.append([words.hits, words.substitutions, words.deletions, words.insertions, distance])
    return out


def word_error_rates(pairs: list[list[str]]) -> list[float]:
    import jiwer

    return [jiwer.wer(reference, hypothesis) for reference, hypothesis in pairs]


question = json.load(sys.stdin)
json.dump(globals()[question["ask"]](*question["of"]), sys.stdout)
