from .classifier import SparseMLPClassifier as SparseMLPClassifier
from .regressor import SparseMLPRegressor as SparseMLPRegressor
