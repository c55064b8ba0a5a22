from .classifier import SparseMLPClassifier as SparseMLPClassifier
from .encoder import TableEncoder as TableEncoder
from .regressor import SparseMLPRegressor as SparseMLPRegressor
