#!/bin/sh
# imageio-ffmpeg 0.8.1 (ffmpeg n9.0.2): a VVC video that ffmpeg itself writes to Matroska or MPEG-TS loses frames when it
# is read, without a message.
#
# Expected: two seconds of 25 frames/s, encoded by libvvenc, are 50 frames when decoded, in each container that ffmpeg
# accepts for VVC.
#
# Observed: from .mp4 and .vvc 50 frames are decoded, from .mkv and .ts 29, with exit code 0 and nothing on stderr. The
# packets are all there. The first one is displayed 0.92 s after the pictures that follow it, and ffmpeg takes its time for
# the start of the file: the 23 pictures displayed before get negative times and are dropped on output. With `-copyts` all
# 50 frames are decoded.
#
# facepipe decodes such a file once to learn the times of its frames, and moves them behind 0 (facepipe/media/probe.py).
#
# Output of the run in which it was found (Python 3.11.7):
#
#   ffmpeg n9.0.2-17-g2a571b6068-20260930
#   as found: mp4 50 frames, 50 with -copyts, starts at 0.000000
#   as found: vvc 50 frames
#   as found: mkv 29 frames, 50 with -copyts, starts at 0.920000
#   as found: ts 29 frames, 50 with -copyts, starts at 2.520000
#
#   sh findings/vvc_in_matroska.sh       needs the network; PYTHON picks the interpreter
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check imageio-ffmpeg==0.8.1
cd "$folder"
"$folder/venv/bin/python" - <<'CODE'
import re
import subprocess
import sys

import imageio_ffmpeg

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
PIXELS = 256 * 256


def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([FFMPEG, "-nostdin", "-y", *arguments], capture_output=True, check=False)


def frames(path: str, *options: str) -> int:
    done = run("-v", "warning", *options, "-i", path, "-f", "rawvideo", "-pix_fmt", "gray", "pipe:1")
    assert done.returncode == 0, done.stderr
    assert not done.stderr or path.endswith("mp4"), done.stderr  # in mp4, a remark about the edit list
    return len(done.stdout) // PIXELS


changed = False
print("ffmpeg", run("-version").stdout.decode().split()[2])
source = ("-v", "error", "-f", "lavfi", "-i", "testsrc2=size=256x256:rate=25:duration=2")
wanted = {"mp4": (50, 50, "0.000000"), "vvc": (50,), "mkv": (29, 50, "0.920000"), "ts": (29, 50, "2.520000")}
for suffix, expected in wanted.items():
    path = f"clip.{suffix}"
    run(*source, "-c:v", "libvvenc", "-preset", "faster", "-qp", "40", path)
    found: tuple[object, ...] = (frames(path),)
    if suffix != "vvc":  # a raw stream has no times of its own
        start = re.search(r"start: ([\d.]+)", run("-i", path).stderr.decode())
        found += (frames(path, "-copyts"), start[1] if start else "")
    text = f"{suffix} {found[0]} frames" + (f", {found[1]} with -copyts, starts at {found[2]}" if len(found) > 1 else "")
    print("as found:" if found == expected else "CHANGED:", text)
    changed |= found != expected
sys.exit(changed)
CODE
