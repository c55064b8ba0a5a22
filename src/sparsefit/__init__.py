"""Neural networks with at most s nonzero weights, fitted exactly."""

import lazy_loader

from sparsefit._version import __version__

__getattr__, _, __all__ = lazy_loader.attach(
    __name__,
    submodules=["nn"],
    submod_attrs={
        "estimators.classifier": ["SparseMLPClassifier"],
        "estimators.regressor": ["SparseMLPRegressor"],
        "experiments.store": ["load_rows"],
        "nn.pruner": ["Pruner"],
        "nn.masking": ["finalize", "prune", "sparsify"],
        "nn.overview": ["summary"],
    },
)
__all__ += ["__version__"]
