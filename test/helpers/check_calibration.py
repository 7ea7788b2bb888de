# SPDX-License-Identifier: Apache-2.0

"""What python/quantize does with a calibration of a release, on clips of random tokens: a line of JSON with figures.

check_calibration.py RELEASE FOLDER
"""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch

sys.path[1:1] = [str(Path(__file__).parents[2] / "python" / name) for name in (".", "quantize")]

import auto  # noqa: E402
import sensitivity  # noqa: E402
from calibrate import calibrate  # noqa: E402
from calibration import Calibration  # noqa: E402
from divergence import kld  # noqa: E402
from kld_gradient import gradient, low_layer  # noqa: E402
from protocol import UserError, emit  # noqa: E402
from release_decoder import ReleaseDecoder, forward  # noqa: E402
from smooth import Smoothing  # noqa: E402
from weight_bytes import bytes_of, rounded  # noqa: E402
from weight_maker import maker_of  # noqa: E402

AUDIO, PROMPT, ANSWER, OFFSET = 20, 34, 9, 6
random = np.random.default_rng(11)
release, folder = Path(sys.argv[1]), Path(sys.argv[2])
decoder = ReleaseDecoder(release)
sizes = decoder.sizes


def make_clips(count: int) -> list[dict]:
    (folder / "clips").mkdir(exist_ok=True)
    clips = []
    for i in range(count):
        file = f"clips/{i:04}.features.f32"
        random.normal(0, 0.5, (AUDIO, sizes.hidden)).astype("<f4").tofile(folder / file)
        ids = random.integers(0, sizes.vocabulary, PROMPT + i + ANSWER).tolist()
        clip = {"id": f"clip {i}", "prompt_ids": ids[: PROMPT + i], "tokens": ids[PROMPT + i :], "audio_offset": OFFSET}
        clips.append({**clip, "features": {"file": file, "shape": [AUDIO, sizes.hidden]}})
    return clips


def write_index(clips: list[dict], version: int = 1) -> None:
    (folder / "index.json").write_text(json.dumps({"format": version, "clips": clips}))


def onnx_logits(calibration: Calibration) -> torch.Tensor:
    """What the release's own graphs say, [answers' tokens, V]."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    start, step = (ort.InferenceSession(release / f"decoder_{name}.onnx", options) for name in ("init", "step"))
    rows = []
    for clip in calibration.clips:
        features = np.fromfile(folder / clip["features"]["file"], "<f4").reshape(1, AUDIO, -1)
        count = len(clip["prompt_ids"])
        feeds = {"input_ids": np.array([clip["prompt_ids"]]), "position_ids": np.arange(count)[None]}
        feeds |= {"audio_features": features, "audio_offset": np.array([clip["audio_offset"]])}
        logits, keys, values = start.run(None, feeds)
        rows.append(logits.reshape(-1))
        for i, token in enumerate(clip["tokens"][:-1]):
            feeds = {"input_embeds": decoder.embed([token])[None].numpy(), "position_ids": np.array([[count + i]])}
            logits, keys, values = step.run(None, {**feeds, "past_keys": keys, "past_values": values})
            rows.append(logits.reshape(-1))
    return torch.from_numpy(np.array(rows))


def states(calibration: Calibration) -> dict:
    """Hidden states against the graphs' logits, and a calibration that was killed in the middle."""
    made = calibrate(calibration)
    files = [calibration.path(i) for i in range(sizes.layers + 1)]
    before = [file.read_bytes() for file in files]
    times = [file.stat().st_mtime_ns for file in files]
    logits = calibration.head_inputs() @ torch.from_numpy(decoder.values("lm_head"))
    files[-1].unlink()
    files[-2].write_bytes(before[-2][:-4])  # as a full disk leaves it
    files[-1].with_suffix(".part").write_bytes(b"half")
    again = calibrate(calibration)
    return {
        "made": made,
        "again": again,
        "same": [file.read_bytes() for file in files] == before,
        "kept": [file.stat().st_mtime_ns for file in files][:-2] == times[:-2],
        "files": sorted(path.name for path in files[0].parent.iterdir()),
        "third": calibrate(calibration),
        "logits": float((logits - onnx_logits(calibration)).abs().max()),
        "positions": [calibration.positions, len(calibration.asked)],
    }


def smoothing(calibration: Calibration) -> dict:
    """The same function before and after, of each layer and of the logits."""
    found = {}
    x, head = calibration.hidden(sizes.layers)[calibration.asked], decoder.values("lm_head")
    for recipe in ("smoothquant:0.5", "awq:0.8"):
        own = Smoothing(recipe, calibration)
        apart = []
        for i in range(sizes.layers):
            plain = decoder.layer(i)
            changed = {
                role: torch.from_numpy(np.array(own.apply(f"layers.{i}.{role}", value.numpy())))
                for role, value in plain.items()
            }
            untouched = all(torch.equal(plain[role], changed[role]) for role in ("o", "down", "q_norm", "k_norm"))
            outputs = [forward(w, calibration.hidden(i), calibration.bounds, sizes) for w in (plain, changed)]
            apart.append(float((outputs[0] - outputs[1]).abs().max() / outputs[0].abs().max()) if untouched else 1.0)
        scale = own.apply("norm", decoder.values("norm")) / decoder.values("norm")
        logits = decoder.final_norm(x) @ torch.from_numpy(head)
        changed_logits = (decoder.final_norm(x) * torch.from_numpy(scale)) @ torch.from_numpy(
            own.apply("lm_head", head)
        )
        apart.append(float((logits - changed_logits).abs().max() / logits.abs().max()))
        found[recipe] = {"apart": max(apart), "spread": float(own.of("norm").max() / own.of("norm").min())}
    return found


def costs(calibration: Calibration) -> dict:
    weights = sensitivity.sensitivities(calibration, "q4b64", "q8b64")
    stored = json.loads((folder / "sensitivity-scan-q4b64-q8b64.json").read_text())
    head = torch.from_numpy(decoder.values("lm_head"))
    x = calibration.head_inputs()
    direct = kld(x, head, x, torch.from_numpy(rounded("q4b64", head.numpy())))
    stamp = (folder / "sensitivity-scan-q4b64-q8b64.json").stat().st_mtime_ns
    again = sensitivity.sensitivities(calibration, "q4b64", "q8b64")
    return {
        "method": stored["method"],
        "stored": stored["weights"] == weights == again,
        "once": (folder / "sensitivity-scan-q4b64-q8b64.json").stat().st_mtime_ns == stamp,
        "names": [weight["name"] for weight in weights] == decoder.weights(),
        "last": {key: weights[-1][key] for key in ("layer", "role", "bytesLow", "bytesHigh")},
        "least": min(weight["kld"] for weight in weights),
        "head": weights[-1]["kld"] / direct,
    }


def slopes(calibration: Calibration) -> dict[str, float]:
    """The gradient's parts against what the KLD does when a weight goes a little way to its values in 8 bits."""
    parts = gradient(calibration, "q4b64", "q8b64")
    layers = [low_layer(decoder, i, "q4b64") for i in range(sizes.layers)]
    exact = torch.from_numpy(decoder.values("lm_head"))
    head = torch.from_numpy(rounded("q4b64", exact.numpy()))
    wanted = calibration.head_inputs()

    def cost() -> float:
        x = calibration.hidden(0)
        for layer in layers:
            x = forward(layer, x, calibration.bounds, sizes)
        return kld(wanted, exact, decoder.final_norm(x[calibration.asked]), head)

    found = {}
    for name in ("layers.0.q", "layers.1.v", "layers.1.o", "layers.2.up", "layers.0.down", "lm_head"):
        weight = head if name == "lm_head" else layers[int(name.split(".")[1])][name.split(".")[2]]
        change = torch.from_numpy(rounded("q8b64", decoder.values(name))) - weight
        sides = []
        for way in (0.05, -0.1, 0.05):
            weight += way * change
            sides.append(cost())
        found[name] = parts[name] / abs((sides[0] - sides[1]) / 0.1)
    return found


def budgets(calibration: Calibration) -> dict:
    found: dict = {}
    names = decoder.weights()
    size = lambda rules: sum(bytes_of(auto.name_of(rules, name), decoder.shape(name)) for name in names)  # noqa: E731
    for share in (3, 25, 60):
        after = [("*.down", "q4b32"), ("*", "q4b64")]
        rules = auto.resolve([("layers.0.*", "f32"), (f"auto:{share}%", "q8b64"), *after], calibration)
        before = [("layers.0.*", "f32"), *after]
        chosen = [selector for selector, _ in rules if selector in names]
        found[share] = {
            "used": (size(rules) / size(before) - 1) * 100 / share,
            "chosen": len(chosen),
            "excluded": any(name.startswith("layers.0.") for name in chosen),
        }
    costs = {
        one["name"]: one["kld"] / (one["bytesHigh"] - one["bytesLow"])
        for one in sensitivity.sensitivities(calibration, "q4b64", "q8b64")
    }
    rules = auto.resolve([("auto:25%", "q8b64"), ("*", "q4b64")], calibration)
    found["first"] = rules[0][0] == max(costs, key=lambda name: costs[name])
    return found


def errors(clips: list[dict]) -> dict:
    """Messages by what is wrong; the release's folder stands in none."""

    def told(make, *given) -> list[str]:
        try:
            make(*given)
        except UserError as error:
            return [str(error).replace(str(folder), "DIR").replace(str(release), "RELEASE"), error.hint]
        return []

    def of_clips(changed: list[dict], version: int = 1) -> list[str]:
        write_index(changed, version)
        return told(Calibration, folder, decoder)

    found = {
        "few": of_clips(clips[:7]),
        "silent": of_clips([*clips[1:], {**clips[0], "tokens": []}]),
        "wide": of_clips([*clips[1:], {**clips[0], "features": {**clips[0]["features"], "shape": [10, 256]}}]),
        "token": of_clips([*clips[1:], {**clips[0], "tokens": [sizes.vocabulary]}]),
        "offset": of_clips([*clips[1:], {**clips[0], "audio_offset": PROMPT}]),
        "format": of_clips(clips, 2),
    }
    write_index(clips)
    rules = [["*", "q4b64"]]
    found |= {
        "none": told(Calibration, folder / "clips", decoder),
        "release": told(ReleaseDecoder, folder),
        "needs": told(maker_of, {"decoder": rules, "solver": "gptq"}, release, None),
        "smooth": told(maker_of, {"decoder": rules, "smooth": "smooth:1"}, release, folder),
        "table": told(maker_of, {"decoder": rules, "smooth": "awq:1", "embeddings": "lm_head"}, release, folder),
        "half": told(maker_of, {"decoder": [["*", "f16"]], "smooth": "awq:1"}, release, folder),
        "selector": told(maker_of, {"decoder": [["auto:x", "q8b64"], *rules]}, release, folder),
        "budget": told(maker_of, {"decoder": [["auto:0.1%", "q8b64"], *rules]}, release, folder),
        "twice": told(maker_of, {"decoder": [["auto:9%", "q8b64"], ["auto:9%", "q8b64"], *rules]}, release, folder),
    }
    shutil.rmtree(folder / "hidden")
    found["hidden"] = told(Calibration(folder, decoder).hidden, 0)
    return found


torch.set_num_threads(1)
clips = make_clips(8)
write_index(clips)
calibration = Calibration(folder, decoder)
with torch.no_grad():
    result: dict = {ask.__name__: ask(calibration) for ask in (states, smoothing, costs)}
result["slopes"] = {name: float(value) for name, value in slopes(calibration).items()}
result["budgets"] = budgets(calibration)
result["errors"] = errors(clips)
emit("result", **result)
