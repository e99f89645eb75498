#!/bin/sh
# opencv-python-headless 4.14.0 and 5.0.0: warpAffine samples the same picture at other positions.
#
# Expected: `cv2.warpAffine` with INTER_LINEAR interpolates at the position that the matrix gives, so that a shift by
# 1/100 pixel turns an edge from 0 to 255 into 252.45 (float32).
#
# Observed: version 4 rounds positions to 1/32 pixel and leaves the edge at 255, for float32 as well. Version 5 does not
# round. Crops of a face differ by a few levels at its edges between two installations of facepipe.
#
# facepipe takes both. The record of each result names the version of OpenCV, and `facepipe doctor` says which kind it is
# (facepipe/face/cropping.py).
#
# Output of the run in which it was found (Python 3.11.7, numpy 2.4.6):
#
#   as found: opencv 4.14.0 leaves the edge at 255.0
#   as found: opencv 5.0.0 moves the edge to 252.45
#
#   sh findings/opencv_warp_positions.sh       needs the network; PYTHON picks the interpreter
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
changed=0
for case in 4.14.0.94:255.0 5.0.0.93:252.45; do
    "${PYTHON:-python3}" -m venv --clear "$folder/venv"
    "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        "opencv-python-headless==${case%%:*}" numpy==2.4.6
    "$folder/venv/bin/python" - "${case##*:}" <<'CODE' || changed=1
import sys

import cv2
import numpy as np

edge = np.array([[0, 255], [0, 255]], np.float32)
moved = cv2.warpAffine(edge, np.array([[1, 0, 1 / 100], [0, 1, 0]]), (2, 2), borderMode=cv2.BORDER_REPLICATE)
value, wanted = float(moved[0, 1]), float(sys.argv[1])
holds = abs(value - wanted) < 0.05
verb = "leaves the edge at" if value == 255 else "moves the edge to"
print("as found:" if holds else "CHANGED:", f"opencv {cv2.__version__} {verb} {round(value, 2)}")
sys.exit(not holds)
CODE
done
exit $changed
