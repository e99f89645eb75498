"""Bits: packets that are sent, and the choice of a plan."""

import numpy as np
import pytest

from facepipe.codec import TokenCodec, plain_table
from facepipe.coding.plan import RECORD_BYTES, Budget, Plan, choose_plan


@pytest.mark.parametrize("count", [1, 2, 3, 8, 9])
@pytest.mark.parametrize("interval", [1, 2, 3])
def test_the_first_and_the_last_frame_of_a_run_are_sent(count: int, interval: int) -> None:
    sent = Plan(0, interval).sent(count)
    assert {sent[0], sent[-1]} == {0, count - 1}
    assert np.diff(sent).max(initial=0) <= interval


def _moving(count: int = 60) -> np.ndarray:
    time = np.arange(count)[:, None] / 25
    return 3 * np.sin(2 * np.pi * time * [0.5, 1.0, 2.0])


def _bytes(table: object, tokens: np.ndarray, plan: Plan) -> int:
    codec = TokenCodec(table, plan.scale)  # type: ignore[arg-type]
    reference = codec.reference(np.zeros(3))
    return sum(len(codec.packet(tokens[row], reference)) + RECORD_BYTES for row in plan.sent(len(tokens)))


def test_a_plan_keeps_to_its_bytes_and_uses_them() -> None:
    table, tokens = plain_table("coefficients", 3), _moving()
    rich, poor = (choose_plan(table, np.zeros(3), tokens, allowed) for allowed in (900.0, 200.0))
    assert _bytes(table, tokens, rich) <= 900
    assert _bytes(table, tokens, poor) <= 200 * 1.05
    assert (poor.interval, poor.scale) > (rich.interval, rich.scale) or poor.scale > rich.scale


def test_a_rate_that_cannot_be_reached_gives_the_coarsest_plan() -> None:
    assert choose_plan(plain_table("coefficients", 3), np.zeros(3), _moving(), 1.0).interval == 3


def test_stills_share_the_rate() -> None:
    budget = Budget(8000)
    assert budget.still_bytes(4) + budget.token_bytes(4, int(budget.still_bytes(4))) < 8000 * 4 / 8
    assert budget.still_count(0.1) == 1
    assert budget.still_count(8) > budget.still_count(2)
