"""Command-line arguments of trainings: the same for `facepipe train NAME` and `python -m` of the module.

The pages and messages have the form of the other commands.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

FOLDERS = {
    "data": "Folder with clips/, portraits/ and sources.tsv.",
    "labels": "Folder that tools/label_with_mediapipe.py wrote for DATA.",
    "mattes": "Folder that tools/mattes_with_mediapipe.py wrote for DATA.",
    "cache": "Folder for unpacked pictures; filled if it is empty.",
    "out": "Folder of the run with its checkpoint, or the file to write.",
}


class TrainingParser(argparse.ArgumentParser):
    """A parser with the headings and messages of the other commands."""

    def __init__(self, name: str, about: str | None) -> None:
        super().__init__(
            prog=f"facepipe train {name}",
            description=about,
            formatter_class=_Formatter,
            add_help=False,
            allow_abbrev=False,
        )
        self._positionals.title, self._optionals.title = "Arguments", "Options"

    def error(self, message: str) -> NoReturn:
        """End the program with exit code 2."""
        self.exit(2, f"facepipe: {message}; `{self.prog} --help` lists the options\n")

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse the arguments, after the options of all commands have been added."""
        # `facepipe train` reads these two itself; they are here for the help, and for `python -m`.
        self.add_argument("-q", "--quiet", action="store_true", help="Print only results and errors.")
        self.add_argument(
            "-v", "--verbose", action="store_true", help="Print more output, and the traceback of an error."
        )
        self.add_argument("-h", "--help", action="help", help="Show this message and exit.")
        return super().parse_args(args, namespace)


class _Formatter(argparse.RawDescriptionHelpFormatter):
    def add_usage(self, usage: Any, actions: Iterable[Any], groups: Any, prefix: str | None = None) -> None:
        super().add_usage(usage, actions, groups, prefix or "Usage: ")

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.required and action.option_strings:
            return f"{action.help}  [required]"
        if action.default in (None, False, argparse.SUPPRESS) or not action.option_strings:
            return action.help
        return f"{action.help}  [default: %(default)s]"


def parser_of(name: str, about: str | None, *folders: str) -> TrainingParser:
    """Return the parser of `facepipe train NAME` with the given folders of FOLDERS, all required."""
    parser = TrainingParser(name, about)
    for folder in folders:
        parser.add_argument(f"--{folder}", type=Path, required=True, help=FOLDERS[folder], metavar="PATH")
    return parser
