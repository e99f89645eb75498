from fractions import Fraction

import pytest

from facepipe.media.rate import find_rate

MILLISECOND = Fraction(1, 1000)


@pytest.mark.parametrize("fps", [Fraction(24000, 1001), Fraction(25), Fraction(30), Fraction(60000, 1001)])
def test_the_fraction_is_recovered_from_rounded_milliseconds(fps: Fraction) -> None:
    times = [round(n / fps * 1000) for n in range(100)]
    rate = find_rate(times, 0, MILLISECOND)
    assert (rate.fps, rate.frame_count, rate.variable) == (fps, 100, False)


def test_the_declared_rate_decides_for_a_short_clip() -> None:
    assert find_rate([0, 33, 67], 33, MILLISECOND, 29.97).fps == Fraction(30000, 1001)
    assert find_rate([0, 33, 67], 33, MILLISECOND, 30.0).fps == 30


def test_times_may_come_in_any_order() -> None:
    assert find_rate([0, 3003, 1001, 2002], 1001, Fraction(1, 30000)).fps == Fraction(30000, 1001)


def test_jitter_of_less_than_half_a_frame_is_constant() -> None:
    times = [20 * n + (-1) ** n * 3 for n in range(50)]
    rate = find_rate(times, 20, Fraction(1, 600))
    assert not rate.variable
    assert rate.frame_count == 50


def test_a_gap_is_a_variable_rate() -> None:
    times = [n * 40 for n in range(20)] + [2000 + n * 40 for n in range(20)]
    rate = find_rate(times, 40, MILLISECOND)
    assert (rate.fps, rate.variable, rate.frame_count) == (Fraction(25), True, 70)


def test_a_single_frame() -> None:
    assert find_rate([0], 40, MILLISECOND).fps == 25
    assert find_rate([7], 0, MILLISECOND).frame_count == 1


def test_an_excessive_rate_is_resampled() -> None:
    rate = find_rate(range(0, 400, 4), 4, Fraction(1, 10_000))
    assert (rate.fps, rate.frame_count, rate.recorded_fps, rate.variable) == (Fraction(1000), 40, 2500.0, False)
    uneven = find_rate([0, 1, 2, 7, 9, 13, 20], 1, Fraction(1, 10_000))
    assert (uneven.fps, uneven.recorded_fps) == (Fraction(1000), 3000.0)
    usual = find_rate(range(1000), 1, Fraction(1, 1000))
    assert (Fraction(round(usual.fps, -1)), usual.frame_count, usual.recorded_fps) == (Fraction(1000), 1000, 0.0)
    assert find_rate([0], 1, Fraction(1, 10**9)).fps == 25
