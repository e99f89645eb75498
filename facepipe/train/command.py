"""Command-line arguments of trainings: the same for `facepipe train NAME` and `python -m` of the module."""

from __future__ import annotations

import argparse
from pathlib import Path

FOLDERS = {
    "data": "folder with clips/, portraits/ and sources.tsv",
    "labels": "folder that tools/label_with_mediapipe.py wrote for DATA",
    "cache": "folder for unpacked pictures; filled if it is empty",
    "out": "folder of the run with its checkpoint, or the file to write",
}


def parser_of(name: str, about: str | None, *folders: str) -> argparse.ArgumentParser:
    """Return the parser of `facepipe train NAME` with the given folders of FOLDERS, all required."""
    parser = argparse.ArgumentParser(
        prog=f"facepipe train {name}", description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for folder in folders:
        parser.add_argument(f"--{folder}", type=Path, required=True, help=FOLDERS[folder])
    return parser
