import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from sparsefit.core.hard_threshold import CountSketch, StreamingTopK, hard_threshold
from sparsefit.core.sparse_vector import SparseVector

# Few distinct magnitudes, so that ties are the rule.
vectors = st.lists(st.sampled_from([0.0, -1.0, 1.0, 2.0, -2.0, 0.5]), min_size=1, max_size=60)


def slow_top(values, k):
    """Positions of the k largest magnitudes, ties to the lowest position."""
    ranked = sorted(range(len(values)), key=lambda i: (-abs(values[i]), i))
    return sorted(ranked[:k])


@given(vectors, st.integers(0, 70))
def test_keeps_exactly_k_with_ties_to_the_lowest(values, k):
    assert hard_threshold(torch.tensor(values), k).tolist() == slow_top(values, k)


@given(vectors, st.integers(1, 70), st.randoms(use_true_random=False), st.integers(1, 7))
def test_streaming_does_not_depend_on_blocks_or_their_order(values, k, random, size):
    nonzero = [i for i in range(len(values)) if values[i]]
    expected = sorted(sorted(nonzero, key=lambda i: (-abs(values[i]), i))[:k])
    blocks = [range(i, min(i + size, len(values))) for i in range(0, len(values), size)]
    random.shuffle(blocks)
    top = StreamingTopK(SparseVector.zeros(len(values), dtype=torch.float32), k)
    for block in blocks:
        top.push(torch.tensor(block), torch.tensor([values[i] for i in block]))
    result = top.result()
    assert result.indices.tolist() == expected
    assert result.values.tolist() == [values[i] for i in expected]


@given(st.integers(0, 2**31), st.integers(1, 40))
def test_scores_rank_in_place_of_values(seed, k):
    rng = np.random.default_rng(seed)
    values, scores = torch.from_numpy(rng.normal(size=50)), torch.from_numpy(rng.normal(size=50))
    top = StreamingTopK(SparseVector.zeros(50, dtype=torch.float64), k)
    top.push(torch.arange(50), values, scores)
    assert top.result().indices.tolist() == slow_top(scores.tolist(), k)


@given(st.integers(0, 2**31))
def test_sketch_recalls_heavy_entries_among_many_light_ones(seed):
    rng = np.random.default_rng(seed)
    indices = torch.from_numpy(np.sort(rng.choice(10**9, 300, replace=False)))
    deltas = torch.from_numpy(rng.normal(size=300) * 0.01)
    deltas[:5] = 10.0
    sketch = CountSketch(256, dtype=torch.float64)
    for part in range(0, 300, 100):
        sketch.add(indices[part : part + 100], deltas[part : part + 100])
    # Five heavy entries share 256 cells four times over: the median of four is rarely hit twice.
    estimates = sketch.query(indices)
    assert (estimates[:5] > 4).all()
    assert estimates[5:].abs().median() < 0.5


def test_sketch_signs_and_cells_look_independent():
    sketch = CountSketch(64, dtype=torch.float64)
    for cell, sign in sketch._hashes(torch.arange(64_000)):
        assert abs(sign.mean().item()) < 0.02
        counts = torch.bincount(cell, minlength=64)
        assert counts.min() > 800
        assert counts.max() < 1200
