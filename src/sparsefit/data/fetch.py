"""Get the files of a data set: from the user's folder, or by a download with a checksum."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sparsefit.core.errors import DataError, OptionError

_TIMEOUT_SECONDS = 20
_CHUNK_BYTES = 2**18


@dataclass(frozen=True)
class Source:
    """Where the files of a data set can be downloaded.

    Attributes
    ----------
    name : str
        As users know it.
    urls : tuple of str
        Folders on the web that all hold the files, tried in turn; each ends with a slash.
    md5 : mapping of str to str
        Checksum of each file, by name.
    wanted : str
        Words for the files that a user can bring instead.
    """

    name: str
    urls: tuple[str, ...]
    md5: Mapping[str, str]
    wanted: str

    @property
    def cache(self) -> Path:
        """Folder of the downloaded files; the variable SPARSEFIT_CACHE replaces the user's own."""
        import pooch

        root = os.environ.get("SPARSEFIT_CACHE") or pooch.os_cache("sparsefit")
        return Path(root) / self.name.lower()

    def download(self) -> list[Path]:
        """Return the files in the cache, in the order of `md5`; download those not there yet.

        Raises
        ------
        DataError
            If a file can neither be found nor downloaded; the message says which files to bring.
        """
        return [self._download_one(name, md5) for name, md5 in self.md5.items()]

    def _download_one(self, name: str, md5: str) -> Path:
        import pooch
        from tqdm import tqdm

        # The bar names the file; pooch's own lines would precede even a failure's one sentence.
        pooch.get_logger().setLevel("WARNING")
        reason = ""
        for url in self.urls:
            # The delay hides the bar until bytes arrive, and with them the true total.
            bar = tqdm(desc=name, total=1, unit="B", unit_scale=True, delay=1e-9, mininterval=0)
            downloader = pooch.HTTPDownloader(
                progressbar=bar, chunk_size=_CHUNK_BYTES, timeout=_TIMEOUT_SECONDS
            )
            try:
                found = pooch.retrieve(
                    url + name, f"md5:{md5}", fname=name, path=self.cache, downloader=downloader
                )
            except (OSError, ValueError) as error:
                # OSError: no network, no such page, a full disk; ValueError: a wrong checksum.
                reason = _reason(error, url)
            else:
                return Path(found)
            finally:
                bar.disable = True  # or an unused bar would show itself at its end
        raise DataError(
            f"{self.name} is not in {self.cache} and could not be downloaded ({reason}); "
            f"give --data-dir FOLDER with {self.wanted}"
        )

    def folder(self, data_dir: str) -> Path:
        """Return the user's folder; raise `OptionError` unless it is one."""
        path = Path(data_dir).expanduser()
        if not path.is_dir():
            raise OptionError("data_dir", data_dir, f"a folder with {self.wanted}")
        return path


def _reason(error: Exception, url: str) -> str:
    """Return why a download failed, in a few words."""
    import requests

    if isinstance(error, (requests.ConnectionError, requests.Timeout)):
        return f"no connection to {urlsplit(url).hostname}"
    return " ".join(str(error).split())[:200]
