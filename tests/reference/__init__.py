"""Slow, obvious versions that the fast ones are compared with."""
