"""IDX files are read as they were written, and damaged ones are named."""

import gzip

import numpy as np
import pytest

from sparsefit.core.errors import DataError
from sparsefit.data.idx import read_idx, read_labelled
from tests.image_files import idx_bytes

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
@pytest.mark.parametrize("name", ["images", "images.gz"])
def test_round_trip_whatever_the_name(tmp_path, pack, name):
    path = tmp_path / name
    path.write_bytes(pack(idx_bytes(IMAGES)))
    assert np.array_equal(read_idx(path, 3), IMAGES)


GOOD = idx_bytes(IMAGES)
DAMAGED = {
    "wrong magic": (b"\x01" + GOOD[1:], "is not an IDX file of images: it starts with 01000803"),
    "other type": (GOOD[:2] + b"\x0d" + GOOD[3:], "it starts with 00000d03, not 00000803"),
    "labels": (idx_bytes([1, 2]), "it starts with 00000801"),
    "empty": (b"", "it starts with nothing"),
    "within header": (GOOD[:9], "ends within its header"),
    "truncated": (GOOD[:-5], "says 24 bytes of content, it holds only 19"),
    "too long": (GOOD + b"\0", "says 24 bytes of content, it is longer"),
    "no images": (idx_bytes(np.zeros((0, 28, 28))), r"says a shape of \(0, 28, 28\)"),
    "huge": (GOOD[:4] + b"\xff" * 12, "says a shape of"),
}
ZIPPED = {
    f"{case}, gzipped": (gzip.compress(content), message)
    for case, (content, message) in DAMAGED.items()
}
DAMAGED_GZIP = {
    "cut gzip": (gzip.compress(GOOD)[:-12], "cannot be read"),
    "broken gzip": (gzip.compress(GOOD)[:10] + b"\xff" * 30, "cannot be read"),
    "bad checksum": (gzip.compress(GOOD)[:-8] + bytes(8), "cannot be read: CRC"),
}


@pytest.mark.parametrize(
    ("content", "message"),
    [pytest.param(*given, id=case) for case, given in (DAMAGED | ZIPPED | DAMAGED_GZIP).items()],
)
def test_a_damaged_file_is_named(tmp_path, content, message):
    path = tmp_path / "some-file"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_idx(path, 3)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="nowhere cannot be read"):
        read_idx(tmp_path / "nowhere", 1)


def write_pair(folder, images, labels):
    paths = folder / "images", folder / "labels"
    for path, array in zip(paths, (images, labels), strict=True):
        path.write_bytes(idx_bytes(array))
    return paths


def test_images_and_labels_belong_together(tmp_path):
    images, labels = read_labelled(*write_pair(tmp_path, IMAGES, [7, 9]))
    assert np.array_equal(images, IMAGES)
    assert labels.tolist() == [7, 9]
    with pytest.raises(DataError, match=r"holds 2 images, but .* holds 3 labels"):
        read_labelled(*write_pair(tmp_path, IMAGES, [1, 2, 3]))
    with pytest.raises(DataError, match="labels holds the label 10; labels must be 0 to 9"):
        read_labelled(*write_pair(tmp_path, IMAGES, [1, 10]))
