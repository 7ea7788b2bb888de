# SPDX-License-Identifier: Apache-2.0

"""Write the hidden states of a calibration, layer by layer: what GPTQ, smoothing and sensitivity look at.

    python python/quantize/calibrate.py --model RELEASE --calibration DIR

DIR has index.json and clips/ (pipeline/quantize/calibration.ts). Writes DIR/hidden/00.f32 and on: float32 [P, H], the
residual stream before each layer and before the final norm. One layer's weights are in memory at a time. Run again, it
continues after the last complete file.
"""

import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).parents[1]))  # modules that several folders share

import no_telemetry  # noqa: F401  # isort: skip

import argparse

import torch

from calibration import AGAIN, Calibration
from protocol import UserError, emit, progress, reporting
from release_decoder import ReleaseDecoder, forward

THREADS = 2


def main() -> None:
    """Run the command line: write what is missing. Reports UserError as an error event."""
    args = parse_args()
    with reporting(), torch.no_grad():
        torch.set_num_threads(THREADS)
        calibration = Calibration(args.calibration, ReleaseDecoder(args.model))
        made = calibrate(calibration)
        emit("result", clips=len(calibration.clips), positions=calibration.positions, layers=made)


def parse_args() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="folder of the FP32 release")
    parser.add_argument("--calibration", required=True)
    return parser.parse_args()


def calibrate(calibration: Calibration) -> int:
    """Write what is not there yet; returns how many layers were computed."""
    decoder, bounds = calibration.decoder, calibration.bounds
    layers = decoder.sizes.layers
    first = next((i for i in range(layers + 1) if not calibration.has(i)), layers + 1)
    if first > layers:
        return 0
    if first == 0:
        calibration.write(0, calibration.embedded())
        first = 1
    x = calibration.hidden(first - 1)
    for i in range(first - 1, layers):
        progress("calibration", i, layers, "layers")
        x = forward(decoder.layer(i), x, bounds, decoder.sizes)
        if not torch.isfinite(x).all():
            raise UserError(f"The hidden states after layer {i} are not finite.", AGAIN)
        calibration.write(i + 1, x)
    progress("calibration", layers, layers, "layers")
    return layers - first + 1


if __name__ == "__main__":
    main()
