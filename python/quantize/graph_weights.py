# SPDX-License-Identifier: Apache-2.0

"""The weights of a graph that rules decide about: of products, and of convolutions with several input channels."""

from collections.abc import Iterable, Iterator

import onnx_ir as ir

import formats
from embedding_table import HEAD, require_table
from protocol import UserError


def products(model: ir.Model) -> Iterator[tuple[ir.Node, ir.Value]]:
    """(node, weight) of every MatMul whose second input is a two-dimensional initializer."""
    return weights_of(model, "MatMul", 2)


def convolutions(model: ir.Model) -> Iterator[tuple[ir.Node, ir.Value]]:
    """(node, weight [O, I, H, W]) of every convolution of several input channels: one of a single channel costs little."""
    return ((node, weight) for node, weight in weights_of(model, "Conv", 4) if int(weight.const_value.shape[1]) > 1)


def weights_of(model: ir.Model, operator: str, rank: int) -> Iterator[tuple[ir.Node, ir.Value]]:
    """Nodes of this operator with their weight: a second input that is an initializer of `rank` dimensions."""
    for node in list(model.graph):
        weight = node.inputs[1] if node.op_type == operator else None
        if weight is not None and weight.is_initializer() and len(weight.const_value.shape) == rank:
            yield node, weight


def name_of(rules: formats.Rules, weight: ir.Value) -> str:
    """The name of the format that rules give a weight."""
    return format_name(rules, weight.name, weight.const_value.shape)


def format_name(rules: formats.Rules, name: str, shape: ir.Shape) -> str:
    """The format that rules give a weight, by its name; `shape` of 4 dimensions is a convolution's."""
    return formats.convolution_name_of(rules, name) if len(shape) == 4 else formats.name_of(rules, name)


def decided(model: ir.Model, rules: formats.Rules) -> Iterator[tuple[ir.Node, ir.Value, formats.Format]]:
    """(node, weight, format) of those that a rule changes."""
    for node, weight in [*products(model), *convolutions(model)]:
        chosen = formats.parse(name_of(rules, weight))
        if chosen is not None:
            yield node, weight, chosen


def shapes_of(models: Iterable[ir.Model]) -> dict[str, ir.Shape]:
    """Shapes of the weights that rules decide about, by name."""
    return {
        weight.name: weight.const_value.shape
        for model in models
        for _, weight in [*products(model), *convolutions(model)]
    }


def require_fit(recipe: dict, rules: formats.Rules, shapes: dict[str, ir.Shape]) -> None:
    """Raise UserError for what in a recipe cannot be, before anything is written. What `auto` will choose is left out."""
    fixed = [rule for rule in rules if not formats.is_auto(rule[0])]
    require = formats.require_rules if fixed == rules else formats.require_used
    require(fixed, set(shapes))
    is_decoder = HEAD in shapes
    if is_decoder and recipe.get("embeddings"):
        require_table(recipe)
    for name, shape in shapes.items():
        if len(shape) == 4:
            formats.require_convolution(fixed, name)
            continue
        chosen = formats.choose(fixed, name)
        if chosen is not None:
            chosen.require_fit(name, int(shape[0]))
        if is_decoder:
            require_of_decoders(name, formats.name_of(fixed, name), has_prompts=recipe.get("prompts") == "int8")


def require_of_decoders(weight: str, name: str, has_prompts: bool) -> None:
    """The graph for prompts is fed 4-bit and 8-bit weights as int8; what is left float32 is so there too."""
    chosen = formats.parse(name)
    if isinstance(chosen, formats.Bfloat):
        raise UserError(f"{weight} is bf16, which is a format of encoders.", "Wanted another format in the decoder.")
    if not has_prompts or weight == HEAD or chosen is None:
        return
    if isinstance(chosen, formats.Blocks) and chosen.bits != 2:
        return
    why = "its products are of int8 already" if name == "i8" else "wanted blocks of 4 or 8 bits, or f32"
    raise UserError(
        f"{weight} is {name}, which prompts with 8-bit products cannot be made of: {why}.",
        "Leave prompts: int8 out of the recipe.",
    )
