"""Small fits and searches use one thread, whatever the machine has; afterwards the limit is lifted."""

import json
import os
import subprocess
import sys

CODE = """
import json
import numpy as np
import sklearn.ensemble, sklearn.linear_model
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from threadpoolctl import threadpool_info
from common.ensemble import consensus, learned

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
         "LogisticRegression.fit", "search"), 1,
    )  # fmt: skip
    assert found["outside"] == 3
