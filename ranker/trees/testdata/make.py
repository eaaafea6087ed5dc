"""Makes the fixtures of package trees with the real libraries.

    pip install numpy lightgbm xgboost   # made with lightgbm 4.7.0, xgboost 3.2.0
    python make.py

Writes for each model its file and NAME.predictions.json: rows of features by the names
in the file, and the raw scores (margins) that the library itself gives them.
"""

import json

import lightgbm as lgb
import numpy as np
import xgboost as xgb

NAMES = ["co_visited", "user_similarity", "last_similarity", "popularity", "repeat"]
rng = np.random.default_rng(1)
GROUPS, SIZE = 120, 12
X = rng.normal(size=(GROUPS * SIZE, len(NAMES))).astype(np.float32)
X[rng.random(X.shape) < 0.3] = 0  # features are often absent
X[:, 4] = (X[:, 4] > 0.5).astype(np.float32)
liking = X[:, 0] * X[:, 1] + np.sin(2 * X[:, 2]) - X[:, 4] + 0.3 * X[:, 3]
label = np.zeros(len(X), dtype=int)
for g in range(GROUPS):
    rows = slice(g * SIZE, (g + 1) * SIZE)
    label[rows][np.argmax(liking[rows] + rng.gumbel(size=SIZE))] = 1
probe = np.concatenate([X[:80], np.zeros((1, len(NAMES)), np.float32), rng.normal(scale=3, size=(39, len(NAMES))).astype(np.float32)])


def keep(name, scores):
    with open(name + ".predictions.json", "w") as f:
        json.dump({"features": NAMES, "rows": [[float(v) for v in r] for r in probe], "scores": [float(s) for s in scores]}, f)


def lightgbm(name, **params):
    params = {"num_leaves": 15, "min_data_in_leaf": 5, "learning_rate": 0.1, "verbose": -1, "seed": 1, "deterministic": True, "num_threads": 1, **params}
    group = [SIZE] * GROUPS if "rank" in params["objective"] else None
    data = lgb.Dataset(X, label=label, group=group, feature_name=NAMES, params={"verbose": -1})
    model = lgb.train(params, data, num_boost_round=10)
    model.save_model(name + ".txt")
    keep(name, model.predict(probe, raw_score=True))


def xgboost(name, **params):
    params = {"max_depth": 4, "eta": 0.3, "seed": 1, "nthread": 1, **params}
    data = xgb.DMatrix(X, label=label, feature_names=NAMES)
    if "rank" in params["objective"]:
        data.set_group([SIZE] * GROUPS)
    model = xgb.train(params, data, num_boost_round=10)
    model.save_model(name + ".json")
    keep(name, model.predict(xgb.DMatrix(probe, feature_names=NAMES), output_margin=True))


lightgbm("lightgbm_lambdarank", objective="lambdarank")
lightgbm("lightgbm_binary", objective="binary")
lightgbm("lightgbm_zero_as_missing", objective="binary", zero_as_missing=True)
lightgbm("lightgbm_forest", objective="binary", boosting="rf", bagging_freq=1, bagging_fraction=0.6)
xgboost("xgboost_ndcg", objective="rank:ndcg")
xgboost("xgboost_logistic", objective="binary:logistic")
xgboost("xgboost_dart", objective="binary:logistic", booster="dart", rate_drop=0.2)
