"""Rows in files are as good as rows in memory: read here and there, in parts, and streamed."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sparsefit import Setting, find_method
from sparsefit.core.errors import DataError, OptionError
from sparsefit.core.file_rows import FileRows, chunks, mean_square
from sparsefit.core.layer import Layer
from sparsefit.core.memory import ROWS_PER_TILE
from sparsefit.core.network import Network
from sparsefit.core.problem import Problem
from sparsefit.core.row_blocks import RowBlocks
from sparsefit.core.sizes import bytes_of
from sparsefit.core.team import Team
from sparsefit.tasks.table import TableTask


@pytest.fixture(scope="module")
def matrix():
    return np.random.default_rng(0).normal(size=(37, 5))


@pytest.fixture(scope="module")
def files(matrix, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    for number, part in enumerate(np.split(matrix, [10, 11, 30])):
        np.save(folder / f"{number}.npy", part)
    return sorted(folder.iterdir())


@given(
    gone=st.sets(st.integers(0, 36), max_size=20),
    columns=st.lists(st.integers(0, 4), min_size=1, max_size=5, unique=True),
    index=st.lists(st.integers(0, 16), max_size=10),
    start=st.integers(0, 40),
    stop=st.integers(0, 40),
)
def test_rows_are_those_of_the_matrix(matrix, files, gone, columns, index, start, stop):
    rows = FileRows.open(files).without(np.array(sorted(gone), dtype=int))
    rows = rows.of_columns(np.array(columns))
    kept = np.delete(matrix, sorted(gone), axis=0)[:, columns].astype(np.float32)
    assert rows.shape == kept.shape
    np.testing.assert_array_equal(rows[start:stop], kept[start:stop])
    np.testing.assert_array_equal(rows[np.array(index, dtype=int)], kept[index])
    part = rows.part(slice(start, stop))
    assert len(part) == len(kept[start:stop])
    np.testing.assert_array_equal(part[:], kept[start:stop])
    np.testing.assert_array_equal(np.concatenate([*chunks(rows, 4)]), kept)


def test_columns_are_standardised_before_they_are_rounded(files, matrix):
    far = FileRows.open(files).standardised(matrix.mean(axis=0), 1 / matrix.std(axis=0))
    np.testing.assert_allclose(far[:].mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(mean_square(far), 1, rtol=1e-6)
    assert mean_square(far * 2.0) == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (np.zeros(3), "must have rows and columns"),
        (np.asfortranarray(np.zeros((3, 2))), "column after column"),
        (np.zeros((3, 2), dtype=complex), "where numbers are needed"),
        (np.array([["a"]]), "where numbers are needed"),
    ],
)
def test_files_that_are_no_matrix(content, sentence, tmp_path):
    np.save(tmp_path / "a.npy", content)
    with pytest.raises(DataError, match=sentence):
        FileRows.open([tmp_path / "a.npy"])


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY", b"no numbers"])
def test_damaged_files(damage, tmp_path):
    (tmp_path / "a.npy").write_bytes(damage)
    with pytest.raises(DataError, match=r"a\.npy cannot be read"):
        FileRows.open([tmp_path / "a.npy"])


def test_a_file_that_says_more_than_it_holds(tmp_path):
    path = tmp_path / "a.npy"
    header = {"descr": "<f4", "fortran_order": False, "shape": (2**60, 2)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(DataError, match="shorter than its"):
        FileRows.open([path])


def test_files_of_different_widths(tmp_path):
    for name, width in (("a", 2), ("b", 3)):
        np.save(tmp_path / f"{name}.npy", np.zeros((2, width)))
    with pytest.raises(DataError, match=r"b\.npy has 3 columns, and .*a\.npy has 2"):
        FileRows.open([tmp_path / "a.npy", tmp_path / "b.npy"])


def test_files_of_different_types_are_read_alike_here_and_there(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[1, 2]], dtype=np.int32))
    np.save(tmp_path / "b.npy", np.array([[0.5, 2.25]]))
    rows = FileRows.open([tmp_path / "a.npy", tmp_path / "b.npy"])
    assert rows[:].tolist() == rows[np.array([0, 1])].tolist() == [[1.0, 2.0], [0.5, 2.25]]


@pytest.mark.parametrize("room", [0, 10**5, 10**9])
def test_streamed_blocks_are_the_blocks(room, tmp_path):
    X = np.random.default_rng(1).normal(size=(3 * ROWS_PER_TILE + 5, 4)).astype(np.float32)
    np.save(tmp_path / "a.npy", X)
    streamed = RowBlocks(
        FileRows.open([tmp_path / "a.npy"]), bias=True, dtype=torch.float64, room=room
    )
    held = RowBlocks(X, bias=True, dtype=torch.float64)
    for _ in range(2):
        for one, two in zip(streamed.blocks, held.blocks, strict=True):
            assert torch.equal(one, two)
    assert torch.equal(streamed.blocks[-1 % 4], held.blocks[3])
    with pytest.raises(IndexError):
        streamed.blocks[4]


def planted(folder):
    """Write a planted table of one unit and return its path."""
    X = np.random.default_rng(2).normal(size=(5000, 6))
    y = np.maximum(X[:, 1] - 2 * X[:, 4], 0)
    path = folder / "rows.npy"
    np.save(path, np.column_stack([X, y]).astype(np.float32))
    return path


@pytest.mark.parametrize("name", ["aiht", "htp", "splice", "imp", "fisher-gmp"])
def test_methods_find_the_same_whatever_the_memory(name, tmp_path):
    task = TableTask(file=str(planted(tmp_path)), n_test=100)
    method = find_method(name)(**find_method(name).quick)
    found = []
    for memory in ("1GB", "0.1MB"):
        problem = task.load(Setting(seed=0), 1)
        setting = Setting(hidden=3, seed=0, memory=memory)
        [(_, fit)] = method.path(problem, [4], setting)
        found.append(fit.network)
    held = dataclasses.replace(problem, X=problem.X[:])
    [(_, fit)] = method.path(held, [4], setting)
    for network in found:
        np.testing.assert_array_equal(
            network.predict(problem.X_test), fit.network.predict(problem.X_test)
        )


def test_a_table_is_split_and_scored_on_rows_that_were_not_fitted(tmp_path):
    problem = TableTask(file=str(planted(tmp_path)), n_test=1000).load(Setting(seed=3), 1)
    assert (problem.X.shape, problem.X_test.shape) == ((4000, 6), (1000, 6))
    known = {row.tobytes() for row in problem.X[:]}
    assert not known & {row.tobytes() for row in problem.X_test}
    np.testing.assert_allclose(
        problem.y[:, 0], np.maximum(problem.X[:][:, 1] - 2 * problem.X[:][:, 4], 0), atol=1e-5
    )


def test_a_table_by_name_and_of_classes(tmp_path):
    lines = [f"{i % 5},{'ab'[i % 2]},{i % 3}" for i in range(60)]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["x,kind,y", *lines]))
    task = TableTask(file=str(path), target="y", classes=True, standardize=True, n_test=10)
    problem = task.load(Setting(), 1)
    assert (problem.loss, problem.n_classes, problem.X.shape) == ("softmax", 3, (50, 3))
    np.testing.assert_allclose(problem.X[:].std(axis=0), 1, rtol=1e-5)


def test_tables_that_cannot_be_fitted(tmp_path):
    path = planted(tmp_path)
    with pytest.raises(OptionError, match="a number from 0 to 6"):
        TableTask(file=str(path), target="7").load(Setting(), 1)
    with pytest.raises(DataError, match="there is no file"):
        TableTask(file=str(tmp_path / "gone.npy")).load(Setting(), 1)
    np.save(path, np.full((9, 3), np.nan))
    with pytest.raises(DataError, match="column 0 holds NaN or infinity"):
        TableTask(file=str(path)).load(Setting(), 1)
    np.save(path, np.ones((9, 3)))
    with pytest.raises(DataError, match="the target is 1 in every row"):
        TableTask(file=str(path)).load(Setting(), 1)


def test_parts_of_a_team_are_the_whole(files, matrix):
    whole = Problem(FileRows.open(files), np.arange(37.0)[:, None])
    parts = [whole.part(Team(rank, 3)) for rank in range(3)]
    np.testing.assert_array_equal(
        np.concatenate([part.X[:] for part in parts]), matrix.astype(np.float32)
    )
    assert [part.share.first for part in parts] == [0, 12, 24]
    assert {part.n for part in parts} == {37}


def test_a_network_predicts_rows_of_files_as_others(files, matrix):
    net = Network((Layer(np.eye(5)[:, :2]),), fused=True)
    np.testing.assert_array_equal(
        net.predict(FileRows.open(files)), net.predict(matrix.astype(np.float32))
    )


@pytest.mark.parametrize(("size", "count"), [("1KB", 1000), ("2.5GB", 2_500_000_000), ("x", None)])
def test_sizes(size, count):
    assert bytes_of(size) == count
