"""Networks that were trained and pruned, recovered from their answers."""

import numpy as np
import pytest

from sparsefit.core.errors import DataError, OptionError, SparsefitError
from sparsefit.core.setting import Setting
from sparsefit.experiments.support import support_overlap
from sparsefit.methods.splice import Splice
from sparsefit.tasks.digits import Digits
from sparsefit.tasks.teacher import Teacher
from tests.image_files import write_idx_set

SETTING, NNZ = Setting(hidden=20, seed=0), 200
FEW = {"epochs": 10, "n_samples": 900, "n_test": 100}


@pytest.fixture(scope="module")
def problem():
    return Teacher(**FEW).load(SETTING, NNZ)


def test_it_is_asked_for_scores_and_answers_without_rounding(problem):
    assert problem.truth.nnz == NNZ
    assert problem.loss == "squared"
    expected = problem.truth.predict(problem.X.astype(np.float64))
    np.testing.assert_array_equal(problem.y, expected)
    assert problem.y.shape == (900, 10)
    assert problem.peak == abs(problem.y).max()
    assert abs(problem.X.mean()) < 0.02
    assert abs(problem.X.std() - 1) < 0.02


def test_it_knows_the_digits(problem):
    digits = Digits().load(SETTING, 1)
    guessed = problem.truth.predict(digits.X_test).argmax(axis=1)
    assert np.mean(guessed == digits.y_test) > 0.7


def test_a_trained_network_is_recovered_from_rows_of_noise(problem):
    [(_, fit)] = Splice().path(problem, [NNZ], SETTING)
    overlap = support_overlap(problem.truth, fit.network)
    assert (overlap.recall, overlap.precision) == (1, 1)
    assert fit.network.predict(problem.X_test) == pytest.approx(problem.y_test, abs=1e-9)


def test_rows_of_data_are_the_images_that_it_was_trained_on():
    problem = Teacher(rows="data", epochs=2, n_test=30).load(SETTING, NNZ)
    digits = Digits().load(SETTING, 1)
    np.testing.assert_array_equal(problem.X, digits.X)  # fewer than 7000
    np.testing.assert_array_equal(problem.X_test, digits.X_test[:30])
    few = Teacher(rows="data", n_samples=40, epochs=2, n_test=0).load(SETTING, NNZ)
    assert few.X.shape == (40, 64)
    assert few.X_test is None
    assert {row.tobytes() for row in few.X} <= {row.tobytes() for row in digits.X}


def test_other_images(tmp_path):
    write_idx_set(tmp_path, *[np.tile(np.arange(10), 3)] * 2)
    task = Teacher(
        images="mnist", data_dir=str(tmp_path), per_class=2, epochs=1, n_samples=50, n_test=0
    )
    assert task.load(SETTING, 30).X.shape == (50, 784)


def test_a_network_of_a_file(problem, tmp_path):
    path = tmp_path / "network.safetensors"
    problem.truth.save(path)
    again = Teacher(network=str(path), **FEW).load(SETTING, NNZ)
    np.testing.assert_array_equal(again.y, problem.y)
    assert Teacher(network=str(path)).fingerprint != Teacher().fingerprint
    with pytest.raises(OptionError, match="2 hidden layers"):
        Teacher(network=str(path)).load(Setting(hidden=6, layers=2), NNZ)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match="cannot be read as a network"):
        Teacher(network=str(path)).load(SETTING, NNZ)
    with pytest.raises(SparsefitError, match="there is no file"):
        _ = Teacher(network=str(tmp_path / "none")).fingerprint
