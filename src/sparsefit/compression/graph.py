"""Read a model as a graph of its layers, where torch.fx can, with batch norms folded in."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch import fx, nn
from torch.fx.passes.shape_prop import ShapeProp
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
LAYERS = (nn.Linear, *CONVOLUTIONS)
DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)


def trace(model: nn.Module, inputs: tuple[Any, ...]) -> fx.GraphModule | None:
    """Return the graph of a model in evaluation, with shapes; None where its course is not fixed.

    Parameters
    ----------
    model : Module
        In evaluation; its modules become those of the graph.
    inputs : tuple
        An example of what it is called with.
    """
    try:
        graph = fx.symbolic_trace(model)
        ShapeProp(graph).propagate(*inputs)
    except Exception:
        # Whatever a model does that a symbol cannot: branches on values, loops over lengths, ...
        return None
    if _fold_norms(graph):
        graph.delete_all_unused_submodules()
        graph.recompile()
        ShapeProp(graph).propagate(*inputs)
    return graph.eval()


def shape_of(node: fx.Node) -> torch.Size | None:
    """Return the shape of what a node makes, if that is one tensor."""
    shape = getattr(node.meta.get("tensor_meta"), "shape", None)
    return shape if isinstance(shape, torch.Size) else None


def calls(graph: fx.GraphModule) -> Counter[str]:
    """Count how often each module is called."""
    return Counter(str(node.target) for node in graph.graph.nodes if node.op == "call_module")


def _fold_norms(graph: fx.GraphModule) -> bool:
    """Fold each batch norm that follows a layer and nothing else into that layer."""
    n_calls, folded = calls(graph), False
    for node in list(graph.graph.nodes):
        if node.op != "call_module" or not isinstance(node.args[0], fx.Node):
            continue
        norm, before = graph.get_submodule(str(node.target)), node.args[0]
        if not isinstance(norm, nn.modules.batchnorm._BatchNorm) or before.op != "call_module":
            continue
        layer = graph.get_submodule(str(before.target))
        is_alone = n_calls[str(before.target)] == 1 == n_calls[str(node.target)]
        if len(before.users) > 1 or not is_alone or norm.running_mean is None:
            continue
        if type(layer) in CONVOLUTIONS:
            fused: nn.Module = fuse_conv_bn_eval(layer, norm)  # type: ignore[type-var]
        elif type(layer) is nn.Linear and len(shape_of(before) or ()) == 2:
            fused = fuse_linear_bn_eval(layer, norm)
        else:
            continue
        replace_module(graph, str(before.target), fused)
        node.replace_all_uses_with(before)
        graph.graph.erase_node(node)
        folded = True
    return folded


def lighten(graph: fx.GraphModule) -> None:
    """Take out what does nothing in evaluation, and call functions in place of small modules."""
    for node in list(graph.graph.nodes):
        if node.op != "call_module":
            continue
        module = graph.get_submodule(str(node.target))
        if isinstance(module, (nn.Identity, *DROPOUTS)):
            node.replace_all_uses_with(node.args[0])
            graph.graph.erase_node(node)
        elif type(module) is nn.ReLU:
            with graph.graph.inserting_before(node):
                relu = _relu_for(graph, node.args[0])
                short = graph.graph.call_function(relu, (node.args[0],))
            node.replace_all_uses_with(short)
            graph.graph.erase_node(node)
    graph.delete_all_unused_submodules()
    graph.recompile()


def _relu_for(graph: fx.GraphModule, before: Any) -> Any:
    """Return the function that writes over its input, where a layer made that for nobody else."""
    if not isinstance(before, fx.Node) or before.op != "call_module" or len(before.users) > 1:
        return torch.relu
    layer = graph.get_submodule(str(before.target))
    return torch.relu_ if type(layer) in LAYERS or hasattr(layer, "kind") else torch.relu


def replace_module(model: nn.Module, name: str, module: nn.Module) -> None:
    """Put a module in the place of another."""
    parent, _, last = name.rpartition(".")
    setattr(model.get_submodule(parent), last, module)
