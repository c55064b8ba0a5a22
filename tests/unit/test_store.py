"""Rows are on disk whole or not at all."""

import errno
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import sparsefit
from sparsefit.core.errors import SparsefitError
from sparsefit.core.layer import Layer
from sparsefit.core.network import Network
from sparsefit.core.result import Status
from sparsefit.core.setting import Setting
from sparsefit.experiments import Cell, Store
from sparsefit.experiments.rows import empty_row
from sparsefit.experiments.store import FIELDS, REQUIRED, StoreError
from tests.toys import Ones, Ramp


def row_of(nnz):
    return empty_row(Cell(Ramp(), Ones(), Setting(), nnz), Status.SKIPPED, "a note")


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "deep" / "runs")


def find(store, *rows):
    sentences = []
    found = store.find([row["run_id"] for row in rows], sentences.append)
    return found, sentences


def test_making_a_store_leaves_nothing_behind(tmp_path):
    Store(tmp_path / "runs")
    assert list(tmp_path.iterdir()) == []


def test_a_row_comes_back_as_it_was(store):
    row = row_of(3)
    store.put_row(row)
    assert find(store, row, row_of(4)) == ({row["run_id"]: row}, [])
    assert tuple(row) == FIELDS


def test_a_row_is_one_line_and_pandas_reads_it_without_us(store):
    for nnz in (3, 4):
        store.put_row(row_of(nnz))
    files = list((store.folder / "rows").glob("*.json"))
    assert [path.read_text().count("\n") for path in files] == [1, 1]
    frame = pd.concat([pd.read_json(path, lines=True) for path in files])
    assert sorted(frame["nnz"]) == [3, 4]


def test_load_rows_is_public_and_ordered(store):
    for nnz in (10, 2, 7):
        store.put_row(row_of(nnz))
    assert [row["nnz"] for row in sparsefit.load_rows(store.folder)] == [2, 7, 10]
    assert pd.DataFrame(sparsefit.load_rows(store.folder)).shape == (3, len(FIELDS))


def test_load_rows_of_no_results(tmp_path):
    with pytest.raises(SparsefitError, match="no results in"):
        sparsefit.load_rows(tmp_path)


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda text: text[: len(text) // 2], "not JSON"),
        (lambda text: "", "not JSON"),
        (lambda text: "\x00" * len(text), "not JSON"),
        (lambda text: "[1]", "not a JSON object"),
        (lambda text: text.replace('"run_id": "', '"run_id": "x'), "it is of run 'x"),
        *(
            (lambda text, key=key: text.replace(f'"{key}":', '"other":'), f"no '{key}'")
            for key in REQUIRED
        ),
    ],
)
def test_a_damaged_row_is_named_and_set_aside(store, damage, why):
    row = row_of(3)
    store.put_row(row)
    path = store.row_path(row["run_id"])
    damaged = damage(path.read_text())
    path.write_text(damaged)
    with pytest.warns(UserWarning, match=path.name) as caught:
        assert sparsefit.load_rows(store.folder) == []
    assert caught[0].filename == __file__
    found, [sentence] = find(store, row)
    assert found == {}
    assert str(path) in sentence
    assert why in sentence
    assert not path.exists()
    assert path.with_name(path.name + ".damaged").read_text() == damaged


def test_a_network_is_read_back_from_its_file(store):
    network = Network((Layer(np.diag([1.0, 0.0])),), fused=True)
    assert store.put_network("abc", network).nnz == 1
    assert Network.load(store.network_path("abc")).nnz == 1


def full_disk(*args):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_one_sentence_and_leaves_old_rows_whole(store, monkeypatch):
    store.put_row(row_of(3))
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(StoreError, match="No space left on device"):
        store.put_row(row_of(4))
    with pytest.raises(StoreError, match="No space left on device"):
        store.put_row({**row_of(3), "note": "new"})
    assert find(store, row_of(3))[0] == {row_of(3)["run_id"]: row_of(3)}
    assert len(list((store.folder / "rows").iterdir())) == 1


def test_a_full_disk_under_the_network_writer(store, monkeypatch):
    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(StoreError, match="No space left"):
        store.put_network("abc", Network((Layer(np.eye(2)),), fused=True))


def test_files_may_be_read_by_whom_the_user_lets(store):
    """A colleague, a web server: the mask of the process says, not the library that writes."""
    store.put_row(row_of(3))
    store.put_network("abc", Network((Layer(np.eye(2)),), fused=True))
    files = [path for path in store.folder.rglob("*") if path.is_file()]
    plain = store.folder / "plain"
    plain.touch()
    assert {path.stat().st_mode for path in files} == {plain.stat().st_mode}


def test_rows_hold_no_nan(store):
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.put_row({**row_of(3), "value": float("nan")})
    assert list((store.folder / "rows").iterdir()) == []


@pytest.mark.parametrize("inside", [False, True])
def test_a_file_in_place_of_the_folder(tmp_path, inside):
    path = tmp_path / "results"
    path.write_text("mine")
    with pytest.raises(SparsefitError, match="--out must be a folder, got"):
        Store(path / "deeper" if inside else path)
    assert path.read_text() == "mine"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder nobody can write")
def test_a_folder_that_cannot_be_written():
    with pytest.raises(SparsefitError, match="--out must be a folder that can be written"):
        Store(Path("/proc/runs"))


def test_row_files_are_plain_json(store):
    store.put_row(row_of(3))
    [path] = (store.folder / "rows").iterdir()
    assert json.loads(path.read_text())["note"] == "a note"


def test_a_folder_in_place_of_a_row_is_damage(store):
    row = row_of(3)
    path = store.row_path(row["run_id"])
    path.mkdir(parents=True)
    notes = []
    assert sparsefit.load_rows(store.folder, on_damage=notes.append) == []
    assert notes == [f"{path} is damaged (Is a directory) and left out"]
    found, [sentence] = find(store, row)
    assert found == {}
    assert "Is a directory" in sentence
    assert not path.exists()
    store.put_row(row)
    assert find(store, row)[0] == {row["run_id"]: row}


def test_a_damaged_row_that_cannot_be_renamed(store, monkeypatch):
    row = row_of(3)
    store.put_row(row)
    store.row_path(row["run_id"]).write_text("")

    def refuse(self, target):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(StoreError, match=r"is damaged and cannot be renamed to .*: Permission"):
        find(store, row)
