#!/bin/sh
# The demo of `make demo`: animate the example portrait with a clip that facepipe itself renders from motion.npz.
#
#   sh examples/demo.sh FOLDER       with facepipe and python of one environment first on PATH
#
# FOLDER receives all of it; run again, it says what is done already. The commands that make the pictures stand between
# the two lines, one a line.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
cd "$1"
[ -s portrait.png ] || python "$here/portrait.py" portrait.png
# ---------------------------------------------------------------------------------------------------------------------
facepipe reenact portrait.png "$here/motion.npz" --reference first -o driver.mp4
facepipe reenact portrait.png driver.mp4 -o result.mp4 --sheet result.png
# ---------------------------------------------------------------------------------------------------------------------
echo
echo "The video:          $(pwd)/result.mp4"
echo "Its contact sheet:  $(pwd)/result.png"
