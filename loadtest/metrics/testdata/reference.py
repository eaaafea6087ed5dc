"""Makes reference.json: figures of published libraries for fixed scores and lists.

    python3 -m venv venv && venv/bin/pip install pytrec_eval-terrier ranx scipy numpy
    venv/bin/python reference.py > reference.json

Accuracy is of trec_eval, through pytrec_eval (Van Gysel and de Rijke, 2018), and of ranx (Bassani, 2022); the script stops
where the two differ. trec_eval puts equal scores in descending order of the documents' names: the right answers are named
so that they come last, which is the order that this repository takes. ranx has no stated order, and is given one without ties.
What lies beyond accuracy is of SciPy: pdist for distances within lists, for the Gini index (half the relative mean
difference) and for the disparity of shares; entropy for calibration; bootstrap for intervals.
"""
import json
import sys

import numpy as np
import pytrec_eval
import ranx
import scipy
from scipy.spatial.distance import pdist
from scipy.stats import bootstrap, entropy

DEPTHS = (1, 5, 10, 20)
random = np.random.default_rng(7)


def users():
    """Scores of all items, many of them equal, and one to eight right answers."""
    for u in range(60):
        items = int(random.integers(12, 80))
        levels = (items * 3, 12, 4, 1)[u % 4]  # from hardly a tie to nothing but ties
        scores = random.integers(0, levels, items) / 8.0  # exact in float32, as trec_eval keeps them
        answers = random.choice(items, size=int(random.integers(1, 9)), replace=False)
        yield scores, np.sort(answers)


def accuracy(scores, answers):
    right = set(answers.tolist())
    name = lambda i: ("a" if i in right else "z") + f"{i:04d}"
    qrel = {"q": {name(i): 1 for i in right}}
    run = {"q": {name(i): float(s) for i, s in enumerate(scores)}}
    cuts = ",".join(map(str, DEPTHS))
    found = pytrec_eval.RelevanceEvaluator(
        qrel, {f"success.{cuts}", f"recall.{cuts}", f"P.{cuts}", f"ndcg_cut.{cuts}", f"map_cut.{cuts}", "recip_rank"}).evaluate(run)["q"]
    out = {"mrr": found["recip_rank"]}
    for k in DEPTHS:
        out |= {f"hr_{k}": found[f"success_{k}"], f"recall_{k}": found[f"recall_{k}"], f"precision_{k}": found[f"P_{k}"],
                f"ndcg_{k}": found[f"ndcg_cut_{k}"], f"map_{k}": found[f"map_cut_{k}"]}
    worst = sorted(range(len(scores)), key=lambda i: (-scores[i], i in right))
    strict = {"q": {name(i): float(len(scores) - at) for at, i in enumerate(worst)}}
    names = {"mrr": "mrr"} | {f"{ours}_{k}": f"{theirs}@{k}" for k in DEPTHS for ours, theirs in
                              (("hr", "hit_rate"), ("recall", "recall"), ("precision", "precision"), ("ndcg", "ndcg"), ("map", "map"))}
    other = ranx.evaluate(ranx.Qrels(qrel), ranx.Run(strict), list(names.values()))
    for ours, theirs in names.items():
        if abs(out[ours] - other[theirs]) > 1e-9:
            sys.exit(f"pytrec_eval and ranx differ in {ours}: {out[ours]} and {other[theirs]}")
    return out


def lists():
    """Lists of ten of 40 items with labels, vectors and popularity."""
    items, n = 40, 10
    labels = [sorted(random.choice(8, size=int(random.integers(1, 5)), replace=False).tolist()) for _ in range(items)]
    vectors = random.normal(size=(items, 6))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    met = random.integers(0, 30, items)
    shown = [random.choice(items, size=n, replace=False, p=(met + 1) / (met + 1).sum()).tolist() for _ in range(25)]
    history = [random.choice(items, size=int(random.integers(1, 12)), replace=False).tolist() for _ in shown]
    group = random.integers(1, 6, items)
    has = np.zeros((items, 8), bool)
    for i, of in enumerate(labels):
        has[i, of] = True
    share = has / has.sum(axis=1, keepdims=True)
    places = np.bincount(np.concatenate(shown), minlength=items)

    def calibration(h, l):
        p, q = share[h].mean(axis=0), share[l].mean(axis=0)
        return entropy(p, 0.99 * q + 0.01 * p)

    def gini(x):
        differences = 2 * pdist(x[:, None].astype(float), "cityblock").sum() / len(x) ** 2
        return differences / (2 * x.mean())

    exposure, catalog = (np.array([w[group == g].sum() for g in range(1, 6)], float) for w in (places, np.ones(items)))
    exposure, catalog = exposure / exposure.sum(), catalog / catalog.sum()
    return {
        "labels": labels, "vectors": vectors.tolist(), "met": met.tolist(), "users": 50, "shown": shown, "history": history,
        "group": group.tolist(),
        "label_distance": [float(pdist(has[l], "jaccard").mean()) for l in shown],
        "vector_distance": [float(pdist(vectors[l], "cosine").mean()) for l in shown],
        "novelty": [float(-np.log2(np.maximum(met[l], 1) / 50).mean()) for l in shown],
        "calibration": [float(calibration(h, l)) for h, l in zip(history, shown)],
        "gini": float(gini(places)), "popularity": float(np.mean([met[l].mean() for l in shown])),
        "coverage": float((places > 0).mean()), "disparity": float(pdist([exposure, catalog], "cityblock")[0] / 2),
    }


def interval():
    """One question a user: the difference of two rankings' reciprocal ranks."""
    first, second = 1 / random.integers(1, 30, 300), 1 / random.integers(1, 24, 300)
    found = bootstrap((second - first,), np.mean, n_resamples=200_000, batch=2000, method="percentile", rng=1)
    return {"first": first.tolist(), "second": second.tolist(), "mean": float((second - first).mean()),
            "low": float(found.confidence_interval.low), "high": float(found.confidence_interval.high)}


def main():
    print(json.dumps({
        "made_by": f"pytrec_eval-terrier {version('pytrec_eval-terrier')}, ranx {version('ranx')}, scipy {scipy.__version__}",
        "users": [{"scores": s.tolist(), "answers": a.tolist(), "want": accuracy(s, a)} for s, a in users()],
        "lists": lists(), "interval": interval(),
    }, separators=(",", ":")))


def version(package):
    import importlib.metadata
    return importlib.metadata.version(package)


main()
