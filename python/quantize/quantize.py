"""Quantize the weights of FP32 graphs as a recipe says.

    python python/quantize/quantize.py [--models decoder_init.onnx decoder_step.onnx decoder.onnx] [--encoder encoder.onnx]
        --out DIR --recipe recipe.json [--calibration DIR | --check]

recipe.json: {"variant": suffix of the new files, "decoder": [[selector, format], ...], "encoder": [...] the same for the
encoder, "solver" and "smooth" of the decoder's weights (weight_maker.py), "accuracyLevel": of MatMulNBits, "prompts":
"int8" for a graph decoder_prefill too, "embeddings": "lm_head" where lm_head is the embedding table too}. Selectors and formats: formats.py.

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
from collections.abc import Iterable
from dataclasses import dataclass, field

import onnx_ir as ir
import onnxruntime

import formats
from embedding_table import HEAD, require_table, require_tied
from half_graph import make_half
from int8_products import Int8Products
from prefill_graph import make_prefill
from protocol import UserError, emit, progress, reporting
from tensors import Store, bring_along, initializer, source_of, values_of
from weight_maker import WeightMaker, maker_of, require_compatible

FUSED = "decoder"  # what the graph for prompts is made of


@dataclass
class Job:
    """The rules of the decoders, or of the encoder, with what has been quantized by them."""

    recipe: dict
    maker: WeightMaker
    store: Store
    total: int = 0  # weights, for progress
    done: dict = field(default_factory=dict)  # tensors with their suffixes by source

    @property
    def rules(self) -> formats.Rules:
        return self.maker.rules


def main() -> None:
    args = parse_args()
    with reporting():
        recipe = json.loads(Path(args.recipe).read_text(encoding="utf-8"))
        if args.check:
            check(args, recipe)
            return
        out = Path(args.out)
        jobs: list[Job] = []
        counts: dict[str, int] = {}
        chosen: dict[str, str] = {}
        for paths, data in (
            (args.models, out / f"decoder.{recipe['variant']}.data"),
            ([args.encoder] if args.encoder else [], None),
        ):
            if not paths:
                continue
            job = Job(recipe, maker_for(args, recipe) if data else WeightMaker(recipe.get("encoder", [])), Store(data))
            jobs.append(job)
            names, ops = quantize_all([Path(path) for path in paths], job, out)
            counts |= ops
            if data is not None:
                chosen = names
        emit(
            "result",
            nodes=counts,
            weights=sum(len(job.done) for job in jobs),
            formats=chosen,
            bytes=sum(job.store.bytes for job in jobs),
            onnxruntime=onnxruntime.__version__,
        )


def parse_args() -> argparse.Namespace:
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
        require_fit(recipe, recipe.get("encoder", []), shapes_of([ir.load(args.encoder)]))
    emit("result")


def maker_for(args: argparse.Namespace, recipe: dict) -> WeightMaker:
    calibration = Path(args.calibration) if args.calibration else None
    return maker_of(recipe, Path(args.models[0]).parent, calibration)


def quantize_all(paths: list[Path], job: Job, out: Path) -> tuple[dict[str, str], dict[str, int]]:
    """Write the quantized graphs. Returns the formats of the weights by name, and the products of each graph."""
    recipe, variant = job.recipe, job.recipe["variant"]
    models = [ir.load(path) for path in paths]
    shapes = shapes_of(models)
    require_fit(recipe, job.rules, shapes)
    job.total = len({source_of(weight) for model in models for _, weight, _ in matmuls(model, job.rules)})
    counts = {}
    for path, model in zip(paths, models, strict=True):
        counts[path.stem] = quantize(model, job)
        ir.save(model, out / f"{path.stem}.{variant}.onnx")
        if path.stem == FUSED and recipe.get("prompts") == "int8":
            make_prefill(model)
            ir.save(model, out / f"{path.stem}_prefill.{variant}.onnx")
    return {name: formats.name_of(job.rules, name) for name in sorted(shapes)}, counts


def shapes_of(models: Iterable[ir.Model]) -> dict[str, ir.Shape]:
    """[K, N] of the weights that rules decide about, by name."""
    return {weight.name: weight.const_value.shape for model in models for _, weight in products(model)}


def require_fit(recipe: dict, rules: formats.Rules, shapes: dict[str, ir.Shape]) -> None:
    """Raise UserError for what in a recipe cannot be, before anything is written. What `auto` will choose is left out."""
    fixed = [rule for rule in rules if not formats.is_auto(rule[0])]
    require = formats.require_rules if fixed == rules else formats.require_used
    require(fixed, set(shapes))
    is_decoder = HEAD in shapes
    if is_decoder and recipe.get("embeddings"):
        require_table(recipe)
    for name, (rows, _) in shapes.items():
        chosen = formats.choose(fixed, name)
        if chosen is not None:
            chosen.require_fit(name, int(rows))
        if is_decoder and name != HEAD and recipe.get("prompts") == "int8":
            require_widened(name, formats.name_of(fixed, name))


def require_widened(weight: str, name: str) -> None:
    """The graph for prompts is fed 4-bit and 8-bit weights as int8; what is left float32 is so there too."""
    chosen = formats.parse(name)
    if chosen is None or (isinstance(chosen, formats.Blocks) and chosen.bits != 2):
        return
    why = "its products are of int8 already" if name == "i8" else "wanted blocks of 4 or 8 bits, or f32"
    raise UserError(
        f"{weight} is {name}, which prompts with 8-bit products cannot be made of: {why}.",
        "Leave prompts: int8 out of the recipe.",
    )


def products(model: ir.Model):
    """(node, weight) of every MatMul whose second input is a two-dimensional initializer."""
    for node in list(model.graph):
        weight = node.inputs[1] if node.op_type == "MatMul" and len(node.inputs) == 2 else None
        if weight is not None and weight.is_initializer() and len(weight.const_value.shape) == 2:
            yield node, weight


def matmuls(model: ir.Model, rules: formats.Rules):
    """(node, weight, format) of those that a rule changes."""
    for node, weight in products(model):
        chosen = formats.choose(rules, weight.name)
        if chosen is not None:
            yield node, weight, chosen


def quantize(model: ir.Model, job: Job) -> int:
    """Replace the MatMuls of `model`; returns how many."""
    graph = model.graph
    replaced = list(matmuls(model, job.rules))
    if not replaced:
        raise UserError("The graph has no MatMul with a constant weight that a rule of the recipe fits.")
    if isinstance(replaced[0][2], formats.Half):
        changed = {weight.name for _, weight, _ in replaced}
        exact = {weight.name for _, weight in products(model)} - changed
        count = make_half(model, exact, job.store, job.done)
        bring_along(graph, job.store)
        return count
    int8 = Int8Products(graph, "int8")
    for node, weight, chosen in replaced:
        assert not isinstance(chosen, formats.Half)  # require_rules
        key = source_of(weight)
        if key not in job.done:
            job.done[key] = quantize_weight(weight, chosen, job)
            progress("weights", len(job.done), job.total, "weights")
        inputs = [initializer(graph, weight.name + suffix, tensor) for suffix, tensor in job.done[key]]
        if isinstance(chosen, formats.Columns):
            int8.replace(node, *inputs)
        else:
            replace_by_blocks(graph, node, inputs, chosen, job.recipe["accuracyLevel"])
    bring_along(graph, job.store, job.maker)
    return len(replaced)


def replace_by_blocks(
    graph: ir.Graph, node: ir.Node, inputs: list[ir.Value], chosen: formats.Blocks, accuracy_level: int
) -> None:
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


def quantize_weight(
    weight: ir.Value, chosen: formats.Blocks | formats.Columns, job: Job
) -> list[tuple[str, ir.TensorProtocol]]:
    """A weight's levels and scales in the store, by the suffixes of their names."""
    values = values_of(weight.const_value)
    if weight.name == HEAD and job.recipe.get("embeddings"):
        require_tied(weight, values)
    parts = job.maker.encode(weight.name, job.maker.prepare(weight.name, values), chosen)
    return [(suffix, job.store.put(weight.name + suffix, part)) for suffix, part in parts]


if __name__ == "__main__":
    main()
