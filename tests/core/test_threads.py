"""Small fits and searches use one thread, whatever the machine has; afterwards the limit is lifted."""

import json
import os
import subprocess
import sys

import pytest

from common.core.threads import limit_threads, share_of_cores

CODE = """
import json
import numpy as np
import sklearn.ensemble, sklearn.linear_model
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from threadpoolctl import threadpool_info
from common.ensemble import blend, consensus, cross_validation, learned

seen = {}

def threads():
    return max(pool["num_threads"] for pool in threadpool_info())

def watched(kind, name):
    original = getattr(kind, name)

    def watching(self, *args, **options):
        seen[f"{kind.__name__}.{name}"] = threads()
        return original(self, *args, **options)

    setattr(kind, name, watching)

for kind in (HistGradientBoostingRegressor, RidgeCV):
    watched(kind, "fit"), watched(kind, "predict")
watched(LogisticRegression, "fit")
rng = np.random.default_rng(0)
columns, target = rng.normal(size=(40, 4, 6)), rng.normal(size=(40, 4))
learned.committee(learned.Examples(columns, target, np.ones((40, 4), bool)))(columns)
original = consensus.scores

def scores(*args):
    seen["search"] = threads()
    return original(*args)

consensus.scores = scores
utility, share = np.zeros((2, 3, 5, 2), np.float32), np.ones((2, 5, 2), np.float32)
owner = np.tile([0, 1], (5, 1))
consensus.search(consensus.Agreement(utility, share, np.zeros((5, 2), np.float32), owner), rng.normal(size=(5, 2)), trials=5)
def stop(*args, **options):
    seen[f"outside the search {len(seen)}"] = threads()
    raise ZeroDivisionError

blend.without_copies = stop
known = type("Known", (), {"target": np.zeros((1, 1)), "pool": type("Pool", (), {"members": property(stop)})()})()
for entered, arguments in ((blend.blend, 4), (blend.blend_on_dev, 3), (cross_validation.verdicts, 1)):
    try:
        entered(*[known] * arguments)
    except ZeroDivisionError:
        pass
print(json.dumps({"seen": seen, "outside": threads()}))
"""


def test_small_fits_and_searches_use_one_thread() -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "3", "OPENBLAS_NUM_THREADS": "3"}
    done = subprocess.run(
        [sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    assert found["seen"] == dict.fromkeys(
        ("HistGradientBoostingRegressor.fit", "HistGradientBoostingRegressor.predict", "RidgeCV.fit", "RidgeCV.predict",
         "LogisticRegression.fit", "search", *(f"outside the search {n}" for n in (6, 7, 8))), 1,
    )  # fmt: skip
    assert found["outside"] == 3


def test_the_environment_of_a_process_beside_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("common.core.threads.cores", lambda: 8)
    assert [share_of_cores(jobs) for jobs in (1, 2, 3, 9)] == [8, 4, 2, 1]
    own: dict[str, str] = {}
    limit_threads(own, 4)
    assert own == {"OMP_NUM_THREADS": "4", "RAYON_NUM_THREADS": "4"}
    users = {"OMP_NUM_THREADS": "3,1"}
    limit_threads(users, 4)
    assert users == {"OMP_NUM_THREADS": "3,1", "RAYON_NUM_THREADS": "3"}
