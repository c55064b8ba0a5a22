"""Damaged and hostile files and words, at everything that reads them."""
