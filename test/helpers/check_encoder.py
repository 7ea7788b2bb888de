# SPDX-License-Identifier: Apache-2.0

"""What python/quantize makes of the tiny release's encoder with a calibration: a line of JSON with figures.

check_encoder.py RELEASE CALIBRATION
"""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
from onnx import helper, numpy_helper

sys.path[1:1] = [str(Path(__file__).parents[2] / "python" / name) for name in (".", "quantize")]

import activation_scales  # noqa: E402
import formats  # noqa: E402
import quantize  # noqa: E402
from encoder_gate import KEPT, EncoderGate, cosines_of  # noqa: E402
from encoder_makers import EncoderMakers, first_that_passes  # noqa: E402
from encoder_smooth import norms_of  # noqa: E402
from gelu import gelu  # noqa: E402
from int8_convolutions import Scale, Scales, encode, quantize_channels  # noqa: E402
from protocol import UserError, emit  # noqa: E402
from tensors import Store  # noqa: E402

release, calibration = Path(sys.argv[1]), Path(sys.argv[2])
random = np.random.default_rng(5)


def channels() -> dict:
    """Channels of a known rounding: plain, one of zeros, and one that its bias is too large for."""
    values = np.array([[32, -64, 1], [0, 0, 0], [1e-9, -2e-9, 0]], np.float32).reshape(3, 1, 1, 3)
    scales = Scales(Scale(np.float32(0.5), np.uint8(3)), Scale(np.float32(1), np.uint8(0)))
    parts = dict(encode(values, np.array([2, 7, 3], np.float32), scales))
    levels, alone = quantize_channels(np.zeros((1, 2, 1, 1), np.float32), np.zeros(1))
    return {
        "levels": parts["_I8"].reshape(3, 3).tolist(),
        "bias": (parts["_bias"].astype(np.float64) * parts["_scales"] * 0.5).round(3).tolist(),
        "sums": int(np.abs(parts["_bias"].astype(np.int64)).max()),
        "fixed": [float(parts[name]) for name in ("_input_scale", "_input_zero", "_output_scale", "_output_zero")],
        "zeros": [levels.tolist(), alone.tolist()],
    }


def scales() -> dict:
    """Ranges that are chosen for values that are known."""
    even = activation_scales.best(np.linspace(0, 10, 100_001), activation_scales.identity)
    outlier = np.concatenate([random.normal(0, 1, 200_000), [60]])
    narrow = activation_scales.best(outlier, activation_scales.identity)
    signed = random.normal(0, 6, 200_000)
    plain, behind = (activation_scales.best(signed, f) for f in (activation_scales.identity, gelu))
    zeros = activation_scales.best(np.zeros(1000), activation_scales.identity)
    return {
        "even": [float(even.scale), int(even.zero)],
        "narrow": float(narrow.scale) * 255,
        "lowest": [-float(s.scale) * int(s.zero) for s in (plain, behind)],
        "zeros": [float(zeros.scale), int(zeros.zero)],
        "gelu": gelu(np.array([-1.0, 0.0, 2.0])).round(6).tolist(),
    }


def make(rules: formats.Rules, folder: Path, given: Path | None = calibration) -> dict[str, str]:
    recipe = {"variant": "x", "decoder": [], "encoder": rules, "accuracyLevel": 4}
    makers = EncoderMakers(release / "encoder.onnx", given)
    return quantize.quantize_all([makers.path], quantize.Job(recipe, makers.maker_of(rules), Store(None)), folder)[0]


def stem(folder: Path) -> dict:
    """The second and third convolution in int8, the first in float32."""
    kinds = make([("conv_weights.*", "i8"), ("*", "f32")], folder)
    model = onnx.load(folder / "encoder.x.onnx")
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    return {
        "operators": [
            n.op_type for n in model.graph.node if "conv" in n.op_type.lower() or "quantize" in n.op_type.lower()
        ],
        "types": {name: tensors[name].dtype.name for name in tensors if name.startswith("conv_")},
        "largest": max(int(np.abs(tensors[f"conv_weights.{i}_I8"].astype(int)).max()) for i in (1, 2)),
        "formats": {name: kind for name, kind in kinds.items() if name.startswith("conv_")},
        "bytes": [path.stat().st_size for path in (release / "encoder.onnx", folder / "encoder.x.onnx")],
    }


def gates(folder: Path) -> dict:
    """What encoders lose, and what is taken of several."""
    gate = EncoderGate(release, calibration)
    kinds: dict[str, formats.Rules] = {
        "f32": [("conv_out", "bf16"), ("*", "f32")],
        "stem": [("conv_weights.*", "i8"), ("*", "f32")],
        "i8": [("*", "i8")],
        "q8": [("*", "q8b64")],
        "q2": [("*", "q2b16")],
    }

    def made(rules: formats.Rules) -> Path:
        make(rules, folder)
        return folder / "encoder.x.onnx"

    found: dict = {name: gate.judge(made(rules)) for name, rules in kinds.items()}
    choices = [kinds[name] for name in ("q2", "i8", "q8")]
    found["choice"] = first_that_passes(choices, made, gate)
    found["passes"] = {name: gate.passes(found[name]) for name in kinds}
    store = calibration / KEPT
    kept = json.loads(store.read_text())
    found["kept"] = {"files": len(kept) >= len(kinds), "once": gate.judge(made(kinds["i8"])) == found["i8"]}
    store.write_text(json.dumps({digest: {"cosine": 2.0} for digest in kept}))
    found["kept"]["read"] = gate.judge(made(kinds["i8"]))
    store.write_text(json.dumps(kept))
    found["silent"] = gate.passes({"cosine": 1.0})
    try:
        first_that_passes([kinds["q2"]], made, gate)
    except UserError as error:
        found["none"] = [str(error), error.hint]
    found["cosines"] = cosines_of(np.array([[3.0, 4.0], [1, 0]]), np.array([[4.0, 3.0], [0, 2]])).tolist()
    return found


def outliers(folder: Path) -> dict:
    """The same function with large channels in every norm: what smoothing brings back, and where it does nothing."""
    model = onnx.load(release / "encoder.onnx")
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    norms = norms_of(ir.load(release / "encoder.onnx"))
    for norm in norms:
        factors = np.ones(len(numpy_helper.to_array(tensors[norm.parts[0]])), np.float32)
        factors[random.choice(len(factors), 3, replace=False)] = (256, 512, 512)
        for name in norm.parts:
            replace(tensors[name], numpy_helper.to_array(tensors[name]) * factors)
        for weight in norm.weights:
            replace(tensors[weight.name], numpy_helper.to_array(tensors[weight.name]) / factors[:, None])
    onnx.save(model, folder / "encoder.onnx")
    gate = EncoderGate(release, calibration)
    rules = {"i8": [("*", "i8")], "q8": [("*", "q8b64")], "bf16": [("*", "bf16")]}
    found: dict = {"norms": len(norms), "same": gate.judge(folder / "encoder.onnx")}
    for name, smooth in (("i8", None), ("i8", "smoothquant:0.5"), ("q8", "smoothquant:0.5"), ("bf16", None)):
        makers = EncoderMakers(folder / "encoder.onnx", calibration, smooth)
        recipe = {"variant": "x", "decoder": [], "accuracyLevel": 4}
        job = quantize.Job(recipe, makers.maker_of(rules[name]), Store(None))
        quantize.quantize_all([makers.path], job, folder)
        loss = gate.judge(folder / "encoder.x.onnx")
        found[f"{name} {smooth}"] = {**loss, "divided": len(makers.divisors(rules[name]))}
    plain = EncoderMakers(release / "encoder.onnx", calibration, "smoothquant:0.5")
    found["plain"] = len(plain.divisors(rules["i8"]))
    return found


def replace(tensor: onnx.TensorProto, values: np.ndarray) -> None:
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def nudged(values: np.ndarray) -> np.ndarray:
    """The same with one value that bfloat16 does not hold."""
    changed = values.copy()
    changed[5, 7] = np.nextafter(changed[5, 7], np.float32(1))
    return changed


def stored(folder: Path) -> dict:
    """bf16: nothing is lost, also where a weight of float32 is no bfloat16."""
    model = onnx.load(release / "encoder.onnx")
    other = folder / "other"
    other.mkdir()
    for tensor in model.graph.initializer:
        if tensor.name == "layers.1.fc1":
            replace(tensor, nudged(numpy_helper.to_array(tensor)))
    onnx.save(model, other / "encoder.onnx")
    recipe = {"variant": "x", "decoder": [], "encoder": [("*", "bf16")], "accuracyLevel": 4}
    makers = EncoderMakers(other / "encoder.onnx", None)
    job = quantize.Job(recipe, makers.maker_of([("*", "bf16")]), Store(None))
    kinds, counts = quantize.quantize_all([makers.path], job, folder)
    graph = onnx.load(folder / "encoder.x.onnx").graph
    types = [helper.tensor_dtype_to_np_dtype(tensor.data_type).name for tensor in graph.initializer]
    mel = {"mel": random.standard_normal((1, 128, 530)).astype(np.float32)}
    sides = [ort.InferenceSession(path).run(None, mel)[0] for path in (makers.path, folder / "encoder.x.onnx")]
    return {
        "kept": [name for name, kind in kinds.items() if kind != "bf16"],
        "count": counts["encoder"],
        "bfloat16": types.count("bfloat16"),
        "equal": bool(np.array_equal(*sides)),
        "share": (folder / "encoder.x.onnx").stat().st_size / (release / "encoder.onnx").stat().st_size,
    }


def errors(folder: Path) -> dict:
    found = {}
    for name, rules in {"calibration": [("*", "i8")], "blocks": [("conv_weights.1", "q8b64"), ("*", "i8")]}.items():
        try:
            make(rules, folder, None)
        except UserError as error:
            found[name] = [str(error), error.hint]
    return found


result: dict = {"channels": channels(), "scales": scales()}
for ask in (stem, gates, outliers, stored, errors):
    with tempfile.TemporaryDirectory() as temporary:
        result[ask.__name__] = ask(Path(temporary))
emit("result", **result)
