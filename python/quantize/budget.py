# SPDX-License-Identifier: Apache-2.0

"""Which weights are worth more bytes: those that lose most for each byte that a higher format adds, within a budget."""


def chosen_of(weights: list[dict], budget: float) -> list[str]:
    """Names of weights, as sensitivity.py describes them, the best first: each that what is left of the bytes holds."""
    names = []
    better = [weight for weight in weights if added_by(weight) > 0 and weight["kld"] > 0]
    gains = [(weight["kld"] / added_by(weight), added_by(weight), weight["name"]) for weight in better]
    for _, added, name in sorted(gains, reverse=True):
        if added <= budget:
            budget -= added
            names.append(name)
    return names


def choices_of(weights: list[dict], shares: tuple[float, ...]) -> list[dict]:
    """What auto:N% chooses when all weights have the low format, by shares of their bytes."""
    total = sum(weight["bytesLow"] for weight in weights)
    return [{"share": share, "names": chosen_of(weights, share * total)} for share in shares]


def added_by(weight: dict) -> int:
    """Bytes that the high format adds to a weight."""
    return weight["bytesHigh"] - weight["bytesLow"]
