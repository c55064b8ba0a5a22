"""Files come from the user's folder, an installed package, the cache or a checked download."""

import hashlib
import http.server
import threading
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from sparsefit.core.errors import DataError, OptionError
from sparsefit.data.datasets import CIFAR10, FASHION_MNIST, MNIST
from tests.image_files import write_idx_set

LABELS = np.array([3, 1, 4], np.uint8), np.array([1, 5], np.uint8)


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """Serve a small MNIST on this machine; return the set, its images and the served folder."""
    folder = tmp_path / "served"
    images = write_idx_set(folder, *LABELS, zipped=True)
    monkeypatch.setenv("SPARSEFIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "*")
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Handler, directory=str(folder))
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    md5 = {name: hashlib.md5((folder / name).read_bytes()).hexdigest() for name in MNIST.source.md5}
    url = f"http://127.0.0.1:{server.server_port}/"
    yield replace(MNIST, source=replace(MNIST.source, urls=(url,), md5=md5)), images, folder
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_download_is_kept(shop, tmp_path, capfd):
    dataset, images, folder = shop
    found, labels = dataset.load(None)
    assert np.array_equal(found, images)
    assert labels.tolist() == [3, 1, 4, 1, 5]
    streams = capfd.readouterr()
    assert streams.out == ""
    assert "100%" in streams.err
    for path in folder.iterdir():
        path.unlink()
    again, _ = dataset.load(None)
    assert capfd.readouterr().err == ""
    assert np.array_equal(again, images)
    assert {path.name for path in (tmp_path / "cache" / "mnist").iterdir()} == set(MNIST.source.md5)


def test_a_mirror_steps_in(shop):
    dataset, images, _ = shop
    [url] = dataset.source.urls
    source = replace(dataset.source, urls=(url + "moved/", url))
    assert np.array_equal(replace(dataset, source=source).load(None)[0], images)


def test_a_wrong_checksum_is_refused(shop, tmp_path):
    dataset, _, folder = shop
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(b"something else")
    with pytest.raises(DataError, match="could not be downloaded") as caught:
        dataset.load(None)
    assert "hash" in str(caught.value)
    assert not (tmp_path / "cache" / "mnist" / "train-labels-idx1-ubyte.gz").exists()


def test_without_network_the_files_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARSEFIT_CACHE", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "*")
    source = replace(MNIST.source, urls=("http://127.0.0.1:9/",))
    with pytest.raises(DataError) as caught:
        replace(MNIST, source=source).load(None)
    message = str(caught.value)
    assert message.startswith(f"MNIST is not in {tmp_path / 'mnist'} and could not be downloaded (")
    assert message.endswith(
        "give --data-dir FOLDER with train-images-idx3-ubyte(.gz), train-labels-idx1-ubyte(.gz), "
        "t10k-images-idx3-ubyte(.gz) and t10k-labels-idx1-ubyte(.gz)"
    )
    assert "\n" not in message


@pytest.mark.parametrize("zipped", [False, True])
def test_the_folder_of_the_user_wins(tmp_path, zipped):
    installed, own = tmp_path / "installed", tmp_path / "own"
    write_idx_set(installed, *LABELS)
    images = write_idx_set(own, *LABELS, zipped=zipped, seed=1)
    dataset = replace(MNIST, installed=(installed,))
    assert np.array_equal(dataset.load(str(own))[0], images)


def test_an_installed_copy_needs_no_download(tmp_path):
    images = write_idx_set(tmp_path, *LABELS, zipped=True)
    dataset = replace(FASHION_MNIST, installed=(tmp_path / "no", tmp_path))
    assert np.array_equal(dataset.load(None)[0], images)


def test_missing_files_are_listed(tmp_path):
    write_idx_set(tmp_path, *LABELS)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match="lacks t10k-labels-idx1-ubyte; it must hold train-images"):
        MNIST.load(str(tmp_path))
    with pytest.raises(OptionError, match="data_dir must be a folder with train-images"):
        MNIST.load(str(tmp_path / "t10k-images-idx3-ubyte"))


def test_images_of_one_size(tmp_path):
    write_idx_set(tmp_path, *LABELS)
    path = tmp_path / "t10k-images-idx3-ubyte"
    content = bytearray(path.read_bytes())
    content[11], content[15] = 14, 56
    path.write_bytes(content)
    with pytest.raises(DataError, match="differ in size"):
        MNIST.load(str(tmp_path))


@pytest.mark.parametrize("source", [MNIST.source, FASHION_MNIST.source, CIFAR10], ids=str)
def test_every_file_has_a_checksum_and_a_place(source):
    assert all(len(md5) == 32 and int(md5, 16) for md5 in source.md5.values())
    assert all(url.startswith("http") and url.endswith("/") for url in source.urls)
