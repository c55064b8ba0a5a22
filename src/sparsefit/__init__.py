"""Neural networks with at most s nonzero weights, fitted exactly."""

from sparsefit._version import __version__

__all__ = ["__version__"]
