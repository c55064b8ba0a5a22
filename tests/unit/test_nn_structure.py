"""Structures against naive loops over the weights."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sparsefit.core.errors import OptionError
from sparsefit.nn import (
    NM,
    STRUCTURES,
    Blocks,
    Channels,
    Columns,
    Kernels,
    Rows,
    Unstructured,
    parse_structure,
)

# To which group the weight of output o, input i and place k of the kernel belongs.
GROUP_OF = {
    Unstructured: lambda o, i, k, shape, structure: (o, i, *k),
    Rows: lambda o, i, k, shape, structure: (o,),
    Channels: lambda o, i, k, shape, structure: (o,),
    Columns: lambda o, i, k, shape, structure: (i,),
    Kernels: lambda o, i, k, shape, structure: (o, i),
    Blocks: lambda o, i, k, shape, structure: (
        o // structure.rows, flat_input(i, k, shape) // structure.columns,
    ),
}  # fmt: skip


def flat_input(i, k, shape):
    place = i
    for at, size in zip(k, shape[2:], strict=True):
        place = place * size + at
    return place


def members(shape, structure):
    """Return the weights of every group."""
    found = {}
    for o, i, *k in itertools.product(*map(range, shape)):
        group = GROUP_OF[type(structure)](o, i, k, shape, structure)
        found.setdefault(group, []).append((o, i, *k))
    return found


@st.composite
def weights(draw):
    cls = draw(st.sampled_from([*GROUP_OF]))
    n_kernel = draw(st.integers(1 if cls.needs_kernel else 0, 2))
    kernel = tuple(draw(st.integers(1, 3)) for _ in range(n_kernel))
    if cls is Blocks:
        rows, columns = draw(st.integers(1, 3)), draw(st.integers(1, 3))
        shape = (rows * draw(st.integers(1, 3)), columns * draw(st.integers(1, 3)), *kernel)
        structure = Blocks(rows=rows, columns=columns)
    else:
        structure, shape = cls(), (draw(st.integers(1, 5)), draw(st.integers(1, 5)), *kernel)
    generator = torch.Generator().manual_seed(draw(st.integers(0, 99)))
    return structure, torch.randn(shape, generator=generator, dtype=torch.float64)


@given(weights(), st.booleans())
def test_pool_total_and_scale_against_loops(case, as_view):
    structure, values = case
    if as_view:
        values = values.transpose(0, -1).contiguous().transpose(0, -1)
    shape = tuple(values.shape)
    structure.check(shape, "layer")
    groups = members(shape, structure)
    assert structure.group_shape(shape) == tuple(max(at) + 1 for at in zip(*groups, strict=True))
    pooled, total = structure.pool(values), structure.total(values)
    factors = torch.arange(1.0, len(groups) + 1, dtype=torch.float64)
    factors = factors.reshape(structure.group_shape(shape))
    scaled = structure.scale(values, factors)
    assert scaled.shape == values.shape
    for group, places in groups.items():
        assert len(places) == structure.group_size(shape)
        wanted = sum(float(values[place]) for place in places)
        assert float(total[group]) == pytest.approx(wanted)
        assert float(pooled[group]) == pytest.approx(wanted / len(places))
        for place in places:
            assert float(scaled[place]) == float(values[place]) * float(factors[group])


@given(weights(), st.data())
def test_whole_groups_are_selected_by_importance(case, data):
    structure, values = case
    shape = tuple(values.shape)
    n_groups = math.prod(structure.group_shape(shape))
    importance = structure.pool(values.round())
    k = data.draw(st.integers(0, n_groups))
    wanted = sorted(range(n_groups), key=lambda g: (-float(importance.ravel()[g]), g))[:k]
    chosen = structure.select(importance, k)
    assert chosen.dtype == torch.bool
    assert sorted(wanted) == chosen.ravel().nonzero().ravel().tolist()
    mask = structure.scale(torch.ones(shape), chosen)
    assert int(mask.sum()) == structure.attainable(shape, k * structure.group_size(shape))


@given(weights(), st.integers(0, 500))
def test_attainable_is_the_largest_count_that_groups_allow(case, keep):
    structure, values = case
    shape = tuple(values.shape)
    keep = min(keep, values.numel())
    counts = [g * structure.group_size(shape) for g in range(values.numel() + 1)]
    assert structure.attainable(shape, keep) == max(c for c in counts if c <= keep)


@given(st.integers(1, 6), st.integers(1, 4), st.integers(1, 3), st.integers(0, 99), st.data())
def test_n_of_m_against_loops(m, n_outputs, n_places, seed, data):
    structure = NM(n=data.draw(st.integers(1, m)), m=m)
    kernel = data.draw(st.sampled_from([(), (2,), (2, 2)]))
    shape = (n_outputs, m * n_places, *kernel)
    structure.check(shape, "layer")
    importance = torch.randint(0, 4, shape, generator=torch.Generator().manual_seed(seed)).float()
    n_rows = n_outputs * n_places * math.prod(kernel)
    keep = data.draw(st.integers(0, importance.numel()))
    chosen = structure.select(importance, keep)
    assert chosen.shape == importance.shape
    assert int(chosen.sum()) == structure.attainable(shape, keep) == keep // n_rows * n_rows
    rows = zip(importance.reshape(-1, m).tolist(), chosen.reshape(-1, m).tolist(), strict=True)
    for values, kept in rows:
        best = sorted(range(m), key=lambda i: (-values[i], i))[: keep // n_rows]
        assert [i for i in range(m) if kept[i]] == sorted(best)


@pytest.mark.parametrize(
    ("structure", "shape", "words"),
    [
        (Blocks(rows=3, columns=2), (8, 6), "rows must be a divisor of 8, for fc, got 3"),
        (Blocks(rows=4, columns=4), (8, 6), "columns must be a divisor of 6, for fc, got 4"),
        (Blocks(rows=4, columns=4), (8, 2, 3), "columns must be a divisor of 6, for fc, got 4"),
        (NM(), (8, 6), "m must be a divisor of 6, the inputs of fc, got 4"),
        (Channels(), (8, 6),
         "structure must be one that fc has, which is no convolution, got 'channels'"),
        (Kernels(), (8, 6),
         "structure must be one that fc has, which is no convolution, got 'kernels'"),
        (Rows(), (8,), "structure must be unstructured for the vector fc, got 'rows'"),
        (NM(), (8,), "structure must be unstructured for the vector fc, got 'n:m'"),
    ],
)  # fmt: skip
def test_weights_without_such_groups_are_refused(structure, shape, words):
    with pytest.raises(OptionError) as caught:
        structure.check(shape, "fc")
    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: NM(n=3, m=2), "n must be at most m, which is 2, got 3"),
        (lambda: NM(n=0), "n must be an integer >= 1, got 0"),
        (lambda: NM(n=2, m=4.0), "m must be an integer >= 1, got 4.0"),
        (lambda: Blocks(rows=0), "rows must be an integer >= 1, got 0"),
        (lambda: Blocks(columns=1.5), "columns must be an integer >= 1, got 1.5"),
    ],
)
def test_impossible_structures_are_refused(make, words):
    with pytest.raises(OptionError) as caught:
        make()
    assert str(caught.value) == words


def test_structures_are_parsed():
    for name, cls in STRUCTURES.items():
        if cls is not NM:
            assert parse_structure(name) == cls()
    assert parse_structure("3x16") == Blocks(rows=3, columns=16)
    assert parse_structure("1:8") == NM(n=1, m=8)


@pytest.mark.parametrize("text", ["row", "4:2", "0x4", "2x", ""])
def test_what_stands_for_no_structure_is_refused(text):
    with pytest.raises(OptionError):
        parse_structure(text)
