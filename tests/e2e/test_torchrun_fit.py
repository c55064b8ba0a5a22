"""`fit` and the estimators, whose rows are those of several processes."""

import json

import numpy as np
import pytest

from sparsefit.core.errors import SparsefitError
from sparsefit.core.team import Team
from sparsefit.estimators import _shared
from tests.torchrun import TORCHRUN, run

# Fits of so few rows that all may be searched, and of so many that a draw is: limits are low here.
SCRIPT = """
import json, os, sys
from dataclasses import replace
import numpy as np
from sparsefit import SparseMLPClassifier, SparseMLPRegressor
from sparsefit.core.team import present_team
from sparsefit.estimators import _base, _merge, _search
_base.MOST_MERGED = _merge.MOST_MERGED = 400
_search.SEARCH = replace(_search.SEARCH, most_rows=200)

rng = np.random.default_rng(0)
X = rng.normal(3, 2, size=(901, 4))
y = np.maximum(X[:, 0] - X[:, 2], 0) + 0.1 * rng.normal(size=901)
models = [SparseMLPRegressor((2,), nnz=4, random_state=0),
          SparseMLPClassifier((2,), nnz=4, random_state=0)]
found = []
with present_team() as team:
    for n in (301, 901):
        part = team.part_of(n)
        for model, target in zip(models, (y, y > 1)):
            if team.size > 1:
                model.fit_part(X[part], target[part], team)
            else:
                model.fit(X[:n], target[:n])
            raw = model.predictor_.outputs(X)
            found.append([raw.ravel().tolist(), model.support_.tolist(), model.status_,
                          len(model.path_), model.feature_importances_.tolist()])
with open(f"{sys.argv[1]}{team.rank}.json", "w") as file:
    json.dump(found, file)
"""


def test_all_processes_end_with_the_model_of_one(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    run(tmp_path, "script.py", "one")
    run(tmp_path, *TORCHRUN, "script.py", "both")
    one, first, second = (
        json.loads((tmp_path / f"{name}.json").read_text()) for name in ("one0", "both0", "both1")
    )
    assert first == second
    assert first[:2] == one[:2]  # few rows: bit for bit
    for ours, theirs in zip(first[2:], one[2:], strict=True):
        assert ours[1:4] == theirs[1:4]
        # The refit of many rows is in single precision.
        np.testing.assert_allclose(ours[0], theirs[0], atol=1e-4)
        np.testing.assert_allclose(ours[4], theirs[4], atol=1e-4)


def test_a_table_is_fitted_as_by_one_process(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 3))
    y = np.maximum(X[:, 0] - X[:, 1], 0) + 0.1 * rng.normal(size=150)
    kinds = rng.choice(["red", "blue"], 150)
    rows = (f"{a:.4f},{b:.4f},{c:.4f},{kind},{value:.4f}" for (a, b, c), kind, value in
            zip(X, kinds, y, strict=True))  # fmt: skip
    (tmp_path / "table.csv").write_text("\n".join(["a,b,c,kind,y", *rows]))
    words = ["-m", "sparsefit", "fit", "table.csv", "--target", "y", "--nnz", "4", "--hidden", "2"]
    alone = run(tmp_path, *words, "--out", "one.safetensors")
    both = run(tmp_path, *TORCHRUN, *words, "--out", "both.safetensors")
    assert both.replace("both.", "one.") == alone
    one, two = (tmp_path / f"{name}.safetensors" for name in ("one", "both"))
    assert one.read_bytes() == two.read_bytes()


def test_who_follows_hears_that_the_search_has_failed():
    class Silent(Team):
        def told(self, content):
            return b""

    with pytest.raises(SparsefitError, match="the process that searches has failed"):
        _shared.follow(None, None, Silent(1, 2))


def test_who_searches_lets_the_others_go_when_it_fails():
    said = []

    class Heard(Team):
        def told(self, content):
            said.append(content)
            return content

    def search():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _shared.lead(search, Heard(0, 2))
    assert said == [b""]
