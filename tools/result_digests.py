"""Run a fixed set of jobs with a checkout of facepipe and write digests of the results; compare two such files.

    python tools/result_digests.py run CHECKOUT OUT.json [--data DATA] [--folder FOLDER]
    python tools/result_digests.py compare BEFORE.json AFTER.json

`run` starts each job of the tables below as a fresh process with this interpreter and the code in CHECKOUT. DATA is a
folder with `clips/`, `portraits/` and `speech/` that has the files named in `CLIPS`, `PORTRAITS` and `SPEECH`; without
it only the jobs on the repository's own example run. FOLDER keeps inputs, results and work files; if it exists, results
are made again from its work files. Use a FOLDER with one checkout only: work files made by other code hide differences.
The exit code of `run` is 1 if a job failed, that of `compare` is 1 if anything differs.

OUT.json has one entry for each result file, its sha256, and entries for the parts of the file: `tools/file_digests.py`
lists them. They locate a difference, and tell changed numbers from changed text.

Results do not depend on the date or on the folder. They do depend on the processor and on the versions of torch, NumPy,
OpenCV and ffmpeg; `compare` warns if these differ.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tools.file_digests import digests_of, ffmpeg, ffmpeg_path  # noqa: E402

PROGRAM = "from facepipe.cli import main; main()"
#: Register random weights in the official formats: a coefficient network, a face model and a renderer.
ADD_WEIGHTS = """
from pathlib import Path
from tests.pipeline.official_weights import add_bfm, add_deep3d, add_pirender
for add in (add_deep3d, add_bfm, add_pirender):
    add(Path("in"))
"""

# Flags that another version may call differently; so may the module above.
LINEAR = "--space linear478"
BFM = "--space bfm"
OFFICIAL = "--space bfm --weights pirender-official"

#: Files of DATA, and how many frames or seconds of them are used. 135 frames are rendered as two segments.
CLIPS = {"dfrf_french": 135, "imtalker_driving-1": 60, "lipnet_bbaf2n": 60}
PORTRAITS = ("deep3d_000007", "arc2face_exp1", "anitalker_statue")
SPEECH = {"en_vctk_p234": 3.0}

#: Jobs on the repository's own example, in order. Each is a command line, run in the folder that has `in/` and `out/`.
EXAMPLE_JOBS = {
    "driver": "reenact in/portrait.png in/motion.npz --reference first -o out/driver.mp4",
    "demo": "reenact in/portrait.png out/driver.mp4 -o out/demo.mp4 --sheet out/demo-sheet.png",
    "mesh": "reenact in/portrait.png out/driver.mp4 -o out/mesh.mp4 --renderer mesh",
    "grid": "reenact in/portrait.png out/driver.mp4 -o out/grid.mp4 --renderer mesh --grid --strength 0.7",
    "paste": "reenact in/portrait.png in/motion.npz -o out/paste.mp4 --renderer mesh --paste-back",
    "official": f"reenact in/portrait.png out/driver.mp4 -o out/official.mp4 {OFFICIAL}",
    "preset": "edit in/portrait.png --yaw 20 --smile 0.8 -o out/edit.png --save-preset out/preset.json",
    "sweep": "edit in/portrait.png --sweep yaw=-20:20 --smile 0.5 --frames 30 -o out/sweep.mp4 --sheet out/sweep.png",
    "random": "edit in/portrait.png --random 3 --seed 3 -o out/random --sheet out/random.png",
    "crop": "crop in/portrait.png -o out/crop.png",
    "coefficients": f"coefficients in/portrait.png -o out/portrait.npz {LINEAR}",
    "coefficients-bfm": f"coefficients in/portrait.png -o out/portrait-bfm.npz {BFM}",
}

#: Jobs on files of DATA. Some of them use results of the jobs above.
DATA_JOBS = {
    "segments-mesh": "reenact in/deep3d_000007.jpg in/dfrf_french.mp4 -o out/segments-mesh.mp4 --renderer mesh",
    "segments-compact": "reenact in/arc2face_exp1.jpg in/dfrf_french.mp4 -o out/segments-compact.mp4",
    "segments-official": f"reenact in/deep3d_000007.jpg in/dfrf_french.mp4 -o out/segments-official.mp4 {OFFICIAL}",
    "absolute": (
        "reenact in/anitalker_statue.jpg in/lipnet_bbaf2n.mp4 -o out/absolute.mp4 --renderer mesh --motion absolute"
        " --scale driver --only expression --smoothing one-euro --size 320 --codec vp9"
    ),
    "paste-data": "reenact in/arc2face_exp1.jpg in/lipnet_bbaf2n.mp4 -o out/paste-data.mp4 --paste-back --size 384",
    "relative-official": (
        "reenact in/anitalker_statue.jpg in/imtalker_driving-1.mp4 -o out/relative-official.mp4 --motion relative"
        f" --scale source --smoothing savitzky-golay --paste-back {OFFICIAL}"
    ),
    "picture": "reenact in/anitalker_statue.jpg in/deep3d_000007.jpg -o out/picture.png --grid",
    "picture-official": f"reenact in/anitalker_statue.jpg in/deep3d_000007.jpg -o out/picture-official.png {OFFICIAL}",
    "video-source": "reenact in/imtalker_driving-1.mp4 in/deep3d_000007.jpg -o out/source.png --preset out/preset.json",
    "from-image": "edit in/arc2face_exp1.jpg --from-image in/deep3d_000007.jpg --only expression -o out/from-image.png",
    "edit-official": f"edit in/deep3d_000007.jpg --yaw 12 --zoom 1.1 -o out/edit-official.png {OFFICIAL}",
    "audio": "audio in/arc2face_exp1.jpg in/en_vctk_p234.wav -o out/audio.mp4 --seed 7 --samples 2",
    "audio-posed": (
        "audio in/deep3d_000007.jpg in/en_vctk_p234.wav -o out/audio-posed.mp4 --seed 1 --temperature 0.5"
        " --renderer mesh --pose-from in/imtalker_driving-1.mp4 --report out/audio-report.png"
    ),
    "features": "features in/en_vctk_p234.wav -o out/features.npz --mfcc",
    "crop-clip": "crop in/imtalker_driving-1.mp4 -o out/imtalker.mp4",
    "coefficients-clip": f"coefficients in/imtalker_driving-1.mp4 -o out/imtalker.npz {LINEAR}",
    "coefficients-raw": f"coefficients in/lipnet_bbaf2n.mp4 -o out/lipnet.npz --smoothing none {LINEAR}",
    "coefficients-clip-bfm": f"coefficients in/imtalker_driving-1.mp4 -o out/imtalker-bfm.npz {BFM}",
    "motion": f"motion in/anitalker_statue.jpg out/imtalker.npz -o out/motion.npz --preset out/preset.json {LINEAR}",
    "motion-bfm": f"motion in/anitalker_statue.jpg out/imtalker-bfm.npz -o out/motion-bfm.npz {BFM}",
    "motion-speech": f"motion in/anitalker_statue.jpg in/en_vctk_p234.wav -o out/motion-speech.npz --seed 2 {LINEAR}",
    "render": "render in/anitalker_statue.jpg out/motion.npz -o out/render.mp4 --renderer mesh",
    "mux": "mux out/render.mp4 -o out/mux.mp4 --sound in/en_vctk_p234.wav --fit shortest",
    "convert": "convert out/imtalker-bfm.npz -o out/imtalker-bfm.mat",
    "convert-back": "convert out/imtalker-bfm.mat -o out/back-bfm.npz",
    "batch": "batch in/jobs.csv --jobs 2 --work batch-work",
}

#: `in/jobs.csv`, the list of the job `batch`.
ROWS = """\
command,source,driving,sound,output,renderer,space,weights,seed,yaw
reenact,in/arc2face_exp1.jpg,in/lipnet_bbaf2n.mp4,,out/batch/mesh.mp4,mesh,,,,
reenact,in/deep3d_000007.jpg,in/lipnet_bbaf2n.mp4,,out/batch/compact.mp4,compact,,,,
reenact,in/deep3d_000007.jpg,in/lipnet_bbaf2n.mp4,,out/batch/official.mp4,,bfm,pirender-official,,
audio,in/anitalker_statue.jpg,,in/en_vctk_p234.wav,out/batch/audio.mp4,mesh,,,5,
edit,in/anitalker_statue.jpg,,,out/batch/edit.png,,,,,15
crop,in/lipnet_bbaf2n.mp4,,,out/batch/crop.mp4,,,,,
coefficients,in/lipnet_bbaf2n.mp4,,,out/batch/bfm.npz,,bfm,,,
"""


def run_jobs(checkout: Path, data: Path | None, folder: Path) -> dict[str, Any]:
    """Run all jobs in a folder and return the content of OUT.json."""
    for name in ("in", "out", "weights"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FACEPIPE_")}
    environment |= {"PYTHONPATH": str(checkout), "FACEPIPE_WEIGHTS": str(folder / "weights")}
    # Keep the settings of the user out.
    environment |= {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder)}

    def python(*argv: str | Path) -> str:
        done = subprocess.run(
            [sys.executable, *map(str, argv)], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        return "" if done.returncode == 0 else f"exit code {done.returncode}: {done.stderr.strip()[-2000:]}"

    expected = f"import facepipe; assert facepipe.__file__.startswith({str(checkout)!r}), facepipe.__file__"
    for argv in (("-c", expected), (checkout / "examples/portrait.py", "in/portrait.png"), ("-c", ADD_WEIGHTS)):
        if failure := python(*argv):
            raise RuntimeError(failure)
    shutil.copyfile(checkout / "examples/motion.npz", folder / "in/motion.npz")
    if data:
        prepare_data(data, folder / "in")
    seconds, failures = {}, {}
    for name, line in (EXAMPLE_JOBS | (DATA_JOBS if data else {})).items():
        started = time.monotonic()
        failure = python("-c", PROGRAM, *shlex.split(line))
        seconds[name] = round(time.monotonic() - started, 1)
        if failure:
            failures[name] = f"facepipe {line}\n{failure}"
        print(f"{seconds[name]:6.1f} s  {name}{'  FAILED' if failure else ''}", file=sys.stderr, flush=True)
    digests: dict[str, Any] = {}
    for path in [*folder.glob("in/*"), *folder.glob("weights/*.safetensors"), *folder.glob("out/**/*")]:
        if path.is_file():
            digests |= digests_of(path, path.relative_to(folder).as_posix())
    return {"machine": machine(), "seconds": seconds, "failures": failures, "digests": digests}


def prepare_data(data: Path, folder: Path) -> None:
    """Write the parts of DATA that the jobs use: videos losslessly, portraits as they are, the start of the speech."""
    for name, frames in CLIPS.items():
        source, cut = data / "clips" / f"{name}.mp4", folder / f"{name}.mp4"
        # One thread: x264 decides by its number of threads, and a lossless file may differ while its frames do not.
        video = ["-c:v", "libx264", "-qp", "0", "-preset", "veryfast", "-threads", "1", "-frames:v", str(frames)]
        ffmpeg("-i", source, *video, "-c:a", "aac", "-shortest", "-fflags", "+bitexact", "-flags", "+bitexact", cut)
    for name in PORTRAITS:
        shutil.copyfile(data / "portraits" / f"{name}.jpg", folder / f"{name}.jpg")
    for name, length in SPEECH.items():
        with (
            wave.open(str(data / "speech" / f"{name}.wav"), "rb") as whole,
            wave.open(str(folder / f"{name}.wav"), "wb") as start,
        ):
            start.setparams(whole.getparams())
            start.writeframes(whole.readframes(round(length * whole.getframerate())))
    (folder / "jobs.csv").write_text(ROWS)


def machine() -> dict[str, str]:
    """Return what results depend on beside the code."""
    processor = [
        line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith(("model name", "flags"))
    ]
    packages = ("torch", "numpy", "opencv-python-headless", "pillow", "numba", "scipy", "scikit-image", "librosa")
    banner = subprocess.run([ffmpeg_path(), "-version"], check=True, capture_output=True, text=True).stdout
    return {
        "processor": processor[0] if processor else platform.processor(),
        "instructions": hashlib.sha256(processor[1].encode()).hexdigest()[:16] if processor else "",
        "python": platform.python_version(),
        "ffmpeg": banner.splitlines()[0],
        **{name: version(name) for name in packages},
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each entry that two runs do not share."""
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            yield f"- {name}"
        elif name not in before:
            yield f"+ {name}"
        elif before[name] != after[name]:
            yield f"! {name}: {change(before[name], after[name])}"


def change(before: Any, after: Any) -> str:
    """Describe how a value changed."""
    if not (isinstance(before, list) and isinstance(after, list)):
        return f"{before} -> {after}"
    if len(before) != len(after):
        return f"{len(before)} -> {len(after)} entries"
    changed = [number for number, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]]
    first = f"{before[changed[0]]} -> {after[changed[0]]}"
    return f"{len(changed)} of {len(before)} differ, from number {changed[0]} to {changed[-1]}; the first: {first}"


def compare(before: Path, after: Path) -> int:
    """Print the differences of two files; return 1 if there are any."""
    old, new = json.loads(before.read_text()), json.loads(after.read_text())
    for name, value in old["machine"].items():
        if new["machine"].get(name) != value:
            print(f"warning: {name} is {value} in one and {new['machine'].get(name)} in the other", file=sys.stderr)
    lines = [*differences(old["digests"], new["digests"])]
    lines += [f"failed in {path}: {name}" for path, one in ((before, old), (after, new)) for name in one["failures"]]
    print("\n".join(lines) or f"no difference in {len(old['digests'])} entries")
    return int(bool(lines))


@contextmanager
def kept_or_temporary(folder: Path | None) -> Iterator[Path]:
    """Yield the folder, or a temporary one if there is none."""
    if folder:
        yield folder.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="facepipe-digests-") as place:
        yield Path(place).resolve()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the jobs, or compare two runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run the jobs and write the digests of their results")
    run.add_argument("checkout", type=Path, help="folder of the code to run")
    run.add_argument("out", type=Path, help="JSON file to write")
    run.add_argument("--data", type=Path, help="folder with clips/, portraits/ and speech/")
    run.add_argument("--folder", type=Path, help="keep inputs, results and work files here")
    comparison = commands.add_parser("compare", help="print the differences between two runs")
    comparison.add_argument("before", type=Path)
    comparison.add_argument("after", type=Path)
    args = parser.parse_args(argv)
    if args.command == "compare":
        return compare(args.before, args.after)
    with kept_or_temporary(args.folder) as folder:
        result = run_jobs(args.checkout.resolve(), args.data and args.data.resolve(), folder)
    args.out.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n")
    print(*result["failures"].values(), sep="\n", end="\n" if result["failures"] else "", file=sys.stderr)
    print(f"{len(result['digests'])} entries in {args.out}, {sum(result['seconds'].values()):.0f} s", file=sys.stderr)
    return int(bool(result["failures"]))


if __name__ == "__main__":
    sys.exit(main())
