"""How layers share a budget, against slow and obvious versions."""

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sparsefit.nn import NM, Columns, Rows, Unstructured
from sparsefit.nn.budget import Candidate, choose, shares

SHAPES = st.lists(
    st.lists(st.integers(1, 12), min_size=1, max_size=4).map(tuple), min_size=1, max_size=6
)
ALLOCATIONS = st.sampled_from(["global", "uniform", "erk"])


def naive_proportions(pulls, caps, total):
    """Fill one after the other: who is over its cap gets that, and the rest share again."""
    given_to, rest = {}, Fraction(total)
    while len(given_to) < len(pulls):
        open_ = [i for i in range(len(pulls)) if i not in given_to]
        pull = sum(pulls[i] for i in open_)
        over = [i for i in open_ if rest * pulls[i] >= caps[i] * pull]
        for i in over:
            given_to[i] = Fraction(caps[i])
        if not over:
            return [given_to.get(i, rest * pulls[i] / pull) for i in range(len(pulls))]
        rest = total - sum(given_to.values())
    return [given_to[i] for i in range(len(pulls))]


@given(SHAPES, st.data(), ALLOCATIONS)
def test_shares_against_exact_fractions(shapes, data, allocation):
    sizes = [math.prod(shape) for shape in shapes]
    keep = data.draw(st.integers(1, sum(sizes)))
    counts = shares(shapes, keep, allocation)
    assert sum(counts) == keep
    assert all(0 <= count <= size for count, size in zip(counts, sizes, strict=True))
    assert (min(counts) >= 1) == (keep >= len(shapes))
    pulls = [sum(shape) for shape in shapes] if allocation == "erk" else sizes
    exact = naive_proportions(pulls, sizes, keep)
    floors = [math.floor(share) for share in exact]
    if min(floors) >= 1:
        assert all(0 <= c - f <= 1 for c, f in zip(counts, floors, strict=True))
        # Largest remainders: who was rounded up had at least the remainder of who was not.
        up = [e - f for c, e, f in zip(counts, exact, floors, strict=True) if c > f]
        down = [e - f for c, e, f in zip(counts, exact, floors, strict=True) if c == f]
        assert not up or not down or min(up) >= max(down) - Fraction(1, 10**9)


@given(SHAPES, st.integers(0, 50), ALLOCATIONS)
def test_more_than_there_is_gives_everything(shapes, more, allocation):
    sizes = [math.prod(shape) for shape in shapes]
    assert shares(shapes, sum(sizes) + more, allocation) == sizes


def test_small_layers_are_denser_with_erk():
    shapes = [(1000, 1000), (10, 1000), (10, 10)]
    counts = shares(shapes, 10_000, "erk")
    densities = [count / math.prod(shape) for count, shape in zip(counts, shapes, strict=True)]
    assert densities[0] < densities[1] < densities[2]
    assert counts[0] / counts[1] == pytest.approx(2000 / 1010, rel=1e-3)
    # Of a convolution the kernel counts too.
    assert shares([(8, 8, 3, 3), (8, 8)], 38, "erk") == [22, 16]


def candidates(structures, seed=0, shape=(4, 6)):
    generator = torch.Generator().manual_seed(seed)
    return [
        Candidate(shape, structure, torch.rand(structure.group_shape(shape), generator=generator))
        for structure in structures
    ]


@given(st.integers(1, 72), st.integers(0, 99))
def test_global_is_one_ranking_over_all_layers_that_leaves_none_empty(keep, seed):
    ranked = candidates([Unstructured()] * 3, seed)
    flat = torch.cat([candidate.importance.ravel() for candidate in ranked])
    first = {24 * i + int(flat[24 * i : 24 * i + 24].argmax()) for i in range(3)}
    first = first if keep >= 3 else set()
    best = set(sorted(range(72), key=lambda i: (i not in first, -float(flat[i]), i))[:keep])
    chosen = torch.cat([mask.ravel() for mask in choose(ranked, keep, "global")])
    assert {int(i) for i in chosen.nonzero()} == best


def naive_fill(ranked, keep):
    """Go down the ranking, after the best of each if there is room, and take what still fits."""
    sizes = [candidate.structure.group_size(candidate.shape) for candidate in ranked]
    best = [int(candidate.importance.argmax()) for candidate in ranked]
    groups = [
        (sum(sizes) > keep or place != best[number], -float(value), number, place, sizes[number])
        for number, candidate in enumerate(ranked)
        for place, value in enumerate(candidate.importance.ravel())
    ]
    chosen = [torch.zeros(candidate.importance.numel()).bool() for candidate in ranked]
    for *_, number, place, size in sorted(groups):
        if size <= keep:
            chosen[number][place] = True
            keep -= size
    return chosen


@given(
    st.lists(st.sampled_from([Unstructured(), Rows(), Columns()]), min_size=2, max_size=4),
    st.integers(1, 100),
    st.integers(0, 99),
)
def test_groups_of_different_sizes_against_a_plain_loop(structures, keep, seed):
    ranked = candidates(structures, seed)
    chosen = choose(ranked, keep, "global")
    total = sum(
        int(mask.sum()) * candidate.structure.group_size(candidate.shape)
        for mask, candidate in zip(chosen, ranked, strict=True)
    )
    assert total <= keep
    if len({candidate.structure.group_size(candidate.shape) for candidate in ranked}) > 1:
        for mask, wanted in zip(chosen, naive_fill(ranked, keep), strict=True):
            assert mask.shape == ranked[0].importance.shape or mask.ndim
            assert torch.equal(mask.ravel(), wanted)


@given(
    st.lists(st.sampled_from([Unstructured(), Rows(), Columns()]), min_size=1, max_size=4),
    st.integers(1, 100),
    st.sampled_from(["uniform", "erk"]),
)
def test_each_layer_gets_what_its_share_allows(structures, keep, allocation):
    ranked = candidates(structures)
    sizes = [candidate.structure.group_size(candidate.shape) for candidate in ranked]
    chosen = choose(ranked, keep, allocation)
    counts = [int(mask.sum()) * size for mask, size in zip(chosen, sizes, strict=True)]
    assert sum(counts) <= keep
    # Nothing is left that would hold another group, and no weight is empty that need not be.
    open_sizes = [s for s, c in zip(sizes, counts, strict=True) if c < 24]
    assert not open_sizes or keep - sum(counts) < min(open_sizes) or sum(sizes) > keep
    assert min(counts) > 0 or sum(sizes) > keep
    for candidate, mask in zip(ranked, chosen, strict=True):
        assert (
            not mask.any()
            or mask.all()
            or (candidate.importance[mask].min() > candidate.importance[~mask].max())
        )


def test_weights_that_are_too_large_for_their_share_take_from_others():
    shapes, rows = [(4, 90), (60, 4), (60, 4)], Rows()
    ranked = [Candidate(shape, rows, torch.rand(shape[0])) for shape in shapes]
    counts = [
        int(mask.sum()) * shape[1]
        for mask, shape in zip(choose(ranked, 130, "uniform"), shapes, strict=True)
    ]
    assert counts == [90, 20, 20]
    # There is no room for a group in each: the largest go first.
    assert not choose(ranked, 60, "uniform")[0].any()


@pytest.mark.parametrize("allocation", ["global", "uniform", "erk"])
@pytest.mark.parametrize("n_biases", [0, 1, 2])
def test_places_of_n_of_m_have_one_density(allocation, n_biases):
    ranked = [
        *candidates([NM(n=2, m=3)], shape=(1, 30)), *candidates([NM(n=2, m=3)], shape=(7, 3)),
        *candidates([Unstructured()] * n_biases, shape=(5,)),
    ]  # fmt: skip
    total = 51 + 5 * n_biases
    for keep in range(1, total + 1):
        counts = [int(mask.sum()) for mask in choose(ranked, keep, allocation)]
        places = keep * 3 // total
        assert counts[:2] == [10 * places, 7 * places]
        assert sum(counts[2:]) <= math.ceil(keep * 5 * n_biases / total)
        assert sum(counts) <= keep
