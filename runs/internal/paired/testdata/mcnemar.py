"""Checks McNemar's p-values on standard input, a JSON list of [b, c, p], with scipy."""

import json
import math
import sys

from scipy import stats

TOLERANCE = 1e-9  # relative; both sides are double


def main() -> None:
    rows = json.load(sys.stdin)
    for b, c, p in rows:
        want = float(stats.binomtest(min(b, c), b + c, 0.5).pvalue)
        if not math.isclose(p, want, rel_tol=TOLERANCE, abs_tol=1e-300):
            sys.exit(f"McNemar({b}, {c}): {p!r}, scipy has {want!r}")
    print(len(rows), "p-values")


if __name__ == "__main__":
    main()
