# SPDX-License-Identifier: Apache-2.0

"""`auto:N%` in a recipe: the weights that lose most for their bytes get the rule's format, within a budget."""

import re

from budget import chosen_of
from calibration import Calibration
from formats import Rules, is_auto, name_of, rule_of
from protocol import UserError
from sensitivity import sensitivities
from weight_bytes import bytes_of

AUTO = re.compile(r"auto:(\d+(?:\.\d+)?)%")


def resolve(rules: Rules, calibration: Calibration) -> Rules:
    """Rules with the names of weights in the place of each `auto:N%`. @raises UserError for a budget that holds none"""
    for i, (selector, high) in enumerate(rules):
        if is_auto(selector):
            chosen = choose(rules[:i], rules[i + 1 :], budget_of(selector), high, calibration)
            if not chosen:
                raise UserError(
                    f"{selector} chooses no weight: each adds more bytes, or none loses by the later rules' formats.",
                    "Give a larger share, or leave the rule out.",
                )
            return resolve([*rules[:i], *((name, high) for name in chosen), *rules[i + 1 :]], calibration)
    return rules


def budget_of(selector: str) -> float:
    """Share of the bytes in a selector `auto:N%`, from 0 to 1. @raises UserError for another selector"""
    match = AUTO.fullmatch(selector)
    if match is None or not float(match[1]) > 0:
        raise UserError(f"There is no selector {selector}.", "Wanted auto:N%, such as auto:25%.")
    return float(match[1]) / 100


def choose(before: Rules, after: Rules, share: float, high: str, calibration: Calibration) -> list[str]:
    """The names, those first that lose most per added byte."""
    decoder = calibration.decoder
    if any(is_auto(selector) for selector, _ in after):
        raise UserError("A recipe has two rules of auto.", "Leave one out.")
    names = decoder.weights()
    # what each weight is without the rule
    lows = {name: name_of([*before, *after], name) for name in names}
    budget = share * sum(bytes_of(lows[name], decoder.shape(name)) for name in names)
    taken = {name for name in names if rule_of(before, name) is not None}
    weights = []
    for low in sorted(set(lows.values()) - {high}):
        weights += [
            weight
            for weight in sensitivities(calibration, low, high)
            if lows[weight["name"]] == low and weight["name"] not in taken
        ]
    return chosen_of(weights, budget)
