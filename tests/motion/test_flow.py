"""The flow compared with StyleGestures' numbers (fixture `moglow_small`), and its own consistency."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from facepipe.motion.flow import Flow, FlowConfig, State, conditions
from facepipe.motion.flow_checkpoint import flow_from_stylegestures
from tests.fixtures import load_fixture

VARIANTS = ("main", "dense", "student")
TOLERANCE = 1e-5


def fixture_of(variant: str) -> tuple[Flow, dict[str, Tensor], dict[str, Any]]:
    tensors, sidecar = load_fixture("moglow_small")
    prefix = "" if variant == "main" else f"{variant}."
    mine = {name[len(prefix) :]: one for name, one in tensors.items() if name.startswith(prefix)}
    state = {name[len("state.") :]: one for name, one in mine.items() if name.startswith("state.")}
    facts = sidecar["variants"][variant]["config"]
    return flow_from_stylegestures({"graph": state}, degrees=facts["distribution_param"] or 0).eval(), mine, facts


@pytest.mark.parametrize("variant", VARIANTS)
def test_both_directions_equal_stylegestures(variant: str) -> None:
    flow, mine, _ = fixture_of(variant)
    with torch.no_grad():
        z, _, _ = flow(mine["input.x"], mine["input.cond"])
        nll = flow.nll(mine["input.x"], mine["input.cond"])
        again, _ = flow.invert(mine["output.z"], mine["input.cond"])
        inverse, _ = flow.invert(mine["inverse.z"], mine["input.cond"])
    torch.testing.assert_close(z, mine["output.z"], atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(nll, mine["output.nll_bits_per_frame"], atol=TOLERANCE, rtol=1e-6)
    torch.testing.assert_close(again, mine["output.x_from_z"], atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(inverse, mine["inverse.x"], atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("variant", VARIANTS)
def test_frame_by_frame_equals_the_whole_sequence(variant: str) -> None:
    flow, mine, _ = fixture_of(variant)
    x, cond = mine["input.x"], mine["input.cond"]
    with torch.no_grad():
        whole, total, _ = flow(x, cond)
        state: State | None = None
        parts, log_determinants = [], torch.zeros(len(x))
        for frame in range(x.shape[2]):
            z, log_determinant, state = flow(x[..., frame : frame + 1], cond[..., frame : frame + 1], state)
            parts.append(z)
            log_determinants = log_determinants + log_determinant
        state, back = None, []
        for frame in range(x.shape[2]):
            one, state = flow.invert(whole[..., frame : frame + 1], cond[..., frame : frame + 1], state)
            back.append(one)
    torch.testing.assert_close(torch.cat(parts, 2), whole, atol=1e-6, rtol=0)
    torch.testing.assert_close(log_determinants, total, atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.cat(back, 2), x, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("variant", VARIANTS)
def test_conditions_of_generation_equal_stylegestures(variant: str) -> None:
    flow, mine, facts = fixture_of(variant)
    memory, lookahead = facts["prev_poses"], facts["lookahead"]
    z, control = mine["gen.z_BCT"], mine["gen.control_BTF"]
    past, generated = torch.zeros(len(z), memory, z.shape[1]), []
    state: State | None = None
    with torch.no_grad():
        for frame in range(z.shape[2]):
            window = control[:, frame : frame + memory + 1 + lookahead]
            cond = conditions(past[:, -memory:], window, memory=memory, lookahead=lookahead)
            x, state = flow.invert(z[..., frame : frame + 1], cond, state)
            generated.append(cond)
            past = torch.cat([past, x.transpose(1, 2)], 1)
    made = past[:, memory:]
    torch.testing.assert_close(torch.cat(generated, 2).transpose(1, 2), mine["gen.cond_BTF"], atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(made, mine["gen.motion_BTF"], atol=TOLERANCE, rtol=0)
    whole = conditions(past[:, :-1], control, memory=memory, lookahead=lookahead)
    torch.testing.assert_close(whole, torch.cat(generated, 2), atol=1e-6, rtol=0)


def small_flow(**sizes: Any) -> Flow:
    torch.manual_seed(4)
    flow = Flow(FlowConfig(channels=5, condition_channels=3, hidden=6, steps=3, **sizes))
    for layer in flow.each:
        torch.nn.init.normal_(layer.f.linear.weight, std=0.3)
    return flow


@pytest.mark.parametrize("convolution", ["lu", "dense"])
def test_the_log_determinant_equals_that_of_the_jacobian(convolution: str) -> None:
    flow, condition = small_flow(convolution=convolution).double(), torch.randn(1, 3, 2, dtype=torch.float64)
    x = torch.randn(10, dtype=torch.float64)
    jacobian = torch.func.jacrev(lambda one: flow(one.view(1, 5, 2), condition)[0].flatten())(x)
    expected = torch.linalg.slogdet(jacobian)[1]
    torch.testing.assert_close(flow(x.view(1, 5, 2), condition)[1][0], expected, atol=1e-10, rtol=0)


def test_the_first_batch_initialises_the_norms() -> None:
    flow, x, condition = small_flow(), torch.randn(8, 5, 20) * 3 + 2, torch.randn(8, 3, 20)
    flow.initialise(x, condition)
    seen = flow.each[0].actnorm(x)[0]
    torch.testing.assert_close(seen.mean((0, 2)), torch.zeros(5), atol=1e-5, rtol=0)
    torch.testing.assert_close(seen.std((0, 2), correction=0), torch.ones(5), atol=1e-4, rtol=0)


@pytest.mark.parametrize("degrees", [0.0, 50.0])
def test_temperature_scales_the_deviation_of_samples(degrees: float) -> None:
    flow = small_flow(degrees=degrees)
    z = flow.draw(4000, torch.Generator().manual_seed(1), temperature=0.5).numpy()
    expected = 0.5 * np.sqrt(degrees / (degrees - 2) if degrees else 1)
    assert z.shape == (1, 5, 4000)
    assert z.std() == pytest.approx(expected, rel=0.03)


def test_the_student_prior_integrates_to_one() -> None:
    """Checked for one channel."""
    flow = Flow(FlowConfig(channels=1, condition_channels=1, hidden=2, steps=0, degrees=5.0))
    line = torch.linspace(-200, 200, 400001)
    density = flow.log_prior(line.view(-1, 1, 1)).exp()
    assert float(torch.trapezoid(density, line)) == pytest.approx(1, abs=1e-4)
