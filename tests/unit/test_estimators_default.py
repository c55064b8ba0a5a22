"""The estimators as they are without arguments pass scikit-learn's checks, which takes minutes."""

import warnings

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from sparsefit.estimators import SparseMLPClassifier, SparseMLPRegressor


@pytest.mark.slow
@parametrize_with_checks([SparseMLPRegressor(), SparseMLPClassifier()])
def test_all_checks_of_scikit_learn_pass_by_default(estimator, check):
    with warnings.catch_warnings():
        # Checks warn about what they leave out, and give columns where rows are meant.
        warnings.simplefilter("ignore")
        check(estimator)
