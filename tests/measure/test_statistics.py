"""The incomplete gamma function against scipy's, over the whole range the measurements can reach."""

import math

import numpy as np
import pytest
from scipy import special, stats

from lbalgo.errors import ConfigError
from lbalgo.measure.statistics import chi2_sf, gamma_q

SHAPES = (0.01, 0.5, 1.0, 4.5, 19.9, 20.0, 49.5, 499.5, 4999.5, 1e5, 1e6)


@pytest.mark.parametrize("a", SHAPES)
def test_gamma_q_is_scipys(a):
    centre = [max(0.0, a + z * math.sqrt(a)) for z in (-8, -3, -1, -0.1, 0, 0.1, 1, 3, 8, 30)]
    for x in [*centre, 0.0, a / 100, a / 2, a * 2, a + 1, math.nextafter(a + 1, 0)]:
        expected = float(special.gammaincc(a, x))
        # the front factor's exponent is of the size of -log Q, and its rounding is what is left
        slack = 1e-12 * max(1.0, -math.log(max(expected, 1e-300)), a**0.5 / 10)
        assert gamma_q(a, x) == pytest.approx(expected, rel=slack, abs=1e-290)


def test_chi_square_tail_is_scipys():
    for freedom in (1, 2, 9, 99, 999):
        for statistic in np.linspace(0.0, 5.0 * freedom, 41):
            expected = stats.chi2.sf(statistic, freedom)
            assert chi2_sf(float(statistic), freedom) == pytest.approx(expected, rel=1e-10)


def test_spec_thresholds():
    """Tails of 1e-9 at 9, 99 and 999 degrees of freedom: 60.7, 207.9, 1290.8."""
    for freedom, statistic in ((9, 60.7), (99, 207.9), (999, 1290.8)):
        assert chi2_sf(statistic, freedom) == pytest.approx(1e-9, rel=0.05)


@pytest.mark.parametrize("a, x", [(0.0, 1.0), (-1.0, 1.0), (1.0, -1.0), (math.nan, 1.0), (1.0, math.inf)])
def test_out_of_range(a, x):
    with pytest.raises(ConfigError):
        gamma_q(a, x)
