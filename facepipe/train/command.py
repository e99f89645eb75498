"""The words that trainings are started with: the same by `facepipe train NAME` and by `python -m` of the module."""

from __future__ import annotations

import argparse
from pathlib import Path

FOLDERS = {
    "data": "folder with clips/, portraits/ and sources.tsv",
    "labels": "what tools/label_with_mediapipe.py made of it",
    "cache": "folder for unpacked pictures; made when it is empty",
    "out": "where the run keeps its checkpoint, or the file that is made",
}


def parser_of(name: str, about: str | None, *folders: str) -> argparse.ArgumentParser:
    """Return the parser of `facepipe train NAME` with the wanted ones of FOLDERS, all required."""
    parser = argparse.ArgumentParser(
        prog=f"facepipe train {name}", description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for folder in folders:
        parser.add_argument(f"--{folder}", type=Path, required=True, help=FOLDERS[folder])
    return parser
