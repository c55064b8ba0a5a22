"""Prune a trained network once, looking at data: `prune_with_data`.

`layers.py` collects what layers are given, `rows.py` drops weights of a linear map and refits the
others, `sharing.py` shares the budget by what each layer's loss costs the whole network.
"""
