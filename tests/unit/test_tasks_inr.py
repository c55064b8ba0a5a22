"""Images as functions of their coordinates, against a version pixel by pixel."""

import numpy as np
import pytest
from PIL import Image

from sparsefit.core.errors import DataError, OptionError
from sparsefit.core.setting import Setting
from sparsefit.tasks.inr_cifar10 import InrCifar10
from sparsefit.tasks.inr_image import InrImage
from sparsefit.tasks.inr_mnist import InrMnist
from tests.image_files import write_cifar, write_idx_set

SETTING = Setting(seed=2)


def features(place, frequencies):
    angles = [2 * np.pi * np.dot(place, row) for row in frequencies]
    return np.array([np.sin(a) for a in angles] + [np.cos(a) for a in angles])


def test_inr_mnist_pixel_by_pixel(tmp_path):
    images = write_idx_set(tmp_path, np.repeat(range(10), 3), np.arange(10))
    options = {"train_per_class": 2, "test_per_class": 2, "data_dir": str(tmp_path)}
    problem = InrMnist(image=7, n_embedding=20, **options).load(SETTING, 1)
    # The test images are ordered by class: 6 and 7 are the last ones of class 3.
    image = images[30 + 3]
    frequencies = np.random.RandomState(2).normal(size=(10, 2)) * 2
    assert problem.X.shape == (784, 20)
    assert problem.X.dtype == problem.y.dtype == np.float32
    for pixel in range(784):
        row, column = divmod(pixel, 28)
        assert np.allclose(problem.X[pixel], features([row, column], frequencies), atol=1e-6)
        assert problem.y[pixel, 0] == np.float32(image[row, column]) / np.float32(255)
    assert (problem.image_shape, problem.peak, problem.metric) == ((28, 28), 1.0, "psnr")
    assert problem.X_test is None
    default = InrMnist(**options).load(SETTING, 1)
    assert default.X.shape == (784, 1500)
    # The first test image of digit 1: the two of digit 0 come before it.
    assert np.array_equal(default.y, InrMnist(image=2, **options).load(SETTING, 1).y)
    with pytest.raises(OptionError, match="image must be below 20, the number of test images"):
        InrMnist(image=20, **options).load(SETTING, 1)


def test_inr_cifar10_pixel_by_pixel(tmp_path):
    written = write_cifar(tmp_path)
    problem = InrCifar10(image=2, n_embedding=8, data_dir=str(tmp_path)).load(SETTING, 1)
    # Only airplanes and automobiles count: records 0, 1, 3, 4.
    image = written["test_batch.bin"][3].reshape(3, 32, 32)
    random = np.random.RandomState(2)
    frequencies = np.zeros((4, 3), np.float32)
    frequencies[:, :2] = random.normal(size=(4, 2)) * 5
    frequencies[:, 2] = random.normal(size=4) * 0.05
    assert problem.X.shape == (3072, 8)
    for pixel in range(0, 3072, 7):
        colour, row, column = pixel // 1024, pixel % 1024 // 32, pixel % 32
        expected = features([row, column, colour], frequencies)
        assert np.allclose(problem.X[pixel], expected, atol=1e-6)
        assert problem.y[pixel, 0] == np.float32(image[colour, row, column]) / np.float32(255)
    assert (problem.image_shape, problem.peak) == ((3, 32, 32), 1.0)
    with pytest.raises(OptionError, match="image must be below 4, the number of test images"):
        InrCifar10(data_dir=str(tmp_path)).load(SETTING, 1)


@pytest.mark.parametrize("n_embedding", [0, 3])
def test_features_come_in_pairs(n_embedding):
    with pytest.raises(OptionError, match="n_embedding must be an integer that is even and >= 2"):
        InrMnist(n_embedding=n_embedding)


def load(path, **options):
    return InrImage(file=str(path), **options).load(SETTING, 1)


def test_coordinates_run_from_zero_to_one(tmp_path):
    Image.new("RGB", (5, 3)).save(tmp_path / "black.png")
    problem = load(tmp_path / "black.png", n_embedding=4, sigma=2.0, color_sigma=0.3)
    random = np.random.RandomState(2)
    frequencies = np.hstack([random.normal(size=(2, 2)) * 2, random.normal(size=(2, 1)) * 0.3])
    assert problem.image_shape == (3, 3, 5)
    for pixel in range(45):
        place = [pixel % 15 // 5 / 2, pixel % 5 / 4, pixel // 15 / 2]
        assert np.allclose(problem.X[pixel], features(place, frequencies), atol=1e-6)
    assert not problem.y.any()


def test_options_of_the_photo():
    colour = InrImage(size=20).load(SETTING, 1)
    grey = InrImage(size=20, grayscale=True, n_embedding=10).load(SETTING, 1)
    assert colour.image_shape == (3, 13, 20)
    assert grey.image_shape == (13, 20)
    assert grey.X.shape == (260, 10)
    assert 0 <= colour.y.min() < colour.y.max() <= 1
    red, green, blue = colour.y.reshape(3, -1)
    assert np.allclose(0.299 * red + 0.587 * green + 0.114 * blue, grey.y.ravel(), atol=0.01)


def test_the_longer_side_is_shrunk_and_never_stretched(tmp_path):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (8, 4), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "tall.png")
    shrunk = load(tmp_path / "tall.png", size=4, grayscale=True)
    assert shrunk.image_shape == (4, 2)
    means = pixels.reshape(4, 2, 2, 2).mean(axis=(1, 3)) / 255
    assert np.allclose(shrunk.y.reshape(4, 2), means, atol=1e-6)
    assert load(tmp_path / "tall.png", size=100, grayscale=True).image_shape == (8, 4)
    assert load(tmp_path / "tall.png", size=1, grayscale=True).image_shape == (1, 1)


def kinds():
    """Yield images of many kinds and the colour that they show, red, green and blue."""
    yield "palette", Image.new("RGB", (2, 2), (255, 0, 51)).quantize(2), (1, 0, 0.2)
    yield "transparent", Image.new("RGBA", (2, 2), (255, 0, 0, 0)), (1, 1, 1)
    yield "half", Image.new("RGBA", (2, 2), (255, 0, 0, 51)), (1, 0.8, 0.8)
    yield "grey", Image.new("L", (2, 2), 51), (0.2, 0.2, 0.2)
    yield "grey-alpha", Image.new("LA", (2, 2), (0, 0)), (1, 1, 1)
    yield "bits", Image.new("1", (2, 2), 1), (1, 1, 1)
    yield "deep", Image.fromarray(np.full((2, 2), 13107, np.uint16)), (0.2, 0.2, 0.2)


@pytest.mark.parametrize(("name", "image", "shown"), [pytest.param(*k, id=k[0]) for k in kinds()])
def test_every_kind_of_pixel(tmp_path, name, image, shown):
    path = tmp_path / f"{name}.png"
    image.save(path)
    assert np.allclose(load(path).y.reshape(3, 4), np.array(shown)[:, None], atol=0.01)
    grey = np.dot(shown, [0.299, 0.587, 0.114])
    assert np.allclose(load(path, grayscale=True).y, grey, atol=0.01)


def test_a_camera_held_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (6, 2)).save(tmp_path / "turned.jpg", exif=exif)
    assert load(tmp_path / "turned.jpg").image_shape == (3, 6, 2)


def bad_files(folder):
    photo = folder / "noise.png"
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (40, 40), dtype=np.uint8)).save(photo)
    (folder / "cut.png").write_bytes(photo.read_bytes()[:900])
    (folder / "text.png").write_text("no image")
    Image.new("F", (2, 2)).save(folder / "float.tiff")
    Image.new("1", (10_000, 10_000)).save(folder / "giant.png")


def test_a_file_that_is_no_image_is_named(tmp_path):
    bad_files(tmp_path)
    words = {
        "cut.png": "cannot be read as an image: .*truncated",
        "text.png": "is not an image of a known kind",
        "float.tiff": "cannot be read as an image: its pixels are floating-point numbers",
        "giant.png": "cannot be read as an image: Image size",
        "absent.png": "cannot be read as an image: .*No such file",
        ".": "cannot be read as an image: .*directory",
    }
    for name, message in words.items():
        with pytest.raises(DataError, match=message) as caught:
            load(tmp_path / name)
        assert str(caught.value).startswith(str(tmp_path / name))
        assert "\n" not in str(caught.value)
