"""The metrics of @transfusion/evaluation by numpy and scipy, written from the papers: fixtures/metrics.json.

    python3 packages/evaluation/scripts/reference_metrics.py
"""

import json
import math
import pathlib
from collections import Counter

import numpy as np
from scipy import linalg
from scipy.spatial.distance import cdist

FIXTURE = pathlib.Path(__file__).parent.parent / "fixtures" / "metrics.json"
rng = np.random.default_rng(7)


def rows(count, dimensions, shift=0.0):
    # Rounded, so that the file is short and both sides read the same numbers.
    mix = rng.normal(size=(dimensions, dimensions))
    return np.round(rng.normal(size=(count, dimensions)) @ mix + shift, 3)


def frechet(a, b):
    """As pytorch-fid: one square root of the product, which is not symmetric."""
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = linalg.sqrtm(cov_a @ cov_b).real
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a + cov_b - 2 * root))


def frechet_singular(a, b):
    """Tr (A B)^(1/2) is the sum of the singular values of X Y', of the centred rows: no covariance is made."""
    x, y = (a - a.mean(0)) / math.sqrt(len(a) - 1), (b - b.mean(0)) / math.sqrt(len(b) - 1)
    cross = linalg.svdvals(x @ y.T).sum()
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + (x**2).sum() + (y**2).sum() - 2 * cross)


def kernel(a, b):
    k = lambda x, y: (x @ y.T / x.shape[1] + 1) ** 3
    inside = lambda x: (k(x, x).sum() - np.trace(k(x, x))) / (len(x) * (len(x) - 1))
    return float(inside(a) + inside(b) - 2 * k(a, b).mean())


def precision_recall(real, generated, k):
    # Sorted, the first is the row itself.
    radius = lambda x: np.sort(cdist(x, x), axis=1)[:, k]
    distances = cdist(generated, real)
    precision = (distances <= radius(real)[None, :] * (1 + 1e-12)).any(1).mean()
    recall = (distances.T <= radius(generated)[None, :] * (1 + 1e-12)).any(1).mean()
    return {"k": k, "precision": float(precision), "recall": float(recall)}


def retrieval(queries, candidates, own, metric):
    order = cdist(queries, candidates, metric).argsort(axis=1, kind="stable")
    ranks = [int(np.where(order[i] == own[i])[0][0]) + 1 for i in range(len(queries))]
    return {"metric": metric, "ranks": ranks, "medianRank": float(np.median(ranks))}


def cider(candidates, references, variant):
    """Equations 1 to 5 of Vedantam et al. 2015. Texts are words and spaces."""
    grams = lambda text, n: Counter(zip(*[text.split()[i:] for i in range(n)]))
    scores = []
    for candidate, own in zip(candidates, references):
        by_n = []
        for n in (1, 2, 3, 4):
            seen = [set().union(*(grams(text, n) for text in image)) for image in references]
            idf = lambda gram: math.log(len(references) / max(1, sum(gram in image for image in seen)))
            vocabulary = sorted(set(grams(candidate, n)).union(*seen))

            def vector(text):
                counts = grams(text, n)
                # The paper's term frequency; CIDEr-D has counts in coco-caption.
                total = sum(counts.values()) if variant == "cider" and counts else 1
                return np.array([counts[gram] / total * idf(gram) for gram in vocabulary])

            similarities = []
            for reference in own:
                c, s = vector(candidate), vector(reference)
                norms = np.linalg.norm(c) * np.linalg.norm(s)
                if norms == 0:
                    similarities.append(0.0)
                elif variant == "cider":
                    similarities.append(c @ s / norms)
                else:
                    gap = len(candidate.split()) - len(reference.split())
                    similarities.append(math.exp(-(gap**2) / (2 * 6**2)) * (np.minimum(c, s) @ s) / norms)
            by_n.append(sum(similarities) / len(similarities))
        scores.append(float(10 * sum(by_n) / 4))
    return scores


CANDIDATES = [
    "a red cat sits on the mat",
    "the the the dog dog runs",
    "two birds",
    "a man rides a horse on the beach at night",
    "sun",
    "something else entirely",
]
REFERENCES = [
    ["a red cat sits on a mat", "the cat is on the mat", "a cat sitting on a small red mat"],
    ["the dog runs in the park", "a dog is running"],
    ["two birds on a wire", "two birds"],
    ["a man rides a horse on the beach", "a person riding a brown horse by the sea at night", "man on a horse"],
    ["sun", "the sun is in the sky"],
    ["a plate of food on the table"],
]


def main():
    full = rows(40, 6), rows(30, 6, 0.5)
    singular = rows(5, 8), rows(6, 8, 0.5)
    wide = rows(12, 40), rows(9, 40, 0.5)
    near = rows(60, 4)
    sets = near[:30], np.round(near[30:] * 0.7 + 1.5, 3)
    queries, candidates = rows(12, 5), rows(20, 5)
    own = rng.permutation(20)[:12]
    queries = np.round(candidates[own] + 1.5 * queries, 3)
    listed = lambda pair: [x.tolist() for x in pair]
    fixture = {
        "frechet": [
            {"name": "full rank", "sets": listed(full), "distance": frechet(*full), "means": [x.mean(0).tolist() for x in full],
             "covariances": [np.cov(x, rowvar=False).tolist() for x in full]},
            {"name": "full rank, otherwise", "sets": listed(full), "distance": frechet_singular(*full)},
            {"name": "5 and 6 rows of 8", "sets": listed(singular), "distance": frechet_singular(*singular)},
            {"name": "12 and 9 rows of 40", "sets": listed(wide), "distance": frechet_singular(*wide)},
        ],
        "kernel": [{"sets": listed(pair), "distance": kernel(*pair)} for pair in (full, singular)],
        "precisionRecall": {"sets": listed(sets), "scores": [precision_recall(*sets, k) for k in (1, 3, 5)]},
        "retrieval": {
            "queries": queries.tolist(), "candidates": candidates.tolist(), "own": own.tolist(),
            "scores": [retrieval(queries, candidates, own, metric) for metric in ("cosine", "euclidean")],
        },
        "cider": {
            "candidates": CANDIDATES, "references": REFERENCES,
            "scores": {variant: cider(CANDIDATES, REFERENCES, variant) for variant in ("cider", "cider-d")},
        },
    }
    FIXTURE.write_text(json.dumps(fixture, separators=(",", ":")) + "\n")
    print({key: [case["distance"] for case in fixture[key]] for key in ("frechet", "kernel")})
    print(fixture["precisionRecall"]["scores"], fixture["retrieval"]["scores"], fixture["cider"]["scores"])


main()
