"""Lag and correlation of signals."""

import numpy as np
import pytest

from facepipe.motion.correlation import best_lag, correlation


@pytest.mark.parametrize("lag", [-3, -1, 0, 2, 3])
def test_the_lag_of_a_shifted_signal_is_found(lag: int) -> None:
    true = np.random.default_rng(1).normal(size=200)
    score, found = best_lag(np.roll(true, lag), true)
    assert found == lag
    assert score == pytest.approx(1, abs=0.01)


def test_independent_and_constant_signals_do_not_correlate() -> None:
    dice = np.random.default_rng(2)
    assert abs(correlation(dice.normal(size=5000), dice.normal(size=5000))) < 0.1
    assert best_lag(np.ones(50), dice.normal(size=50)) == (0.0, 0)
