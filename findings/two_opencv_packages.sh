#!/bin/sh
# Installing face-alignment beside opencv-python-headless replaces its files, and `pip check` reports nothing.
#
# face-alignment 1.5.0 requires opencv-python. A program that runs on servers uses opencv-python-headless. Both packages
# install the module cv2 into the same folder.
#
# Expected: pip refuses to install the second one, or `pip check` reports the conflict; and uninstalling one of the two
# leaves the other working.
#
# Observed: the files installed last win. `pip check` finds no broken requirements. After opencv-python is uninstalled,
# opencv-python-headless is still listed as installed, and `import cv2` fails.
#
# facepipe depends on opencv-python-headless. Its Makefile installs face-alignment without its dependencies, and
# face-alignment works with the headless build.
#
# Output of the run in which it was found (Python 3.11.7):
#
#   face-alignment 1.5.0, opencv-python 5.0.0.93, opencv-python-headless 5.0.0.93
#   as found: face-alignment requires opencv-python
#   as found: with the headless package alone, cv2 is imported
#   as found: with both, pip check finds no broken requirements
#   as found: without opencv-python, the headless package is still listed
#   as found: without opencv-python, cv2 cannot be imported
#
#   sh findings/two_opencv_packages.sh       needs the network; PYTHON picks the interpreter
set -eu
opencv=5.0.0.93
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
python=$folder/venv/bin/python
install() { "$python" -m pip install --quiet --disable-pip-version-check "$@"; }

changed=0
check() { # check STATEMENT COMMAND...
	statement=$1
	shift
	if "$@" > /dev/null 2>&1; then
		echo "as found: $statement"
	else
		echo "CHANGED: $statement"
		changed=1
	fi
}
no() { ! "$@"; }
listed() { "$python" -m pip list 2> /dev/null | grep -q "^opencv-python-headless "; }

echo "face-alignment 1.5.0, opencv-python $opencv, opencv-python-headless $opencv"
install --no-deps --target "$folder/alone" face-alignment==1.5.0
check "face-alignment requires opencv-python" \
	grep -qx "Requires-Dist: opencv-python" "$folder"/alone/face_alignment-1.5.0.dist-info/METADATA
install "opencv-python-headless==$opencv"
check "with the headless package alone, cv2 is imported" "$python" -c "import cv2; cv2.__version__"
install "opencv-python==$opencv"
check "with both, pip check finds no broken requirements" "$python" -m pip check
"$python" -m pip uninstall --quiet --yes opencv-python
check "without opencv-python, the headless package is still listed" listed
check "without opencv-python, cv2 cannot be imported" no "$python" -c "import cv2; cv2.__version__"
exit "$changed"
