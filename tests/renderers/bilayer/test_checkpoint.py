"""Published folders, with random weights, added by the command line."""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from facepipe import weights
from facepipe.errors import WeightsError
from facepipe.pipeline import official
from facepipe.renderers.bilayer.checkpoint import BASE, ENHANCER, NAME, read_official
from facepipe.renderers.bilayer.config import BilayerConfig
from facepipe.renderers.bilayer.options import FIELDS
from facepipe.renderers.bilayer.published import Bilayer, load_bilayer
from tests.pipeline.scene import Outcome, run
from tests.renderers.bilayer.networks import SMALL, random_net

MAIN, OTHER = "vc2-hq_adrianb_paper_main", "vc2-hq_adrianb_paper_enhancer"


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEPIPE_WEIGHTS", str(tmp_path / "mine"))
    reader = {NAME: "facepipe.renderers.bilayer.checkpoint:read_official"}
    monkeypatch.setattr(official, "official_readers", lambda: reader)


def trained(config: BilayerConfig = SMALL) -> Bilayer:
    """Return networks with spectral norms whose vectors are estimates, as after training."""
    net = random_net(replace(config, spectral_norm=True))
    for name, buffer in net.named_buffers():
        if name.endswith(("weight_u", "weight_v")):
            buffer.copy_(nn.functional.normalize(torch.randn_like(buffer), dim=0))
    return net


def write_options(folder: Path, config: BilayerConfig = SMALL, **changes: object) -> None:
    """Write args.txt, with options of training that do not matter."""
    options = {name: getattr(config, field) for field, name in FIELDS.items()}
    options |= {"lr": 0.0002, "losses_weights": "0.5, 10", "pse_use_harmonic_enc": bool(config.harmonics), "x": "a: b"}
    text = "".join(f"{name}: {value}\n" for name, value in {**options, **changes}.items())
    (folder / "args.txt").write_text(text, "utf-8")


def publish(root: Path, net: Bilayer, *, names: tuple[str, ...] = BASE, epoch: int = 2225, **changes: object) -> Path:
    """Write networks as a published run."""
    (root / "checkpoints").mkdir(parents=True, exist_ok=True)
    for name in names:
        torch.save(getattr(net, name).state_dict(), root / "checkpoints" / f"{epoch}_{name}.pth")
        torch.save({"state": {}}, root / "checkpoints" / f"{epoch}_opt_{name}.pth")
    write_options(root, net.config, **changes)
    return root


def add(path: Path, *options: str) -> Outcome:
    return run("weights", "add", "bilayer", path, *options)


def test_the_published_folders_are_added(tmp_path: Path) -> None:
    """From `runs`: both runs are found, spectral norms folded with the stored vectors, the discriminator left out."""
    net = trained()
    # The options of the main run say nothing true of the enhancer, and those of the enhancer's run nothing of the base.
    publish(tmp_path / "runs" / MAIN, net, enh_num_channels=64)
    publish(tmp_path / "runs" / OTHER, net, names=(ENHANCER,), epoch=1225, inf_num_channels=64)
    torch.save({"a": torch.zeros(1)}, tmp_path / "runs" / MAIN / "checkpoints" / "2225_discriminator.pth")
    outcome = add(tmp_path / "runs")
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.stderr == ""
    entry = weights.lookup(NAME)
    assert (entry.space, entry.licence) == ("keypoints68", "unknown")
    assert re.fullmatch(r"runs, sha256 [0-9a-f]{64}, converted", entry.source)
    threads = torch.get_num_threads()
    back = load_bilayer(weights.find(NAME).path)
    torch.set_num_threads(threads)
    assert back.config == SMALL
    given, converted = net.state_dict(), back.state_dict()
    assert {name for name in converted if name not in given} == {
        name.removesuffix("_orig") for name in given if name.endswith("weight_orig")
    }
    for name, tensor in converted.items():
        if name in given:
            assert torch.equal(tensor, given[name])
            continue
        original, u, v = (given[f"{name}_{part}"] for part in ("orig", "u", "v"))
        assert torch.allclose(tensor, original / (u @ original.flatten(1) @ v), rtol=1e-4)


def test_one_run_in_a_plain_folder_without_the_enhancer(tmp_path: Path) -> None:
    net = trained()
    for name in BASE:
        torch.save(getattr(net, name).state_dict(), tmp_path / f"7_{name}.pth")
    write_options(tmp_path)
    outcome = add(tmp_path)
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.stderr == (
        f"note: {tmp_path} has no texture_enhancer (published as {OTHER}): textures are not enhanced\n"
    )
    threads = torch.get_num_threads()
    back = load_bilayer(weights.find(NAME).path)
    torch.set_num_threads(threads)
    assert not back.config.has_enhancer
    assert add(tmp_path, "-q").stderr == ""


def test_the_newest_epoch_of_all_networks_is_read(tmp_path: Path) -> None:
    old, new = trained(), trained()
    with torch.no_grad():
        new.keypoints_embedder.net["mlp"][0].bias.fill_(3)  # type: ignore[index]
    publish(tmp_path, old, epoch=9)
    publish(tmp_path, new, epoch=10)
    publish(tmp_path, old, epoch=100, names=BASE[:3])
    converted = read_official(tmp_path)
    assert (converted.tensors["keypoints_embedder.net.mlp.0.bias"] == 3).all()
    assert f"{tmp_path} has epochs 9, 10, 100: 10 was read, the newest of all networks" in converted.notes
    assert {path.name for path in converted.files} == {f"10_{name}.pth" for name in BASE}
    for name in BASE[:3]:
        (tmp_path / "checkpoints" / f"9_{name}.pth").unlink()
        (tmp_path / "checkpoints" / f"10_{name}.pth").unlink()
    with pytest.raises(
        WeightsError, match=r"no epoch of all networks .identity_embedder: 100; .*inference_generator: 9, 10"
    ):
        read_official(tmp_path)


@pytest.mark.parametrize(("flag", "harmonics"), [(True, 0), (False, 4), (True, 4)])
def test_the_first_layer_decides_on_the_harmonic_encoding(flag: bool, harmonics: int, tmp_path: Path) -> None:
    publish(tmp_path, trained(replace(SMALL, harmonics=harmonics)), pse_use_harmonic_enc=flag, pse_num_harmonics=4)
    converted = read_official(tmp_path)
    assert f'"harmonics": {harmonics}' in converted.header["config"]
    found = [note for note in converted.notes if "pse_use_harmonic_enc" in note]
    assert bool(found) == (flag != bool(harmonics))
    if found:
        assert f"says pse_use_harmonic_enc: {flag}, but the network takes" in found[0]


def test_networks_without_spectral_norm_are_read(tmp_path: Path) -> None:
    publish(tmp_path, random_net(), names=(*BASE, ENHANCER))
    assert '"has_enhancer": true' in read_official(tmp_path).header["config"]


def test_a_half_set_is_refused(tmp_path: Path) -> None:
    publish(tmp_path / MAIN, trained(), names=BASE[1:3])
    outcome = add(tmp_path)
    assert outcome.exit_code == 3
    assert "lacks identity_embedder, inference_generator: expected EPOCH_NETWORK.pth for each of" in outcome.stderr
    assert "drive folder linked from the README" in outcome.stderr
    assert "https://github.com/saic-violet/bilayer-model" in outcome.stderr
    assert outcome.stderr.count("\n") == 1
    assert NAME not in weights.registered()
    (tmp_path / "empty").mkdir()
    assert f"lacks {', '.join(BASE)}" in add(tmp_path / "empty").stderr


class Malice:
    """Runs a command where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("echo this ran",)


def nans(path: Path) -> None:
    state = torch.load(path)
    state["gen_tex_input"] *= float("nan")
    torch.save(state, path)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.write_bytes(b""), "(it is empty)"),
        (lambda path: path.write_text("\n<!DOCTYPE html><title>Virus scan warning</title>"), "(it is a web page; "),
        (lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\n"), "a pointer of Git LFS"),
        (lambda path: path.write_bytes(path.read_bytes()[:3000]), "(it is cut off or damaged)"),
        (lambda path: path.write_text("some text"), "or contains more than tensors"),
        (lambda path: torch.save({"a": Malice()}, path), "or contains more than tensors"),
        (lambda path: path.write_bytes(pickle.dumps(Malice())), "or contains more than tensors"),
        (nans, "has values that are no numbers in gen_tex_input"),
    ],
    ids=["empty", "web page", "pointer", "cut off", "text", "code", "bare code", "no numbers"],
)
def test_odd_files_are_refused_by_one_line(
    spoil: Callable[[Path], object], message: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The line says what the file is, and never recommends to run its code."""
    file = publish(tmp_path / "run", trained()) / "checkpoints/2225_texture_generator.pth"
    spoil(file)
    outcome = add(tmp_path / "run")
    assert outcome.exit_code == 3
    assert str(file) in outcome.stderr
    assert message in outcome.stderr
    assert "download it again" in outcome.stderr
    assert "torch.load" not in outcome.stderr
    assert outcome.stderr.count("\n") == 1
    assert "this ran" not in capfd.readouterr().out
    assert NAME not in weights.registered()


def test_files_and_missing_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.pth").touch()
    for name in ("a.pth", "nowhere"):
        outcome = add(tmp_path / name)
        assert outcome.exit_code == 3
        assert f"cannot read {tmp_path / name}" in outcome.stderr
        assert "expected the folder of a training run, with args.txt and checkpoints/" in outcome.stderr


def test_several_runs_are_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        publish(tmp_path / name, trained())
    outcome = add(tmp_path)
    assert outcome.exit_code == 3
    assert (
        f"base networks of 2 training runs ({tmp_path / 'a'}, {tmp_path / 'b'}): give the folder of one"
        in outcome.stderr
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"inf_num_channels": 2, "inf_max_channels": 4},
            "2225_keypoints_embedder.pth is of another network: .*args.txt",
        ),
        ({"inf_max_channels": 64}, "args.txt describes networks that do not fit together: the inference generator has"),
        ({"inf_norm_layer_type": "bn"}, "args.txt has inf_norm_layer_type: bn, facepipe supports ada_bn only"),
        ({"emb_num_channels": "wide"}, "args.txt has emb_num_channels: wide, expected a positive whole number"),
    ],
)
def test_options_of_other_networks_are_refused(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    publish(tmp_path, trained(), **changes)
    outcome = add(tmp_path)
    assert outcome.exit_code == 3
    assert re.search(message, outcome.stderr)
    assert outcome.stderr.count("\n") == 1


def test_options_of_another_system_are_refused(tmp_path: Path) -> None:
    publish(tmp_path, trained())
    (tmp_path / "args.txt").write_text("batch_size: 4\nlayers: 3\n", "utf-8")
    with pytest.raises(
        WeightsError, match=r"args\.txt has no image_size, emb_num_channels, emb_max_channels and 4 more"
    ):
        read_official(tmp_path)
    (tmp_path / "args.txt").unlink()
    with pytest.raises(WeightsError, match=r"has no args\.txt, the options of the training run"):
        read_official(tmp_path)


def test_another_keypoint_detector_is_refused(tmp_path: Path) -> None:
    net = trained()
    net.keypoints_embedder.net["mlp"][0] = nn.Linear(394, 12)  # type: ignore[operator]
    publish(tmp_path, net)
    with pytest.raises(
        WeightsError, match=r"takes 394 numbers, expected 136 .68 keypoints.: it is for another keypoint"
    ):
        read_official(tmp_path)


def test_the_error_for_missing_weights_says_where_they_are() -> None:
    with pytest.raises(WeightsError) as caught:
        weights.lookup(NAME)
    for words in (MAIN, OTHER, "README", "facepipe weights add bilayer runs"):
        assert words in str(caught.value)
