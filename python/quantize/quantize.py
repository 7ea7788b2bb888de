# SPDX-License-Identifier: Apache-2.0

"""Quantize the weights of FP32 graphs as a recipe says.

    python python/quantize/quantize.py [--models decoder_init.onnx decoder_step.onnx decoder.onnx] [--encoder encoder.onnx]
        --out DIR --recipe recipe.json [--calibration DIR | --check]

recipe.json: {"variant": suffix of the new files, "decoder": [[selector, format], ...], "encoder": [...] the same for the
encoder, "encoderFallback": [rules, ...] for the encoder where those lose too much on the calibration, best first
(encoder_gate.py), "encoderSmooth": of its norms (encoder_smooth.py), "solver" and "smooth" of the decoder's weights
(weight_maker.py), "accuracyLevel": of MatMulNBits, "prompts": "int8" for a graph decoder_prefill or aligner_prefill too, "embeddings":
"lm_head" where lm_head is the embedding table too}. Selectors and formats: formats.py.

--check: only say what in the recipe does not fit the graphs, before minutes go into a calibration.
Writes {name}.{variant}.onnx, and one decoder.{variant}.data; the encoder's weights are inside. A weight that several
graphs read is quantized once. One tensor is in memory at a time.
"""

import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).parents[1]))  # modules that several folders share

import no_telemetry  # noqa: F401  # isort: skip  (before onnxruntime)

import argparse
import json
from dataclasses import dataclass, field

import onnx_ir as ir
import onnxruntime

import formats
import int8_convolutions
from embedding_table import HEAD, require_tied
from encoder_makers import EncoderMakers, encoder_choices, first_that_passes
from graph_weights import convolutions, decided, format_name, products, require_fit, shapes_of
from half_graph import make_half
from int8_products import Int8Products
from prefill_graph import make_prefill
from protocol import UserError, emit, progress, reporting
from tensors import Store, bring_along, initializer, source_of, values_of
from weight_maker import WeightMaker, maker_of, require_compatible

Tensors = list[tuple[str, ir.TensorProtocol]]
PROMPTED = ("decoder", "aligner")  # what graphs for prompts are made of


@dataclass
class Job:
    """The rules of the decoders, or of the encoder, with what has been quantized by them."""

    recipe: dict
    maker: WeightMaker
    store: Store
    total: int = 0  # weights, for progress
    done: dict = field(default_factory=dict)  # tensors with their suffixes by source
    kept: dict[str, str] = field(default_factory=dict)  # formats of weights that stayed as they are, against their rule

    @property
    def rules(self) -> formats.Rules:
        """The rules that the weights are made by."""
        return self.maker.rules


def main() -> None:
    """Run the command line: write the graphs, or check the recipe. Reports UserError as an error event."""
    args = parse_args()
    with reporting():
        recipe = json.loads(Path(args.recipe).read_text(encoding="utf-8"))
        if args.check:
            check(args, recipe)
            return
        result: dict = {"nodes": {}, "formats": {}, "weights": 0, "bytes": 0}
        if args.models:
            store = Store(Path(args.out) / f"decoder.{recipe['variant']}.data")
            job = Job(recipe, maker_for(args, recipe), store)
            result["formats"], counts = quantize_all([Path(path) for path in args.models], job, Path(args.out))
            add(result, job, counts)
        if args.encoder:
            result |= quantize_encoder(args, recipe, result)
        emit("result", **result, onnxruntime=onnxruntime.__version__)


def add(result: dict, job: Job, counts: dict[str, int]) -> None:
    """Add the weights and bytes of a job to the result event, and its node counts by graph."""
    result["nodes"] |= counts
    result["weights"] += len(job.done)
    result["bytes"] += job.store.bytes


def quantize_encoder(args: argparse.Namespace, recipe: dict, result: dict) -> dict:
    """Write the encoder by the first rules that pass the gate; where there are no others, by the recipe's own."""
    path, out = Path(args.encoder), Path(args.out)
    makers = EncoderMakers(path, Path(args.calibration) if args.calibration else None, recipe.get("encoderSmooth"))

    def make(rules: formats.Rules) -> Path:
        job = Job(recipe, makers.maker_of(rules), Store(None))
        result["encoderFormats"], counts = quantize_all([path], job, out)
        add(result, job, counts)
        return out / f"{path.stem}.{recipe['variant']}.onnx"

    first, *others = encoder_choices(recipe)
    if others:
        return {"encoderChoice": first_that_passes([first, *others], make, makers.gate())}
    make(first)
    return {}


def parse_args() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=[])
    parser.add_argument("--encoder")
    parser.add_argument("--out", required=True)
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--calibration", help="folder, for recipes that need one")
    parser.add_argument("--check", action="store_true")
    return parser.parse_args()


def check(args: argparse.Namespace, recipe: dict) -> None:
    """Raise UserError for what `auto` and solvers need not be asked about."""
    require_compatible(recipe)
    if args.models:
        models = [ir.load(path) for path in args.models]
        require_fit(recipe, recipe["decoder"], shapes_of(models))
        head = next((weight for _, weight in products(models[0]) if weight.name == HEAD), None)
        if head is not None and recipe.get("embeddings"):
            require_tied(head, values_of(head.const_value))
    if args.encoder:
        shapes = shapes_of([ir.load(args.encoder)])
        for rules in encoder_choices(recipe):
            require_fit(recipe, rules, shapes)
    emit("result")


def maker_for(args: argparse.Namespace, recipe: dict) -> WeightMaker:
    """What makes the decoder's weights by a recipe. @raises UserError as `maker_of`"""
    calibration = Path(args.calibration) if args.calibration else None
    return maker_of(recipe, Path(args.models[0]).parent, calibration)


def quantize_all(paths: list[Path], job: Job, out: Path) -> tuple[dict[str, str], dict[str, int]]:
    """Write the quantized graphs. Returns the formats of the weights by name, and the products of each graph."""
    recipe, variant = job.recipe, job.recipe["variant"]
    models = [ir.load(path) for path in paths]
    shapes = shapes_of(models)
    require_fit(recipe, job.rules, shapes)
    job.total = len({source_of(weight) for model in models for _, weight, _ in decided(model, job.rules)})
    counts = {}
    for path, model in zip(paths, models, strict=True):
        counts[path.stem] = quantize(model, job)
        ir.save(model, out / f"{path.stem}.{variant}.onnx")
        if path.stem in PROMPTED and recipe.get("prompts") == "int8":
            make_prefill(model)
            ir.save(model, out / f"{path.stem}_prefill.{variant}.onnx")
    return {name: format_name(job.rules, name, shapes[name]) for name in sorted(shapes)} | job.kept, counts


def quantize(model: ir.Model, job: Job) -> int:
    """Replace the nodes of `model` whose weights a rule changes; returns how many."""
    graph = model.graph
    replaced = list(decided(model, job.rules))
    if not replaced:
        raise UserError("The graph has no product with a constant weight that a rule of the recipe fits.")
    if isinstance(replaced[0][2], formats.Half):
        changed = {weight.name for _, weight, _ in replaced}
        exact = {weight.name for _, weight in [*products(model), *convolutions(model)]} - changed
        count = make_half(model, exact, job.store, job.done)
        bring_along(graph, job.store)
        return count
    int8 = Int8Products(graph, "int8")
    for node, weight, chosen in replaced:
        assert not isinstance(chosen, formats.Half)  # require_rules
        key = source_of(weight)
        if key not in job.done:
            job.done[key] = quantize_weight(node, weight, chosen, job)
            progress("weights", len(job.done), job.total, "weights")
        replace(graph, node, job.done[key], chosen, int8, job)
    bring_along(graph, job.store, job.maker)
    return len(replaced)


def replace(
    graph: ir.Graph, node: ir.Node, tensors: Tensors, chosen: formats.Encoded, int8: Int8Products, job: Job
) -> None:
    """Let the node of a weight compute in the chosen format: by another node, or a Cast of what is stored."""
    weight = node.inputs[1]
    if isinstance(chosen, formats.Bfloat):
        if tensors:
            widen(graph, weight, tensors[0])
        else:
            job.kept[weight.name] = "f32"
        return
    if node.op_type == "Conv":
        int8_convolutions.replace(graph, node, tensors)
        return
    inputs = [initializer(graph, weight.name + suffix, tensor) for suffix, tensor in tensors]
    if isinstance(chosen, formats.Columns):
        int8.replace(node, *inputs)
    else:
        replace_by_blocks(graph, node, inputs, chosen, job.recipe["accuracyLevel"])


def widen(graph: ir.Graph, weight: ir.Value, stored: tuple[str, ir.TensorProtocol]) -> None:
    """Let all readers of a weight read what is stored, cast to float32: onnxruntime does it once, at load."""
    suffix, tensor = stored
    cast = ir.node("Cast", [initializer(graph, weight.name + suffix, tensor)], {"to": ir.DataType.FLOAT}, num_outputs=1)
    cast.name = cast.outputs[0].name = f"{weight.name}.Cast"
    graph.insert_before(graph[0], cast)
    weight.replace_all_uses_with(cast.outputs[0])


def replace_by_blocks(
    graph: ir.Graph, node: ir.Node, inputs: list[ir.Value], chosen: formats.Blocks, accuracy_level: int
) -> None:
    """Replace a MatMul [K, N] by MatMulNBits; `inputs`: levels, scales and zero points."""
    rows, columns = node.inputs[1].const_value.shape
    attributes = {
        "K": int(rows),
        "N": int(columns),
        "bits": chosen.bits,
        "block_size": chosen.size,
        "accuracy_level": accuracy_level,
    }
    name = f"{node.name}_Q{chosen.bits}"
    inputs = [node.inputs[0], *inputs]
    new = ir.node("MatMulNBits", inputs, attributes, domain="com.microsoft", name=name, num_outputs=1)
    new.outputs[0].name = node.outputs[0].name
    ir.convenience.replace_nodes_and_values(graph, node, [node], [new], node.outputs, new.outputs)


def quantize_weight(node: ir.Node, weight: ir.Value, chosen: formats.Encoded, job: Job) -> Tensors:
    """A weight's levels and scales in the store, by the suffixes of their names."""
    values = values_of(weight.const_value)
    if weight.name == HEAD and job.recipe.get("embeddings"):
        require_tied(weight, values)
    prepared = job.maker.prepare(weight.name, values)
    if node.op_type == "Conv" and isinstance(chosen, formats.Columns):
        bias = values_of(node.inputs[2].const_value)
        parts = int8_convolutions.encode(prepared, bias, job.maker.scales_of(weight.name))
    else:
        parts = job.maker.encode(weight.name, prepared, chosen)
    return [(suffix, job.store.put(weight.name + suffix, part)) for suffix, part in parts]


if __name__ == "__main__":
    main()
