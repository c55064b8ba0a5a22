"""Tasks on labelled images: sizes, splits, scaling and labels."""

from dataclasses import replace

import numpy as np
import pytest

from sparsefit.core.errors import DataError
from sparsefit.core.setting import Setting
from sparsefit.data import datasets
from sparsefit.tasks.binary_cifar10 import BinaryCifar10
from sparsefit.tasks.binary_mnist import BinaryMnist
from sparsefit.tasks.digits import Digits
from sparsefit.tasks.fashion_mnist import FashionMnist
from sparsefit.tasks.inr_cifar10 import InrCifar10
from sparsefit.tasks.inr_mnist import InrMnist
from sparsefit.tasks.mnist import Mnist
from tests.image_files import BATCHES, write_cifar, write_idx_set

LABELS = np.tile(np.arange(10), 3), np.tile(np.arange(9, -1, -1), 2)
SMALL = {"train_per_class": 4, "test_per_class": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mnist")
    write_idx_set(folder, *LABELS)
    return str(folder)


def rows_of_class(folder, number):
    images = write_idx_set(folder / "again", *LABELS)
    return images[np.concatenate(LABELS) == number].reshape(-1, 784)


def test_mnist_takes_the_first_images_of_each_class(folder, tmp_path):
    problem = Mnist(data_dir=folder, **SMALL).load(Setting(), 1)
    assert problem.X.shape == (40, 784)
    assert problem.X.dtype == np.float32
    assert problem.y.tolist() == np.repeat(range(10), 4).tolist()
    assert problem.y_test.tolist() == list(range(10))
    assert (problem.loss, problem.metric, problem.n_classes) == ("softmax", "accuracy", 10)
    for number in range(10):
        rows = rows_of_class(tmp_path, number)
        assert np.array_equal(problem.X[problem.y == number], rows[:4])
        assert np.array_equal(problem.X_test[problem.y_test == number], rows[4:])


def test_the_split_is_the_same_for_every_seed(folder):
    task = Mnist(data_dir=folder, train_per_class=2, test_per_class=3)
    first, other = (task.load(Setting(seed=seed), 1) for seed in (0, 1))
    assert np.array_equal(first.X, other.X)
    assert np.array_equal(first.X_test, other.X_test)
    assert not (first.X[:, None] == first.X_test[None]).all(axis=2).any()


def test_pixels_are_scaled_as_asked(folder):
    raw, unit = (
        Mnist(data_dir=folder, scale=scale, **SMALL).load(Setting(), 1) for scale in ("raw", "unit")
    )
    assert raw.X.max() == 255
    assert np.allclose(raw.X / 255, unit.X)
    assert unit.X_test.max() == 1
    assert FashionMnist().scale == "unit"


@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_binary_mnist_has_one_output_of_zero_or_one(folder, tmp_path, loss):
    problem = BinaryMnist(data_dir=folder, loss=loss, **SMALL).load(Setting(), 1)
    assert problem.y.ravel().tolist() == [0.0] * 4 + [1.0] * 4
    assert problem.y_test.tolist() == [[0.0], [1.0]]
    assert problem.y.dtype == np.float32
    assert (problem.loss, problem.metric, problem.n_outputs) == (loss, "accuracy", 1)
    assert np.array_equal(problem.X[4:], rows_of_class(tmp_path, 1)[:4])


def test_fashion_mnist_restores_the_standard_split(tmp_path, monkeypatch):
    write_idx_set(tmp_path, *LABELS)
    installed = replace(datasets.FASHION_MNIST, installed=(tmp_path,))
    monkeypatch.setattr(FashionMnist, "images", installed)
    problem = FashionMnist(train_per_class=3, test_per_class=2).load(Setting(), 1)
    everything, _ = installed.load(None)
    assert {row.tobytes() for row in (problem.X * 255).round().astype(np.uint8)} == {
        image.tobytes() for image in everything[:30]
    }
    assert (FashionMnist().train_per_class, FashionMnist().test_per_class) == (6000, 1000)
    assert (Mnist().train_per_class, Mnist().test_per_class) == (5000, 1000)


def test_too_few_images_of_a_class_to_leave_a_test_image(folder):
    with pytest.raises(DataError) as caught:
        Mnist(data_dir=folder, train_per_class=5).load(Setting(), 1)
    assert str(caught.value) == (
        "--train-per-class must leave a test image of each class, got 5: the files hold 5 of "
        "class 0"
    )


def test_all_images_that_are_left_test_where_there_are_too_few(folder):
    problem = Mnist(data_dir=folder, train_per_class=2, test_per_class=1000).load(Setting(), 1)
    assert np.bincount(problem.y_test.ravel()).tolist() == [3] * 10


def test_binary_cifar10_is_normalised_by_the_training_rows(tmp_path):
    written = write_cifar(tmp_path)
    problem = BinaryCifar10(data_dir=str(tmp_path)).load(Setting(), 1)
    assert problem.X.shape == (20, 3072)
    assert problem.X.dtype == np.float32
    assert problem.y.ravel().tolist() == [0, 1, 1, 0] * 5
    assert problem.y_test.ravel().tolist() == [0, 1, 1, 0]
    train = np.concatenate([written[name][[0, 1, 3, 4]] for name in BATCHES[:5]]).astype(float)
    test = written["test_batch.bin"][[0, 1, 3, 4]].astype(float)
    for colour in range(3):
        own = slice(1024 * colour, 1024 * (colour + 1))
        mean, deviation = train[:, own].mean(), train[:, own].std()
        for got, pixels in ((problem.X, train), (problem.X_test, test)):
            assert np.allclose(got[:, own], (pixels[:, own] - mean) / deviation, atol=1e-5)


def test_a_colour_that_never_changes_is_left_at_zero(tmp_path):
    write_cifar(tmp_path)
    for name in BATCHES:
        records = np.fromfile(tmp_path / name, np.uint8).reshape(-1, 3073)
        records[:, 1:1025] = 7
        records.tofile(tmp_path / name)
    problem = BinaryCifar10(data_dir=str(tmp_path)).load(Setting(), 1)
    assert not problem.X[:, :1024].any()
    assert problem.X[:, 1024:].std() == pytest.approx(1)


def test_digits_are_split_once_for_all(folder):
    first, other = (Digits().load(Setting(seed=seed), 1) for seed in (0, 1))
    assert first.X.shape == (1347, 64)
    assert first.X_test.shape == (450, 64)
    assert first.X.max() == 1
    assert np.array_equal(first.X, other.X)
    share = np.bincount(first.y) / len(first.y) - np.bincount(first.y_test) / len(first.y_test)
    assert np.abs(share).max() < 0.005


@pytest.mark.parametrize("task", [Mnist, FashionMnist, BinaryMnist, InrMnist])
def test_the_fingerprint_is_of_the_content_of_idx_files(task, tmp_path):
    for name, options in {"a": {}, "b": {"zipped": True}, "c": {"seed": 1}}.items():
        write_idx_set(tmp_path / name, *LABELS, **options)
    a, b, c = (task(data_dir=str(tmp_path / name)).fingerprint for name in "abc")
    assert a == b != c
    assert len(a) == 16
    with pytest.raises(DataError, match="lacks"):
        task(data_dir=str(tmp_path)).fingerprint  # noqa: B018


@pytest.mark.parametrize("task", [BinaryCifar10, InrCifar10])
def test_the_fingerprint_is_of_the_content_of_the_batches(task, tmp_path):
    for name in "abc":
        write_cifar(tmp_path / name)
    path = tmp_path / "c" / "test_batch.bin"
    content = bytearray(path.read_bytes())
    content[1] ^= 1
    path.write_bytes(content)
    a, b, c = (task(data_dir=str(tmp_path / name)).fingerprint for name in "abc")
    assert a == b != c


def test_files_are_read_once_per_task_for_their_fingerprint(tmp_path):
    task = Mnist(data_dir=str(tmp_path))
    write_idx_set(tmp_path, *LABELS)
    before = task.fingerprint
    write_idx_set(tmp_path, *LABELS, seed=1)
    assert task.fingerprint == before != replace(task).fingerprint
