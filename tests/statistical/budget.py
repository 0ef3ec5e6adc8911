"""One false-alarm budget for all statistical tests together, split evenly over at most `CHECKS` of them.

Every statistical assertion of the suite goes through a function of this module, so each has the same, stated alpha.
Seeds are constant: a test that passes once passes always, until the code changes.
"""

import numpy as np
from scipy import stats

OVERALL = 1e-3  # chance that a correct library fails any statistical test when its constants are redrawn
CHECKS = 1000  # an upper bound on the number of assertions below over the whole suite
ALPHA = OVERALL / CHECKS


def assert_chi_square(counts, probabilities):
    """Counts are a sample of the law; cells expected below 5 are pooled, impossible cells must be empty."""
    counts, law = np.asarray(counts, float), np.asarray(probabilities, float)
    assert counts.shape == law.shape
    assert abs(law.sum() - 1) < 1e-9
    assert (counts[law == 0] == 0).all(), "something impossible happened"
    expected = law * counts.sum()
    small = (expected < 5) & (law > 0)
    cells = [(counts[~small & (law > 0)], expected[~small & (law > 0)])]
    if small.any():
        cells.append((counts[small].sum(keepdims=True), expected[small].sum(keepdims=True)))
    observed, wanted = (np.concatenate(part) for part in zip(*cells, strict=True))
    if len(observed) < 2:
        return
    statistic = ((observed - wanted) ** 2 / wanted).sum()
    p = stats.chi2.sf(statistic, len(observed) - 1)
    assert p > ALPHA, f"chi-square p = {p:.3g} of {len(observed)} cells"


def assert_binomial(successes, trials, probability):
    """Successes are Binomial(trials, probability)."""
    p = stats.binomtest(int(successes), int(trials), float(probability)).pvalue
    assert p > ALPHA, f"{successes} of {trials} at {probability}: p = {p:.3g}"


def assert_mean(sample, mean, deviation):
    """The sample mean of independent values with this known mean and standard deviation (central limit, n large)."""
    sample = np.asarray(sample, float)
    z = (sample.mean() - mean) / (deviation / np.sqrt(len(sample)))
    p = 2 * stats.norm.sf(abs(z))
    assert p > ALPHA, f"mean {sample.mean()} of {len(sample)} against {mean}: p = {p:.3g}"


def assert_same_mean(sample, mean, count):
    """The sample is of the law whose published `mean` is of `count` draws (Student's t, equal variances)."""
    sample = np.asarray(sample, float)
    error = sample.std(ddof=1) * np.sqrt(1 / len(sample) + 1 / count)
    p = 2 * stats.t.sf(abs(sample.mean() - mean) / error, len(sample) - 1)
    assert p > ALPHA, f"mean {sample.mean()} of {len(sample)} against {mean} of {count}: p = {p:.3g}"
