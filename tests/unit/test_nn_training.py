"""Masks in the training loops of others: checkpoints, precision, compilers, copies, processes."""

import copy
import gc
import io
import shutil
import weakref

import pytest
import torch
from torch import nn
from torch.nn import functional

import sparsefit
from sparsefit.nn import (
    SET,
    Constant,
    Cubic,
    Fisher,
    HardConcrete,
    HardTopK,
    Linear,
    Magnitude,
    Pruner,
    RigL,
    Sigmoid,
    SparseLinear,
    masked_weights,
)
from tests.masking import (
    RULES,
    ConvNet,
    add_gradient,
    driver_of,
    kept,
    make_mlp,
    n_kept,
    same,
    train,
)

# Schedules end early here, which finalize speaks of.
pytestmark = pytest.mark.filterwarnings("ignore:.* weights are cut to")

X = torch.randn(8, 6, generator=torch.Generator().manual_seed(0))
MOVING = {
    "magnitude": Magnitude(),
    "fisher": Fisher(),
    "hard-top-k": HardTopK(),
    "sigmoid": Sigmoid(steps=9),
    "hard-concrete": HardConcrete(steps=9),
    "set": SET(),
    "rigl": RigL(),
}


def masked_mlp(rule, schedule=None, seed=0):
    model = make_mlp(seed)
    add_gradient(model, X)
    rule = RULES[rule] if isinstance(rule, str) else rule
    schedule = schedule or Cubic(end=12, period=3)
    return sparsefit.sparsify(model, sparsity=0.8, mask=rule, schedule=schedule)


@pytest.mark.parametrize("assign", [False, True])
@pytest.mark.parametrize("rule", RULES)
def test_a_checkpoint_goes_on_to_the_same_bytes(rule, assign):
    whole = masked_mlp(rule)
    optimizer = train(whole, X, 5)
    file = io.BytesIO()
    torch.save([whole.state_dict(), optimizer.state_dict(), torch.get_rng_state()], file)
    train(whole, X, 9, optimizer)

    file.seek(0)
    weights, memory, random = torch.load(file, weights_only=True)
    again = masked_mlp(rule, seed=1)
    train(again, X, 2)
    again.load_state_dict(weights, assign=assign)
    optimizer = torch.optim.Adam(again.parameters(), lr=0.02)
    optimizer.load_state_dict(memory)
    torch.set_rng_state(random)
    assert driver_of(again).n_steps == 5
    assert same(again.state_dict(), weights)
    train(again, X, 9, optimizer)
    assert same(whole.state_dict(), again.state_dict())
    assert same(kept(whole), kept(again))


def test_a_checkpoint_of_another_architecture_is_refused():
    weights = masked_mlp("hard-top-k").state_dict()
    with pytest.raises(RuntimeError, match="size mismatch"):
        sparsefit.sparsify(
            nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2)), mask=HardTopK()
        ).load_state_dict(weights)
    with pytest.raises(RuntimeError, match="Unexpected key"):
        make_mlp().load_state_dict(weights)


@pytest.mark.parametrize("rule", MOVING)
def test_autocast(rule):
    model = masked_mlp(MOVING[rule])
    first, optimizer = kept(model), torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(14):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            z = model(X)
            assert z.dtype == torch.bfloat16
            loss = (z.float() - X[:, :2]).square().mean()
        loss.backward()
        optimizer.step()
    assert n_kept(model) == 26
    assert not same(first, kept(model))
    assert all(p.dtype == torch.float32 for p in model.parameters())
    assert all(p.grad.isfinite().all() for p in model.parameters())


def compiled_training(rule, backend):
    plain, model = masked_mlp(rule), masked_mlp(rule)
    # With the random numbers of eager mode, so that random gates are the same.
    options = {"fallback_random": True} if backend == "inductor" else None
    compiled = torch.compile(model, backend=backend, options=options)
    optimizers = [torch.optim.Adam(m.parameters(), lr=0.02) for m in (plain, model)]
    for _ in range(14):
        for forward, optimizer in zip((plain, compiled), optimizers, strict=True):
            optimizer.zero_grad()
            torch.manual_seed(0)
            add_gradient(forward, X)
            optimizer.step()
    return plain, model, compiled


def has_compiler():
    return any(map(shutil.which, ("c++", "g++", "clang++", "cl")))


BACKENDS = [
    "aot_eager",
    pytest.param(
        "inductor",
        marks=[pytest.mark.slow, pytest.mark.skipif(not has_compiler(), reason="no compiler")],
    ),
]


# The compiler of torch uses what torch itself calls deprecated.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
# It also looks at the gradient of every tensor it meets, which torch warns of once in a process.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "rule",
    [
        "magnitude", "sigmoid", "rigl",
        *[pytest.param(r, marks=pytest.mark.slow) for r in ("hard-top-k", "hard-concrete", "set")],
    ],
)  # fmt: skip
def test_compiled_training_equals_plain_training(rule, backend):
    torch.compiler.reset()
    plain, model, compiled = compiled_training(MOVING[rule], backend)
    assert driver_of(model).n_steps == 14
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(value, model.state_dict()[name], rtol=1e-3, atol=1e-4)
    assert same(kept(plain), kept(model))
    torch.testing.assert_close(compiled(X), model(X), rtol=1e-3, atol=1e-4)


def test_gradient_accumulation_is_one_batch():
    whole, halves = masked_mlp("magnitude"), masked_mlp("magnitude")
    optimizers = [torch.optim.SGD(model.parameters(), lr=0.5) for model in (whole, halves)]
    wanted = torch.randn(8, 2, generator=torch.Generator().manual_seed(1))
    for step in range(1, 14):
        for optimizer in optimizers:
            optimizer.zero_grad()
        functional.mse_loss(whole(X), wanted).backward()
        before = kept(halves)
        for rows in (slice(0, 4), slice(4, 8)):
            (functional.mse_loss(halves(X[rows]), wanted[rows]) / 2).backward()
            assert same(before, kept(halves))
            assert driver_of(halves).n_steps == step - 1
        for optimizer in optimizers:
            optimizer.step()
        assert same(kept(whole), kept(halves))
    assert n_kept(halves) == 26
    for one, two in zip(whole.parameters(), halves.parameters(), strict=True):
        torch.testing.assert_close(one, two)


@pytest.mark.parametrize("steps", [0, 4])
@pytest.mark.parametrize("rule", MOVING)
def test_a_copy_trains_by_itself(rule, steps):
    model = masked_mlp(MOVING[rule])
    optimizer = train(model, X, steps)
    twin = copy.deepcopy(model)
    frozen, masks = copy.deepcopy(model.state_dict()), kept(model)
    memory = copy.deepcopy(optimizer.state_dict())
    for_twin = torch.optim.Adam(twin.parameters(), lr=0.02)
    for_twin.load_state_dict(memory)
    random = torch.get_rng_state()
    train(twin, X, 14, for_twin)
    assert same(frozen, model.state_dict())
    assert same(masks, kept(model))
    assert not same(masks, kept(twin))
    assert (driver_of(model).n_steps, driver_of(twin).n_steps) == (steps, steps + 14)
    # The original goes the same way, whatever its copy did.
    torch.set_rng_state(random)
    train(model, X, 14, optimizer)
    assert same(model.state_dict(), twin.state_dict())
    sparsefit.finalize(twin)
    assert n_kept(model) == 26
    assert [*masked_weights(model)]


def test_a_copy_of_a_finalized_model_is_plain():
    model = sparsefit.finalize(masked_mlp("magnitude"))
    assert type(copy.deepcopy(model)[0]) is nn.Linear


def test_models_that_are_gone_are_forgotten():
    model = masked_mlp("magnitude")
    driver = weakref.ref(driver_of(model))
    del model
    gc.collect()
    assert driver() is None


OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.9),
    "adam": lambda p: torch.optim.Adam(p, lr=0.02),
    "fused adam": lambda p: torch.optim.Adam(p, lr=0.02, fused=True),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_step_that_a_scaler_skips_does_not_count(optimizer):
    model = masked_mlp("magnitude", Linear(end=4, period=1))
    optimizer = OPTIMIZERS[optimizer](model.parameters())
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    for step, scale in enumerate([1.0, 1.0, torch.inf, 1.0, torch.nan, 1.0]):
        optimizer.zero_grad()
        before, n_steps = copy.deepcopy(model.state_dict()), driver_of(model).n_steps
        scaler.scale(model(X).square().mean() * scale).backward()
        scaler.step(optimizer)
        scaler.update()
        skipped = step in (2, 4)
        assert driver_of(model).n_steps == n_steps + (not skipped)
        assert same(before, model.state_dict()) == skipped
    assert driver_of(model).n_steps == 4
    assert n_kept(model) == 26


def test_closures_and_schedulers_of_the_learning_rate():
    model = masked_mlp("magnitude")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 5)
    for _ in range(12):
        optimizer.step(lambda: add_gradient(model, X))
        scheduler.step()
    assert driver_of(model).n_steps == 12
    assert n_kept(model) == 26


def test_optimisers_that_take_turns_count_once():
    model = masked_mlp("hard-top-k")
    scores = [target.masked.scores for target in masked_weights(model)]
    weights = [p for p in model.parameters() if all(p is not s for s in scores)]
    for groups in ([weights, scores], [weights[:2], [*weights[2:], *scores]]):
        optimizers = [torch.optim.Adam(group, lr=0.01) for group in groups]
        n_steps = driver_of(model).n_steps
        for step in range(1, 6):
            add_gradient(model, X)
            for optimizer in optimizers:
                optimizer.step()
            assert driver_of(model).n_steps == n_steps + step
    # And one that is alone, or takes over, counts by itself.
    for _ in range(3):
        train(model, X, 1, optimizers[0])
    assert driver_of(model).n_steps == 13


def test_scores_alone_can_be_trained():
    model = make_mlp().requires_grad_(False)
    sparsefit.sparsify(model, sparsity=0.7, mask=HardTopK(), schedule=Constant(period=2))
    before, weights = kept(model), [t.dense().clone() for t in masked_weights(model)]
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.01)
    train(model, X, 12, optimizer)
    assert not same(before, kept(model))
    assert all(map(torch.equal, weights, (t.dense() for t in masked_weights(model))))


def test_evaluation_changes_nothing():
    model = masked_mlp("hard-concrete")
    train(model, X, 2)
    before, random = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    with torch.no_grad():
        z = [model.eval()(X) for _ in range(2)]
    assert torch.equal(*z)
    assert same(before, model.state_dict())
    assert torch.equal(random, torch.get_rng_state())


def test_moving_a_model_to_another_precision():
    model = masked_mlp("magnitude", Constant(period=2))
    train(model, X, 3)
    model.double()
    assert driver_of(model).masks()["0.weight"].dtype == torch.bool
    before = kept(model)
    train(model, X.double(), 6)
    assert n_kept(model) == 26
    assert not same(before, kept(model))


def halves_of_batches(rank, world, file, rule, results):
    """Train on every other row, as one of `world` processes."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{file}", rank=rank, world_size=world
    )
    model = masked_mlp(MOVING[rule], seed=rank)
    parallel = nn.parallel.DistributedDataParallel(model)
    torch.manual_seed(rank)
    train(parallel, X[rank::world], 14)
    torch.save([model.state_dict(), kept(model), n_kept(model)], f"{results}/{rank}.pt")
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize(
    "rule",
    ["magnitude", *[pytest.param(rule, marks=pytest.mark.slow) for rule in MOVING][1:]],
)
def test_two_processes_end_with_the_same_masks_and_weights(rule, tmp_path):
    torch.multiprocessing.spawn(
        halves_of_batches, (2, tmp_path / "store", rule, tmp_path), nprocs=2
    )
    one, two = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    assert same(one[0], two[0])
    assert same(one[1], two[1])
    assert one[2] == two[2] == 26


def somebodys_mlp():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(36, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 64), nn.ReLU(),
        nn.Linear(64, 3),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("make_model", "options"),
    [
        (somebodys_mlp, {"allocation": "erk"}),
        (somebodys_mlp, {"mask": HardTopK(), "schedule": Cubic(end=100)}),
        (ConvNet, {"allocation": "erk"}),
    ],
)
def test_ten_lines_train_a_model_of_somebody_else_at_95_percent(make_model, options):
    torch.manual_seed(0)
    model = make_model()
    images, labels = torch.randn(96, 1, 6, 6), torch.arange(96) % 3
    images += labels[:, None, None, None] - 1

    sparsefit.sparsify(model, sparsity=0.95, **options)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(200):
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
    sparsefit.finalize(model)

    weights = [m.weight for m in model.modules() if isinstance(m, (nn.Linear, nn.Conv2d))]
    n = sum(w.numel() for w in weights)
    assert sum(int((w != 0).sum()) for w in weights) == round(0.05 * n)
    accuracy = (model.eval()(images).argmax(1) == labels).float().mean()
    assert accuracy > 0.85
    assert type(model) in (nn.Sequential, ConvNet)


def test_a_pruner_in_the_users_loop_reaches_95_percent():
    torch.manual_seed(0)
    model = somebodys_mlp()
    images, labels = torch.randn(96, 1, 6, 6), torch.arange(96) % 3
    images += labels[:, None, None, None] - 1
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    pruner = Pruner(model, sparsity=0.95, schedule=Cubic(end=100))
    for _ in range(200):
        optimizer.zero_grad()
        functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
        pruner.step(optimizer)
    sparsefit.finalize(model)
    assert (model.eval()(images).argmax(1) == labels).float().mean() > 0.9
    nonzeros = sum(layer.nonzeros for layer in sparsefit.summary(model).layers)
    assert nonzeros == round(0.05 * (36 * 64 + 64 * 64 + 64 * 3)) + 64 + 64 + 3


def test_the_default_layer_learns_a_sum():
    """The regression that the layers were made for, in short."""
    torch.manual_seed(0)
    model = nn.Sequential(
        SparseLinear(10, 64, bias=False, sparsity=0.75), nn.ReLU(),
        SparseLinear(64, 1, bias=False, sparsity=0.75),
    )  # fmt: skip
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(400):
        rows = torch.randn(128, 10)
        optimizer.zero_grad()
        functional.mse_loss(model(rows), rows.sum(dim=1, keepdim=True)).backward()
        optimizer.step()
    rows = torch.randn(1000, 10)
    assert functional.mse_loss(model(rows), rows.sum(dim=1, keepdim=True)) < 0.5
    assert [int((layer.weight != 0).sum()) for layer in (model[0], model[2])] == [160, 16]
