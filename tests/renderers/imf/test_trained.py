"""Files of a user's own networks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from facepipe.checkpoint import header_of
from facepipe.errors import WeightsError
from facepipe.renderers.imf.fast import FastImf
from facepipe.renderers.imf.trained import KIND, load_imf, save_imf
from facepipe.weights.saving import save_tensors
from tests.renderers.imf.networks import SMALL, pictures, random_net


def test_networks_survive_their_file(tmp_path: Path) -> None:
    """The loaded ones draw the same up to float16, in the plain and in the fused form."""
    net, path = random_net(), tmp_path / "imf.safetensors"
    x = pictures(2)
    save_imf(net, path)
    expected = net(x[:1], x[1:])
    loaded = load_imf(path)
    assert loaded.config == SMALL
    assert not loaded.training
    torch.testing.assert_close(loaded(x[:1], x[1:]), expected, rtol=0, atol=0.02)
    fast = FastImf(loaded)
    made = fast.render(fast.prepare(x[:1]), fast.token(x[1:]))
    torch.testing.assert_close(made, loaded(x[:1], x[1:]), rtol=0, atol=1e-4)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "imf.safetensors"
    save_imf(random_net(), path)
    tensors = load_file(path)
    save_tensors(tensors, path, header_of("pirender", SMALL))
    with pytest.raises(WeightsError, match="'pirender', expected 'imf'"):
        load_imf(path)
    del tensors["token_decoder.constant"]
    save_tensors(tensors, path, header_of(KIND, SMALL))
    with pytest.raises(WeightsError, match="does not contain a imf"):
        load_imf(path)
