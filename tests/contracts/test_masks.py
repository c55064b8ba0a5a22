"""What every mask promises: all rules x structures x schedules."""

import math

import pytest
import torch
from torch import nn

from sparsefit.nn import (
    NM,
    Constant,
    Magnitude,
    Pruner,
    RigL,
    finalize,
    masked_weights,
    sparsify,
)
from tests.masking import (
    GROUPS,
    LAYERS,
    RULES,
    TIMES,
    TRAINED,
    ConvNet,
    add_gradient,
    driver_of,
    inputs_of,
    kept,
    make_mlp,
    n_kept,
    same,
    train,
)

# Schedules end early here, which finalize speaks of.
pytestmark = pytest.mark.filterwarnings("ignore:.* weights are cut to")

SPARSITY = 0.7
TRAINED_HERE = [*TRAINED, "rigl"]
LINEAR = [name for name, structure in GROUPS.items() if not structure.needs_kernel]


def budget_of(weight, structure):
    """Return how many weights are kept in the end."""
    density = structure.density if isinstance(structure, NM) else 1 - SPARSITY
    return structure.attainable(tuple(weight.shape), round(density * weight.numel()))


def make(kind, rule, structure, schedule, seed=0, **options):
    torch.manual_seed(seed)
    layer = LAYERS[kind]()
    X = inputs_of(layer)
    add_gradient(layer, X)
    if not isinstance(GROUPS[structure], NM):
        options.setdefault("sparsity", SPARSITY)
    rule = RULES[rule] if isinstance(rule, str) else rule
    schedule = TIMES[schedule] if isinstance(schedule, str) else schedule
    return sparsify(layer, mask=rule, structure=GROUPS[structure], schedule=schedule, **options), X


def check_final_count(kind, rule, structure, schedule, steps):
    layer, X = make(kind, rule, structure, schedule)
    expected = budget_of(layer.weight, GROUPS[structure])
    train(layer, X, steps)
    [target] = masked_weights(layer)
    finalize(layer)
    in_structure = target.masked.structure.scale(torch.ones_like(layer.weight), target.masked.mask)
    assert int(in_structure.sum()) == expected > 0, schedule
    assert not layer.weight[in_structure == 0].any()
    if steps:
        # What drops and grows may just have grown some, from zero.
        grown = rule in ("set", "rigl")
        assert int((layer.weight != 0).sum()) <= expected
        assert grown or int((layer.weight != 0).sum()) == expected, schedule


@pytest.mark.parametrize("structure", GROUPS)
@pytest.mark.parametrize("rule", RULES)
def test_the_count_is_exact_at_the_end(rule, structure):
    for schedule in TIMES:
        check_final_count("convolution", rule, structure, schedule, steps=8)


@pytest.mark.parametrize("kind", ["linear", "six outputs", "convolution in time"])
@pytest.mark.parametrize("structure", LINEAR)
@pytest.mark.parametrize("rule", RULES)
def test_the_count_is_exact_for_every_layer(rule, structure, kind):
    check_final_count(kind, rule, structure, "cubic", steps=8)


@pytest.mark.parametrize("structure", GROUPS)
@pytest.mark.parametrize("rule", RULES)
def test_the_count_is_exact_if_training_stops_early(rule, structure):
    for steps in (0, 3):
        check_final_count("convolution", rule, structure, "linear", steps)


@pytest.mark.parametrize("schedule", TIMES)
@pytest.mark.parametrize("structure", GROUPS)
def test_the_sparsity_follows_the_schedule(structure, schedule):
    layer, X = make("convolution", "magnitude", structure, schedule)
    n, pruner, times = layer.weight.numel(), driver_of(layer), TIMES[schedule]
    final = round((GROUPS[structure].density if structure == "n:m" else 1 - SPARSITY) * n)
    for step in range(1, 10):
        before = n_kept(layer)
        train(layer, X, 1)
        assert pruner.n_steps == step
        count = final + round(times.left(step) * (n - final))
        expected = GROUPS[structure].attainable(tuple(layer.weight.shape), count)
        assert n_kept(layer) == (expected if times.is_due(step) else before)
        assert pruner.sparsity == pytest.approx(1 - n_kept(layer) / n)
    assert n_kept(layer) == GROUPS[structure].attainable(tuple(layer.weight.shape), final)


@pytest.mark.parametrize("structure", GROUPS)
@pytest.mark.parametrize("rule", TRAINED_HERE)
def test_scores_get_a_gradient_and_the_mask_moves(rule, structure):
    # With few groups a share of those that are kept is less than one, so RigL exchanges all.
    moving = RigL(fraction=1.0) if rule == "rigl" else rule
    layer, X = make("convolution", moving, structure, Constant(period=1))
    [target] = masked_weights(layer)
    scores = getattr(target.masked, "scores", None)
    if rule in TRAINED:
        layer.zero_grad()
        add_gradient(layer, X)
        if scores is None:
            pruned = ~driver_of(layer).masks()["weight"]
            assert (target.weight.grad[pruned] != 0).all()
        else:
            assert scores.grad.isfinite().all()
            assert (scores.grad != 0).float().mean() > 0.5
    first, before = kept(layer), None if scores is None else scores.detach().clone()
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.05)
    for _ in range(40):
        train(layer, X, 1, optimizer)
        if not same(first, kept(layer)):
            break
    assert not same(first, kept(layer))
    assert before is None or not torch.equal(before, scores)


@pytest.mark.parametrize("structure", GROUPS)
@pytest.mark.parametrize("rule", RULES)
def test_same_torch_seed_same_bytes(rule, structure):
    def trained(seed):
        layer, X = make("convolution", rule, structure, "cosine", seed=seed)
        train(layer, X, 8)
        return layer.state_dict()

    one, two, other = trained(3), trained(3), trained(4)
    assert same(one, two)
    assert not same(one, other)


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("allocation", ["global", "uniform", "erk"])
@pytest.mark.parametrize("rule", RULES)
def test_the_budget_of_a_model_is_exact(rule, allocation, biases):
    model, X = make_mlp(), torch.randn(8, 6)
    add_gradient(model, X)
    n = sum(p.numel() for p in model.parameters() if biases or p.ndim > 1)
    options = {"allocation": allocation, "biases": biases, "schedule": TIMES["cubic"]}
    sparsify(model, mask=RULES[rule], sparsity=0.8, **options)
    assert n_kept(model) == n
    train(model, X, 8)
    assert n_kept(model) == round(0.2 * n)


@pytest.mark.parametrize("structure", ["unstructured", "rows", "columns"])
@pytest.mark.parametrize("nnz", [41, 47, 75])
def test_nnz_counts_everything_in_the_model(structure, nnz):
    model, X = make_mlp(), torch.randn(8, 6)
    sparsify(model, nnz=nnz, structure=GROUPS[structure])
    train(model, X, 12)
    finalize(model)
    nonzeros = sum(int((p != 0).sum()) for p in model.parameters())
    assert nonzeros == nnz if structure == "unstructured" else nonzeros <= nnz


@pytest.mark.parametrize("allocation", ["global", "uniform", "erk"])
@pytest.mark.parametrize("structure", GROUPS)
def test_the_budget_of_a_model_is_never_exceeded(structure, allocation):
    torch.manual_seed(0)
    model = ConvNet()
    layers = ["first", "second", "head"]
    if structure in ("channels", "kernels", "n:m"):
        layers = ["second"] if structure != "n:m" else ["second", "head"]
    n = sum(model.get_submodule(name).weight.numel() for name in layers)
    if structure == "blocks":
        layers = ["second"]
        n = model.second.weight.numel()
    options = {} if structure == "n:m" else {"sparsity": 0.75}
    sparsify(
        model, structure=GROUPS[structure], allocation=allocation, layers=layers,
        schedule=TIMES["linear"], **options,
    )  # fmt: skip
    images = torch.randn(4, 1, 5, 5)
    previous = math.inf
    for step in range(1, 9):
        train(model, images, 1)
        count = round(n / 4) + round(TIMES["linear"].left(step) * (n - round(n / 4)))
        assert n_kept(model) <= count or not TIMES["linear"].is_due(step)
        assert n_kept(model) <= previous
        previous = n_kept(model)
    assert n_kept(model) <= round(n / 4)


@pytest.mark.parametrize("allocation", ["global", "uniform", "erk"])
@pytest.mark.parametrize("biases", [False, True])
def test_n_of_m_has_its_density_in_every_layer(allocation, biases):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 1), nn.Linear(8, 128), nn.Conv1d(4, 8, 3))
    shapes = [tuple(layer.weight.shape) for layer in model]
    Pruner(
        model, structure=NM(n=2, m=4), schedule=Constant(), allocation=allocation, biases=biases,
        mask=Magnitude(),
    )  # fmt: skip
    for layer, shape in zip(model, shapes, strict=True):
        per_place = (layer.weight.reshape(-1, 4) != 0).sum(dim=1)
        assert per_place.tolist() == [2] * (math.prod(shape) // 4)
        if biases:
            assert layer.bias.count_nonzero() == math.ceil(len(layer.bias) / 2)


def test_rules_structures_and_schedules_are_found_by_name():
    names = {rule.name for rule in RULES.values()}
    assert names == {*TRAINED, "set", "rigl", "one-shot"}
    for choices in (GROUPS, TIMES):
        assert all(choice.name == name for name, choice in choices.items())
