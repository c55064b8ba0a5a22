from .parts import Part as Part
from .parts import run_demo as run_demo
