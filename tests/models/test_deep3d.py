"""The coefficient network reproduces stored outputs of the published one."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from facepipe.models.blocks import fold_norms
from facepipe.models.deep3d import HEADS, CoefficientNetwork, Deep3dConfig
from tests.fixtures import filled_state, load_fixture

SMALL = Deep3dConfig(width=8, depths=(2, 1))


def test_the_recipe_gives_the_values_in_its_sidecar() -> None:
    """Otherwise the comparison below would be meaningless."""
    recipe = load_fixture("deep3d_resnet50_recipe")[1]
    state = filled_state(recipe)
    for name, values in recipe["first_three_values"].items():
        np.testing.assert_array_equal(state[name].ravel()[:3].numpy(), np.float32(values))


def test_the_published_network_is_reproduced() -> None:
    """State keys are equal; coefficients (up to 130) agree to 1e-4 in double and to rounding in float."""
    stored, recipe = load_fixture("deep3d_resnet50_recipe")
    net = CoefficientNetwork().eval()
    assert {name: list(tensor.shape) for name, tensor in net.state_dict().items()} == recipe["state_keys"]
    net.load_state_dict(filled_state(recipe))
    images = stored["input.image"]
    with torch.inference_mode():
        np.testing.assert_allclose(net.double()(images.double()), stored["output.coeff"], rtol=0, atol=1e-4)
        net.float()
        np.testing.assert_allclose(net.backbone(images), stored["aux.features"], rtol=1e-5, atol=1e-4)
        np.testing.assert_allclose(net(images), stored["output.coeff"], rtol=1e-5, atol=1e-4)
        np.testing.assert_allclose(fold_norms(net)(images), stored["output.coeff"], rtol=1e-5, atol=1e-4)


def test_the_parameter_count_is_that_of_the_published_one() -> None:
    """332 state entries, 24,034,625 trainable parameters."""
    with torch.device("meta"):
        net = CoefficientNetwork()
    assert len(net.state_dict()) == 332
    assert sum(parameter.numel() for parameter in net.parameters()) == 24_034_625


def test_an_untrained_network_returns_zero() -> None:
    """The heads are initialised with zeros."""
    assert not CoefficientNetwork(SMALL).eval()(torch.rand(2, 3, 64, 64)).any()


@pytest.mark.parametrize("count", [1, 3])
def test_folding_changes_nothing(count: int) -> None:
    """Folding batch norms with non-trivial statistics does not change the output."""
    torch.manual_seed(0)
    net = CoefficientNetwork(SMALL)
    for layer in net.final_layers:
        torch.nn.init.normal_(layer.weight)  # type: ignore[arg-type]
    net.train()(torch.rand(4, 3, 64, 64))
    images = torch.rand(count, 3, 64, 64)
    expected = net.eval()(images)
    assert expected.shape == (count, sum(HEADS))
    torch.testing.assert_close(fold_norms(copy.deepcopy(net))(images), expected, rtol=1e-4, atol=1e-4)
