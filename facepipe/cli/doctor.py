"""`facepipe doctor`: the state of the installation, and what is missing."""

import platform
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from facepipe import __version__
from facepipe.cli import arguments as a
from facepipe.cli.guard import Verbose
from facepipe.cli.weights import describe
from facepipe.errors import ExitCode, FacepipeError, WeightsError

NEEDED_ENCODERS = ("libx264", "aac")
OTHER_ENCODERS = ("libx265", "libvpx-vp9", "libsvtav1", "h264_nvenc")
HDR_FILTERS = {"zscale", "tonemap"}


@dataclass(frozen=True)
class Finding:
    """One line of the output. `missing` holds the remedy if something required is missing."""

    subject: str
    text: str
    missing: str = ""


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
    quiet: a.Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Check the installation: ffmpeg, encoders, cores, memory, GPU, bfloat16, OpenCV, numba, renderers, weights.

    Exit code 3 if something required is missing; the last lines then explain how to get it.
    """
    import json

    findings = list(examine())
    for finding in () if quiet else findings:
        line = json.dumps({"schema": 1, **asdict(finding)}) if as_json else f"{finding.subject:<10}{finding.text}"
        typer.echo(line)
    missing = [finding for finding in findings if finding.missing]
    for finding in missing:
        print(f"facepipe: {finding.missing}", file=sys.stderr)
    if missing:
        raise typer.Exit(ExitCode.PRECHECK)


def examine() -> Iterator[Finding]:
    """Yield all findings."""
    yield Finding("facepipe", f"{__version__}, Python {platform.python_version()}, {platform.platform()}")
    yield from _ffmpeg()
    yield from _machine()
    yield from _torch()
    yield from _opencv()
    yield from _numba()
    yield from _renderers()
    yield from _weights()


def _ffmpeg() -> Iterator[Finding]:
    from facepipe.media.ffmpeg import encoders, ffmpeg_version, filters, find_ffmpeg

    try:
        program = find_ffmpeg()
        yield Finding("ffmpeg", f"{ffmpeg_version(program)}, {program}")
        known, reads_hdr = encoders(program), filters(program) >= HDR_FILTERS
    except FacepipeError as error:
        yield Finding("ffmpeg", "missing or broken", missing=str(error))
        return
    optional = ", ".join(name for name in OTHER_ENCODERS if name in known) or "none"
    for name in NEEDED_ENCODERS:
        remedy = f"{program} has no encoder {name}: install a full ffmpeg, or `pip install imageio-ffmpeg`"
        yield Finding("encoder", name if name in known else f"{name} missing", missing="" if name in known else remedy)
    yield Finding("encoder", f"optional: {optional}")
    yield Finding(
        "HDR input", "tone-mapped" if reads_hdr else "refused (this ffmpeg lacks the filters zscale and tonemap)"
    )


def _machine() -> Iterator[Finding]:
    from facepipe.device import core_count, memory

    space = memory()
    yield Finding("cores", str(core_count()))
    if space.total_bytes:
        yield Finding("memory", f"{space.total_bytes / 1e9:.1f} GB, {space.available_bytes / 1e9:.1f} GB available")
    else:
        yield Finding("memory", "unknown on this platform")


def _torch() -> Iterator[Finding]:
    from facepipe.device import bfloat16_is_fast, compute_device, compute_dtype

    try:
        import torch
    except (ImportError, OSError) as error:
        yield Finding("torch", "missing or broken", missing=f"torch cannot be imported ({error}): pip install torch")
        return
    yield Finding("torch", f"{torch.__version__}, {torch.backends.cpu.get_cpu_capability()}")
    gpu, amx = compute_device(), "AMX" if bfloat16_is_fast() else "no AMX"
    if gpu.type == "cuda":
        where = f"renderer networks run on it in {_name(compute_dtype(device=gpu))}, other networks on the CPU"
        yield Finding("GPU", f"{torch.cuda.get_device_name(gpu)}: {where}")
    else:
        yield Finding("GPU", "none visible to torch: networks run on the CPU")
    yield Finding("bfloat16", f"{amx}: networks on the CPU run in {_name(compute_dtype())}")


def _name(dtype: object) -> str:
    return str(dtype).removeprefix("torch.")


def _opencv() -> Iterator[Finding]:
    try:
        import cv2
    except (ImportError, OSError) as error:
        remedy = f"OpenCV cannot be imported ({error}): pip install opencv-python-headless"
        yield Finding("OpenCV", "missing or broken", missing=remedy)
        return
    from facepipe.face.cropping import samples_exactly

    kind = "crops are sampled exactly" if samples_exactly() else "crops are sampled at positions rounded to 1/32 pixel"
    yield Finding("OpenCV", f"{cv2.__version__}, {kind}")


def _numba() -> Iterator[Finding]:
    try:
        import numba

        import facepipe.renderers.mesh.raster  # noqa: F401 (its loops are cached or not)
        from facepipe.models.compiled import REMEDY, lacks_cache
    except (ImportError, OSError) as error:
        remedy = f"numba cannot be imported ({error}): pip install numba"
        yield Finding("numba", "missing or broken", missing=remedy)
        return
    lacking = f"no folder for compiled code is writable, so every process compiles; {REMEDY}"
    yield Finding("numba", f"{numba.__version__}, {lacking if lacks_cache() else 'compiled code is kept'}")


def _renderers() -> Iterator[Finding]:
    from facepipe.renderers import RENDERERS
    from facepipe.rendering.spec import SourceKind
    from facepipe.weights import registered

    try:
        known = registered()
    except WeightsError:
        return  # `_weights` reports it.
    for spec in RENDERERS.values():
        missing = [name for name in spec.registered if name not in known]
        state = f"unavailable, weight not registered: {', '.join(missing)}" if missing else "ready"
        if spec.source == SourceKind.AVATAR:
            state = _avatar_state()
        yield Finding("renderer", f"{spec.name:<10}{state}: {spec.about}")


def _avatar_state() -> str:
    """Return whether avatars can be made: their head is compiled, or its source is installed."""
    from facepipe.avatar.compiling import find_head
    from facepipe.avatar.source import data_folder

    if find_head() is not None:
        return "ready"
    try:
        data_folder()
    except FacepipeError as error:
        return f"unavailable, {error}"
    return "ready, its head is compiled at first use"


def _weights() -> Iterator[Finding]:
    from facepipe.weights import embedded_folder, locate, registered, user_folder, verify

    yield Finding("weights", f"{embedded_folder()} and {_folder_text(user_folder())}")
    try:
        weights = list(registered().values())
    except WeightsError as error:
        yield Finding("weight", "the registry cannot be read", missing=str(error))
        return
    for weight in weights:
        if weight.url and not locate(weight):
            yield Finding("weight", describe(weight, "not fetched"))
            continue
        try:
            verify(weight)
            yield Finding("weight", describe(weight, "ok"))
        except WeightsError as error:
            yield Finding("weight", describe(weight, "BAD" if locate(weight) else "MISSING"), missing=str(error))


def _folder_text(folder: Path) -> str:
    return str(folder) if folder.is_dir() else f"{folder} (does not exist yet)"
