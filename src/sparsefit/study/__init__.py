"""The study of the Sparse Neural Network demo: a small sparse network learns a known function.

Behind ``sparsefit train`` and ``sparsefit evaluate``: configs, training that can be killed, scores.
"""
