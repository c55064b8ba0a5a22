"""The budget of a workspace, and what it keeps."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from sparsefit.core.memory import RowBlockStore, Workspace


@given(st.integers(1, 1000), st.lists(st.tuples(st.booleans(), st.integers(1, 400)), max_size=30))
def test_what_is_lent_and_kept_never_exceeds_the_budget(budget, requests):
    workspace, lent = Workspace(budget), []
    for give_one_back, n_bytes in requests:
        if give_one_back and lent:
            workspace.give(lent.pop())
        array = workspace.take(n_bytes)
        fits = sum(map(len, lent)) + n_bytes <= budget
        assert (array is not None) == fits
        if array is not None:
            assert len(array) >= n_bytes
            lent.append(array)
        assert sum(map(len, lent)) + workspace._free_bytes <= budget


def test_an_array_serves_again_for_one_somewhat_larger():
    workspace = Workspace(10_000)
    first = workspace.take(1000)
    address = first.data_ptr()
    workspace.give(first)
    assert workspace.take(1020).data_ptr() == address


def test_a_store_hands_its_memory_back():
    workspace = Workspace(4 * 3 * 7)
    store = RowBlockStore(workspace, 3, [slice(0, 4), slice(4, 7)], torch.float32)
    assert [tuple(block.shape) for block in store.blocks] == [(3, 4), (3, 3)]
    assert RowBlockStore(workspace, 1, [slice(0, 1)], torch.float32).blocks is None
    del store
    assert RowBlockStore(workspace, 3, [slice(0, 7)], torch.float32).blocks is not None
