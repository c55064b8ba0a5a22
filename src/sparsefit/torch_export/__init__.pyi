from .formats import export_torch as export_torch
