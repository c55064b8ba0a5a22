"""Damage: bytes decide what is done to a good file, so that any fuzzer can drive it."""

from __future__ import annotations

from collections.abc import Sequence

# What readers have stumbled over: sizes, paths, depths, numbers, encodings.
TOKENS = (
    b"", b"0", b"-1", b"1e999", b"nan", b"-Infinity", b"1152921504606846976", b"9" * 400,
    b"\xff\xff\xff\xff", b"\x00" * 8, b"\xff" * 8, b"\xef\xbb\xbf", b"\xff\xfe", b"\xed\xa0\x80",
    b"../../../../tmp/outside", b"/etc/passwd", b"~", b"file:///etc/passwd", b"https://a.b/c",
    b"[" * 3000, b"{" * 500, b"(" * 50, b'"', b"'", b"\\", b"\n", b"\r", b"\t", b",", b";", b"|",
    b"null", b"true", b"[]", b"{}", b'{"a":1}', b"!!python/object:os.system", b"&a [*a, *a]",
    b"<script>", b"${HOME}", b"%s%n", b"; DROP TABLE t", b"' OR 1=1 --", b"read_csv('/etc/passwd')",
    "\N{ZERO WIDTH SPACE}".encode(), "\N{RIGHT-TO-LEFT OVERRIDE}".encode(), "é" .encode("latin-1"),
)  # fmt: skip


class Choices:
    """Choices that bytes stand for; when they are used up, the first of everything.

    Parameters
    ----------
    data : bytes
    """

    def __init__(self, data: bytes):
        self._data, self._at = data, 0

    def number(self, count: int) -> int:
        """Return a number from 0 on, below `count`."""
        width = 1 if count <= 256 else 3
        piece = self._data[self._at : self._at + width]
        self._at += width
        return int.from_bytes(piece, "big") % max(count, 1)

    def one_of(self, things: Sequence[bytes]) -> bytes:
        """Return one of some things."""
        return things[self.number(len(things))]

    @property
    def is_used_up(self) -> bool:
        """Whether all bytes have been used."""
        return self._at >= len(self._data)


def damaged(good: bytes, choices: Choices) -> bytes:
    """Return a file with pieces changed, cut out, doubled and replaced by what is awkward."""
    content = bytearray(good)
    while not choices.is_used_up:
        kind, start = choices.number(6), choices.number(len(content) + 1)
        stop = min(start + 1 + choices.number(32), len(content))
        if kind == 0:
            content[start:stop] = choices.one_of(TOKENS)
        elif kind == 1:
            content[start:start] = choices.one_of(TOKENS)
        elif kind == 2:
            del content[start:stop]
        elif kind == 3:
            content[start:start] = content[start:stop] * (1 + choices.number(8))
        elif kind == 4 and start < len(content):
            content[start] = choices.number(256)
        elif choices.number(4) == 0:
            del content[start:]
    return bytes(content)
