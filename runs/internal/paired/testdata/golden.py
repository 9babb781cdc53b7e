"""Writes the golden p-values beside this file, by implementations of others.

    pip install numpy==2.4.6 scipy==1.17.1 statsmodels==0.15.0
    python golden.py

mcnemar.json: statsmodels' exact McNemar test, which scipy's binomial test must
equal. holm.json: statsmodels' Holm correction. Each file names its versions.
"""

import json
import pathlib
import platform
import warnings

import numpy
import scipy
import scipy.stats
import statsmodels
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

VERSIONS = {
    "python": platform.python_version(),
    "numpy": numpy.__version__,
    "scipy": scipy.__version__,
    "statsmodels": statsmodels.__version__,
}

# b and c, the queries that only one side hits.
PAIRS = {
    "nothing differs": [(0, 0)],
    "one query differs": [(0, 1), (1, 0)],
    "equal counts": [(1, 1), (7, 7), (50_000, 50_000)],
    "one apart: the tails touch": [(1, 2), (10, 11), (499, 500)],
    "one side only, around p = 0.05": [(0, 4), (0, 5), (0, 6), (6, 0)],
    "one side only, down to the smallest double": [(0, 50), (0, 500), (0, 1000), (0, 1060)],
    "ordinary": [(5, 10), (10, 25), (105, 201), (201, 105), (1150, 1151), (300, 370)],
    "huge counts": [(30_000, 30_502), (29_000, 31_502), (1_000_000, 1_000_001), (1_000_000, 1_003_000), (999_000, 1_003_000)],
    "huge, lopsided": [(3, 60_000), (1_000, 3_000)],
}

# Families of p-values.
FAMILIES = {
    "none": [],
    "one": [0.03],
    "one that is 1": [1.0],
    "all 1": [1.0, 1.0, 1.0],
    "zeros": [0.0, 0.0, 0.5],
    "ties": [0.01, 0.01, 0.01, 0.04],
    "ties at the largest": [0.2, 0.03, 0.2, 0.2],
    "all tied": [0.02] * 5,
    "ordinary, out of order": [0.04, 0.001, 0.9, 0.012, 0.3],
    "monotone: a later one is raised to an earlier one": [0.01, 0.0145, 0.02, 0.0201],
    "cut at 1": [0.4, 0.45, 0.6],
    "smallest of 10,000 resamples, 300 rows": [1 / 10_001] * 3 + [(i + 1) / 300 for i in range(297)],
    "tiny": [5e-324, 1e-300, 1e-12],
}


def p_of(b: int, c: int) -> float:
    p = float(mcnemar([[0, b], [c, 0]], exact=True).pvalue)
    if b + c > 0:
        other = float(scipy.stats.binomtest(min(b, c), b + c, 0.5).pvalue)
        assert abs(p - other) <= 1e-9 * other, (b, c, p, other)
    return p


def write(name: str, content: dict) -> None:
    path = pathlib.Path(__file__).with_name(name)
    path.write_text(json.dumps({"made_by": "golden.py", "versions": VERSIONS, **content}, indent=1) + "\n")


def main() -> None:
    warnings.simplefilter("error")
    rows = [{"case": case, "b": b, "c": c, "p": p_of(b, c)} for case, pairs in PAIRS.items() for b, c in pairs]
    write("mcnemar.json", {"outputs": {"rows": rows}})
    families = []
    for case, p in FAMILIES.items():
        corrected = multipletests(p, alpha=0.05, method="holm")[1].tolist() if p else []
        families.append({"case": case, "p": p, "corrected": corrected})
    write("holm.json", {"outputs": {"families": families}})


if __name__ == "__main__":
    main()
