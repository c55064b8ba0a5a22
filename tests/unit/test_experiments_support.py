"""Support overlap is blind to order, scale and splitting of units, and to nothing else."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsefit.core.gates import RandomGates
from sparsefit.core.layer import Layer
from sparsefit.core.network import Network
from sparsefit.core.problem import SensingProblem
from sparsefit.experiments.support import Overlap, support_overlap, vector_overlap


def fused(*columns):
    return Network((Layer(np.array(columns, dtype=float).T),), fused=True)


def random_network(seed, n_outputs, layers, units=6, n_inputs=8):
    rng = np.random.default_rng(seed)

    def draw(*shape):
        return rng.normal(size=shape) * (rng.random(shape) < 0.4)

    widths = [n_inputs, *[units] * layers, n_outputs]
    pairs = pairwise(widths)
    return Network(tuple(Layer(draw(a, b), draw(b)) for a, b in pairs))


def shuffled(network, rng):
    """Return the same function with units permuted, rescaled, and one unit split in two."""
    layers = list(network.layers)
    for number in range(len(layers) - 1):
        weight, bias = layers[number].weight.toarray(), layers[number].bias
        after = layers[number + 1].weight.toarray()
        chosen = np.append(rng.permutation(layers[number].n_units), 0)
        scale = rng.uniform(0.5, 2, len(chosen))
        share = np.where(chosen == 0, 0.5, 1.0)
        layers[number] = Layer(weight[:, chosen] * scale, bias[chosen] * scale)
        after = after[chosen] * (share / scale)[:, None]
        layers[number + 1] = Layer(after, layers[number + 1].bias)
    return Network(tuple(layers))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1, 3]), st.sampled_from([1, 2]))
def test_equivalent_networks_overlap_fully(seed, n_outputs, layers):
    network = random_network(seed, n_outputs, layers)
    same = shuffled(network, np.random.default_rng(seed))
    X = np.random.default_rng(seed).normal(size=(5, 8))
    np.testing.assert_allclose(same.predict(X), network.predict(X), atol=1e-9)
    overlap = support_overlap(network, same)
    assert overlap.shared == overlap.planted == overlap.found


def test_one_sparse_units_on_one_input_and_sign_are_one():
    truth = fused([1, 0, 0], [2, 0, 0], [0, -1, 0])
    assert support_overlap(truth, fused([3, 0, 0], [0, -1, 0])) == Overlap(2, 2, 2)


def test_opposite_directions_are_two_units():
    assert support_overlap(fused([1, 0], [-1, 0]), fused([1, 0])) == Overlap(1, 2, 1)


def test_a_missed_and_a_false_position_are_counted():
    overlap = support_overlap(fused([1, 1, 0, 0], [0, 0, 1, 0]), fused([0, 0, 0, 1], [5, 0, 1, 0]))
    assert (overlap.recall, overlap.precision) == (1 / 3, 1 / 3)


def test_a_network_with_output_weights_compares_to_a_fused_one():
    truth = fused([1, 2, 0], [0, 0, 1])
    hidden = Layer(np.array([[2.0, 4.0, 0.0], [0.0, 0.0, 3.0], [1.0, 0.0, 0.0]]).T)
    found = Network((hidden, Layer(np.array([[0.5], [-1.0], [0.0]]))))
    # The third unit has no output weight: it is dead.
    assert support_overlap(truth, found) == Overlap(3, 3, 3)


def test_units_without_inputs_take_their_output_weights_along():
    truth = Network((Layer(np.eye(2)), Layer(np.eye(2))))
    found = Network((Layer(np.diag([1.0, 0.0])), Layer(np.ones((2, 2)))))
    assert support_overlap(truth, found) == Overlap(2, 4, 3)


def test_random_gates_keep_units_apart():
    weights = Layer(np.array([[1.0, 1.0], [0.0, 0.0]]))
    gated = Network((weights,), fused=True, gates=RandomGates(0, 2))
    assert support_overlap(fused([1, 0]), gated) == Overlap(1, 1, 2)


def test_different_depths_are_not_compared():
    deep = Network((Layer(np.eye(2)), Layer(np.eye(2))), fused=True)
    assert support_overlap(fused([1, 0]), deep) is None


@pytest.mark.parametrize("other", [fused([0, 0]), fused([0, 1])])
def test_empty_and_disjoint_supports(other):
    overlap = support_overlap(fused([1, 0]), other)
    assert overlap.recall == 0
    assert overlap.precision == (1 if other.nnz == 0 else 0)


def test_vector_positions():
    problem = SensingProblem(np.zeros(3), 4, 0, np.array([0, 2]), np.array([1.0, 1.0]))
    found = Network((Layer(np.array([[1.0], [1.0], [0.0], [0.0]])),))
    assert vector_overlap(problem, found) == Overlap(1, 2, 2)
