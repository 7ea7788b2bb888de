# SPDX-License-Identifier: Apache-2.0

"""What each weight costs in a low format: the divergence (KLD, nats) of the next token's distribution from FP32's.

    python python/quantize/sensitivity.py --model RELEASE --calibration DIR --low q4b64 --high q8b64 --shares 0.1 0.25

scan: one weight at a time is rounded. gradient, for larger models: all are, and each takes part by its share of the KLD's
gradient, |<dKLD/dW, W_low - W_high>|, as Olive's kld_gradient does. Means over the positions that predict the answers.
Writes DIR/sensitivity-{method}-{low}-{high}.json: {method, low, high, weights: [{name, layer, role, kld, bytesLow, bytesHigh}]}.
The result event has what auto chooses within each of the shares: choices: [{share, names}].
"""

import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).parents[1]))  # modules that several folders share

import no_telemetry  # noqa: F401  # isort: skip

import argparse
import json

import numpy as np
import torch

from budget import choices_of
from calibrate import THREADS, calibrate
from calibration import Calibration
from formats import parse
from kld_gradient import gradient
from kld_scan import scan
from protocol import emit, reporting
from release_decoder import ReleaseDecoder
from weight_bytes import bytes_of

METHODS = {"scan": scan, "gradient": gradient}
LARGEST_SCANNED = 50e6  # weights: a forward for each of its matrices takes minutes


def main() -> None:
    """Run the command line: write the costs of all weights. Reports UserError as an error event."""
    args = parse_args()
    with reporting():
        torch.set_num_threads(THREADS)
        calibration = Calibration(args.calibration, ReleaseDecoder(args.model))
        with torch.no_grad():
            calibrate(calibration)
        weights = sensitivities(calibration, args.low, args.high, args.method)
        file = str(file_of(calibration, args.low, args.high, args.method or method_for(calibration.decoder)))
        emit("result", file=file, weights=len(weights), choices=choices_of(weights, tuple(args.shares)))


def parse_args() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="folder of the FP32 release")
    parser.add_argument("--calibration", required=True)
    parser.add_argument("--low", default="q4b64")
    parser.add_argument("--high", default="q8b64")
    parser.add_argument("--method", choices=METHODS)
    parser.add_argument("--shares", nargs="*", type=float, default=[])
    return parser.parse_args()


def file_of(calibration: Calibration, low: str, high: str, method: str) -> Path:
    """Where the costs of a pair of formats are kept, in the calibration's folder."""
    return calibration.folder / f"sensitivity-{method}-{low}-{high}.json"


def method_for(decoder: ReleaseDecoder) -> str:
    """By the model's size."""
    total = sum(np.prod(decoder.shape(name)) for name in decoder.weights())
    return "scan" if total <= LARGEST_SCANNED else "gradient"


def sensitivities(calibration: Calibration, low: str, high: str, method: str | None = None) -> list[dict]:
    """Of all weights, in the graph's order: read from the file, or made. Without a method, by the model's size."""
    decoder = calibration.decoder
    method = method or method_for(decoder)
    file = file_of(calibration, low, high, method)
    if file.exists():
        return json.loads(file.read_text(encoding="utf-8"))["weights"]
    names = decoder.weights()
    shapes = {name: decoder.shape(name) for name in names}
    for name in names:
        for chosen in (parse(low), parse(high)):
            if chosen is not None:
                chosen.require_fit(name, shapes[name][0])
    klds = METHODS[method](calibration, low, high)
    weights = [
        {
            "name": name,
            "layer": int(name.split(".")[1]) if "." in name else None,
            "role": name.rpartition(".")[2],
            "kld": klds[name],
            "bytesLow": bytes_of(low, shapes[name]),
            "bytesHigh": bytes_of(high, shapes[name]),
        }
        for name in names
    ]
    beside = file.with_suffix(".part")
    beside.write_text(json.dumps({"method": method, "low": low, "high": high, "weights": weights}), encoding="utf-8")
    beside.replace(file)
    return weights


if __name__ == "__main__":
    main()
