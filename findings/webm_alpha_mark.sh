#!/bin/sh
# ffmpeg 9.0.2 (imageio-ffmpeg 0.8.1): a stream copy with -map_metadata -1 makes the alpha channel of a WebM invisible.
#
# Expected: -map_metadata -1 drops titles, dates and the like. The alpha channel of VP9 lies in the packets
# (BlockAdditional), and a stream copy keeps packets, so that the copy is as transparent as the original.
#
# Observed: ffmpeg takes the element AlphaMode of the track for a tag, `alpha_mode`. The option drops it with the other
# tags, when encoding as well. The packets still hold the alpha channel, but players that read AlphaMode show the copy
# opaque, and so does ffmpeg's description of it.
#
# facepipe writes -metadata:s:v:0 alpha_mode=1 wherever it drops metadata (facepipe/media/encode.py).
#
# Output of the run in which it was found (Python 3.11.7):
#
#   ffmpeg n9.0.2-17-g2a571b6068-20260930
#   as found: encoded: marked True, alpha of a pixel 129
#   as found: copied: marked True, alpha of a pixel 129
#   as found: bare: marked False, alpha of a pixel 129
#   as found: set: marked True, alpha of a pixel 129
#
#   sh findings/webm_alpha_mark.sh       needs the network; PYTHON picks the interpreter
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check imageio-ffmpeg==0.8.1
"$folder/venv/bin/python" - "$folder" <<'CODE'
import subprocess
import sys
from pathlib import Path

from imageio_ffmpeg import get_ffmpeg_exe, get_ffmpeg_version

folder = Path(sys.argv[1])
FRAME = bytes((200, 100, 50, 128)) * 32 * 32


def ffmpeg(*arguments: str, data: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([get_ffmpeg_exe(), "-hide_banner", "-y", *arguments], input=data, capture_output=True)


def described(path: str) -> tuple[bool, int]:
    """Return whether ffmpeg finds the mark, and the alpha of the first pixel."""
    marked = b"alpha_mode" in ffmpeg("-i", path).stderr.lower()
    pixels = ffmpeg("-c:v", "libvpx-vp9", "-i", path, "-f", "rawvideo", "-pix_fmt", "rgba", "-").stdout
    return marked, pixels[3]


made, plain, bare, again = (str(folder / f"{name}.webm") for name in ("made", "plain", "bare", "again"))
raw = ["-f", "rawvideo", "-pix_fmt", "rgba", "-video_size", "32x32", "-i", "-"]
ffmpeg(*raw, "-c:v", "libvpx-vp9", "-pix_fmt", "yuva420p", "-auto-alt-ref", "0", made, data=2 * FRAME)
ffmpeg("-i", made, "-c", "copy", plain)
ffmpeg("-i", made, "-c", "copy", "-map_metadata", "-1", bare)
ffmpeg("-i", made, "-c", "copy", "-map_metadata", "-1", "-metadata:s:v:0", "alpha_mode=1", again)
print("ffmpeg", get_ffmpeg_version())
holds = True
files = {"encoded": (made, True), "copied": (plain, True), "bare": (bare, False), "set": (again, True)}
for name, (path, wanted) in files.items():
    marked, alpha = described(path)
    as_found = marked is wanted and abs(alpha - 128) < 8
    print("as found:" if as_found else "CHANGED:", f"{name}: marked {marked}, alpha of a pixel {alpha}")
    holds &= as_found
sys.exit(not holds)
CODE
