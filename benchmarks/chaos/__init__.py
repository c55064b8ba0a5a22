"""Kills and faults of machines, and whether anything is lost, doubled or left behind."""
