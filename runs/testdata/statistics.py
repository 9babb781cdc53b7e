"""Checks numbers on standard input, a JSON object, with scipy.

summaries: [values, low, high], Student's 95% interval of the mean. deviations:
[standard deviation, degrees of freedom, low, high], the chi-square 95% interval.
"""

import json
import math
import sys

from scipy import stats

TOLERANCE = 1e-9  # relative; both sides are double


def near(what: str, got: float, want: float) -> None:
    if not math.isclose(got, want, rel_tol=TOLERANCE, abs_tol=1e-300):
        sys.exit(f"{what}: {got!r}, scipy has {want!r}")


def main() -> None:
    given = json.load(sys.stdin)
    for values, low, high in given["summaries"]:
        mean, error = stats.tmean(values), stats.sem(values)
        want = stats.t.interval(0.95, len(values) - 1, loc=mean, scale=error)
        near(f"low of {values}", low, want[0])
        near(f"high of {values}", high, want[1])
    for sd, freedom, low, high in given["deviations"]:
        near(f"low of {sd}", low, sd * math.sqrt(freedom / stats.chi2.ppf(0.975, freedom)))
        near(f"high of {sd}", high, sd * math.sqrt(freedom / stats.chi2.ppf(0.025, freedom)))
    print({name: len(rows) for name, rows in given.items()})


if __name__ == "__main__":
    main()
