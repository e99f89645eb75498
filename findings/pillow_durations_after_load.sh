#!/bin/sh
# Pillow 13.0.0: the duration of a frame of an animated WebP or AVIF is wrong until the frame is loaded.
#
# Expected: after `image.seek(n)`, `image.info["duration"]` is the duration of frame n, as for GIF and PNG.
#
# Observed: for WebP and AVIF it is missing or that of the frame loaded before, until `image.load()` is called. A loop
# over `seek` alone finds no duration at all, which is easily taken for the default of 100 ms.
#
# facepipe loads each frame before it reads the duration (facepipe/media/animation.py).
#
# Output of the run in which it was found (Python 3.11.7):
#
#   pillow 13.0.0
#   as found: GIF [40, 80, 120] after seek, [40, 80, 120] after load
#   as found: PNG [40, 80, 120] after seek, [40, 80, 120] after load
#   as found: WEBP [None, None, None] after seek, [40, 80, 120] after load
#   as found: AVIF [None, None, None] after seek, [40, 80, 120] after load
#
#   sh findings/pillow_durations_after_load.sh       needs the network; PYTHON picks the interpreter
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check pillow==13.0.0
"$folder/venv/bin/python" - <<'CODE'
import io
import sys

import PIL
from PIL import Image

DELAYS = [40, 80, 120]


def durations(file: io.BytesIO, *, load: bool) -> list[int | None]:
    file.seek(0)
    found = []
    with Image.open(file) as image:
        for index in range(3):
            image.seek(index)
            if load:
                image.load()
            value = image.info.get("duration")
            found.append(None if value is None else round(value))
    return found


print("pillow", PIL.__version__)
holds = True
frames = [Image.new("RGB", (32, 32), (80 * index, 0, 0)) for index in range(3)]
for kind in ("GIF", "PNG", "WEBP", "AVIF"):
    file = io.BytesIO()
    frames[0].save(file, kind, save_all=True, append_images=frames[1:], duration=DELAYS)
    early, late = durations(file, load=False), durations(file, load=True)
    as_found = late == DELAYS and (early == DELAYS) == (kind in ("GIF", "PNG"))
    print("as found:" if as_found else "CHANGED:", f"{kind} {early} after seek, {late} after load")
    holds &= as_found
sys.exit(not holds)
CODE
