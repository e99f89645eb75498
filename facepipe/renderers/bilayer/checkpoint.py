"""Files of the bi-layer networks as users bring them.

Published are one folder per training run, and one pickle per network and epoch. `facepipe.renderers.bilayer.trained`
reads the checkpoints of our own training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor, nn

from facepipe.checkpoint import check_state, header_of
from facepipe.errors import WeightsError
from facepipe.renderers.bilayer.blocks import without_spectral_norm
from facepipe.renderers.bilayer.config import KEYPOINTS, BilayerConfig
from facepipe.renderers.bilayer.options import Options, config_of, parsed
from facepipe.renderers.bilayer.published import KIND, Bilayer
from facepipe.renderers.bilayer.trained import read_run, run_file
from facepipe.weights.conversion import Converted, read_checkpoint
from facepipe.weights.experiment import Experiment, experiments_in, read_options
from facepipe.weights.third_party import THIRD_PARTY

if TYPE_CHECKING:
    from pathlib import Path

NAME = "bilayer-official"
BASE = ("identity_embedder", "texture_generator", "keypoints_embedder", "inference_generator")
ENHANCER = "texture_enhancer"


class Chosen(NamedTuple):
    """The files that are read."""

    files: Mapping[str, Path]
    """By name of the network."""
    options: Options
    args: Path
    """The `args.txt` of the base networks."""
    notes: list[str]


def read_official(path: Path) -> Converted:
    """Read the published networks from a folder with their training runs, or from the folder of one run.

    A run of `facepipe train bilayer --network published` is read by its folder or its checkpoint.
    Spectral norms are folded into the weights with the stored vectors. The discriminator is left out. The enhancer,
    which is published as a run of its own, may be missing. Raises WeightsError for missing files, for options of other
    networks, and for tensors that do not fit the options.
    """
    if own := run_file(path):
        return read_run(own)
    chosen = _choose(path)
    states = {name: _renamed(read_checkpoint(file)) for name, file in chosen.files.items()}
    try:
        config = config_of(chosen.options, has_enhancer=ENHANCER in states)
    except WeightsError as error:
        raise WeightsError(f"{chosen.args} {error}") from error
    config = _with_harmonics(config, states["keypoints_embedder"], chosen)
    net = Bilayer(replace(config, spectral_norm=True)).eval()
    for name, network in net.named_children():
        _load(network, states[name], chosen.files[name], chosen.args)
    tensors = {
        name: tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in without_spectral_norm(net).state_dict().items()
    }
    return Converted(tensors, header_of(KIND, config), tuple(chosen.files.values()), tuple(chosen.notes))


def _choose(path: Path) -> Chosen:
    """Return the newest files of each network. Raises WeightsError if base networks are missing or ambiguous."""
    experiments = experiments_in(path)
    base, notes = _base_of(experiments, path), []
    epoch, note = _newest(base)
    notes += note
    files = {name: base.networks[name][epoch] for name in BASE}
    options = {name: value for name, value in parsed(read_options(base)).items() if not name.startswith("enh_")}
    assert base.options is not None
    enhancers = [base] if ENHANCER in base.networks else [one for one in experiments if ENHANCER in one.networks]
    if len(enhancers) > 1:
        raise _ambiguous(path, enhancers, "enhancers")
    for one in enhancers:
        found = parsed(read_options(one if one.options else base))
        options |= {name: value for name, value in found.items() if name.startswith("enh_")}
        files[ENHANCER] = one.networks[ENHANCER][max(one.networks[ENHANCER])]
        if len(one.networks[ENHANCER]) > 1:
            notes.append(f"{one.folder} has several epochs of {ENHANCER}: {files[ENHANCER].name} was read")
    if not enhancers:
        notes.append(
            f"{path} has no {ENHANCER} (published as vc2-hq_adrianb_paper_enhancer): textures are not enhanced"
        )
    return Chosen(files, options, base.options, notes)


def _base_of(experiments: Sequence[Experiment], path: Path) -> Experiment:
    complete = [one for one in experiments if set(BASE) <= set(one.networks)]
    # The run of the enhancer may contain copies of the base networks.
    alone = [one for one in complete if ENHANCER not in one.networks]
    if len(found := alone or complete) > 1:
        raise _ambiguous(path, found, "base networks")
    if found:
        return found[0]
    best = max(experiments, key=lambda one: len(set(BASE) & set(one.networks)), default=None)
    missing = [name for name in BASE if best is None or name not in best.networks]
    raise WeightsError(
        f"{best.folder if best else path} lacks {', '.join(missing)}: expected EPOCH_NETWORK.pth for each of "
        f"{', '.join(BASE)} there or in checkpoints/. Download {THIRD_PARTY[NAME].file} from {THIRD_PARTY[NAME].url} "
        f"({THIRD_PARTY[NAME].about})"
    )


def _ambiguous(path: Path, found: Sequence[Experiment], what: str) -> WeightsError:
    folders = ", ".join(str(one.folder) for one in found)
    return WeightsError(f"{path} has {what} of {len(found)} training runs ({folders}): give the folder of one")


def _newest(base: Experiment) -> tuple[int, list[str]]:
    """Return the newest epoch that all base networks have, and a note if there are several."""
    epochs = {name: sorted(base.networks[name]) for name in BASE}
    common = set.intersection(*map(set, epochs.values()))
    if not common:
        listed = "; ".join(f"{name}: {', '.join(map(str, values))}" for name, values in epochs.items())
        raise WeightsError(f"{base.folder} has no epoch of all networks ({listed}): add the files of one epoch")
    newest, found = max(common), sorted(set().union(*epochs.values()))
    if len(found) == 1:
        return newest, []
    several = f"{base.folder} has epochs {', '.join(map(str, found))}: {newest} was read, the newest of all networks"
    return newest, [several]


def _renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The harmonic encoding keeps its frequencies in a buffer, at a place that the publication does not state."""
    return {"net.frequencies" if name.endswith("frequencies") else name: value for name, value in state.items()}


def _with_harmonics(config: BilayerConfig, state: Mapping[str, Tensor], chosen: Chosen) -> BilayerConfig:
    """Decide by the first layer whether keypoints are encoded: the published scripts set the option by mistake."""
    layer = state.get("net.mlp.0.weight_orig", state.get("net.mlp.0.weight"))
    inputs = layer.shape[-1] if layer is not None and layer.dim() == 2 else 2 * KEYPOINTS
    harmonics, rest = divmod(inputs, 4 * KEYPOINTS)
    if inputs == 2 * KEYPOINTS:
        harmonics = rest = 0
    if rest:
        raise WeightsError(
            f"{chosen.files['keypoints_embedder']} takes {inputs} numbers, expected {2 * KEYPOINTS} ({KEYPOINTS} "
            f"keypoints): it is for another keypoint detector, and facepipe supports {KEYPOINTS} keypoints only"
        )
    if harmonics != config.harmonics:
        kind = f"{harmonics} harmonics" if harmonics else "plain coordinates"
        chosen.notes.append(
            f"{chosen.args} says pse_use_harmonic_enc: {bool(config.harmonics)}, but the network takes {kind}"
        )
    return replace(config, harmonics=harmonics)


def _load(network: nn.Module, state: Mapping[str, Tensor], file: Path, args: Path) -> None:
    if not any(name.endswith("weight_orig") for name in state):
        without_spectral_norm(network)
    try:
        check_state(state, network, file)
    except WeightsError as error:
        raise WeightsError(f"{error} The expected sizes are those in {args}.") from error
    network.load_state_dict(state, strict=True)
