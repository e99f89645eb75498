"""Files and folders as items of a command: one result per item, named by the relative path of the item."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from facepipe.errors import InputError, UsageError
from facepipe.media.files import kind_of
from facepipe.spaces import SPACES

TRACK, TAKE_SUFFIX, AVATAR_SUFFIX = ".track.npz", ".csv", ".json"
# A file with one of these suffixes that is not a medium is reported as broken; other files are skipped silently.
VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".flv", ".wmv", ".gif")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
SOUND_SUFFIXES = (".wav", ".mp3", ".m4a", ".aac", ".flac", ".ogg", ".opus", ".wma", ".aif", ".aiff", ".amr")
NOT_MEDIA = (".json", ".npz", TAKE_SUFFIX)
MEDIA_SUFFIXES = frozenset((*VIDEO_SUFFIXES, *PICTURE_SUFFIXES))
# A new folder with one of these suffixes would be taken for a file.
RESULT_SUFFIXES = frozenset((*MEDIA_SUFFIXES, ".npz", ".html", ".json"))


@dataclass(frozen=True)
class Item:
    """One input, and the paths of its results."""

    path: Path
    base: Path
    """The path of the results, without suffix."""
    out: Path | None = None
    """The full path of the result, if the user gave it."""

    @property
    def label(self) -> str:
        """The name of the item in messages."""
        return str(self.path)

    def result(self, suffix: str) -> Path:
        """Return the path of the result. Raises UsageError if the path that the user gave has another suffix."""
        if self.out and self.out.suffix.lower() != suffix:
            raise UsageError(
                f"-o is {self.out}, but the result for {self.path} is a {suffix} file; use a name ending in {suffix}"
            )
        return self.out or self.beside(suffix)

    def beside(self, suffix: str) -> Path:
        """Return the path of an additional result beside the main one."""
        return self.base.with_name(self.base.name + suffix)


def is_medium(path: Path) -> bool:
    """Return whether a file is an image or a video, by suffix or content."""
    if path.suffix.lower() in MEDIA_SUFFIXES:
        return True
    try:
        return path.suffix.lower() not in NOT_MEDIA and kind_of(path) in ("image", "video")
    except InputError:
        return False


def is_video(path: Path) -> bool:
    """Return whether a file is a video, by suffix or content."""
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return True
    try:
        return path.suffix.lower() not in (*NOT_MEDIA, *PICTURE_SUFFIXES) and kind_of(path) == "video"
    except InputError:
        return False


def is_track_or_medium(path: Path) -> bool:
    """Return whether a file is a track, or a medium without a track file beside it."""
    if path.name.endswith(TRACK):
        return True
    tracked = any(_exists(path.with_name(name + TRACK)) for name in (path.stem, path.name))
    return is_medium(path) and not tracked


def is_sound(path: Path) -> bool:
    """Return whether a file is sound, by its suffix."""
    return path.suffix.lower() in SOUND_SUFFIXES


def may_be_sound(path: Path) -> bool:
    """Return whether a path may be sound, or a folder with sound, by its suffix. The disk is not read."""
    return path.suffix.lower() not in (*VIDEO_SUFFIXES, *PICTURE_SUFFIXES, ".npz", TAKE_SUFFIX)


def is_sound_or_video(path: Path) -> bool:
    """Return whether a file is sound or a video, by suffix or content."""
    if path.suffix.lower() in (*SOUND_SUFFIXES, *VIDEO_SUFFIXES):
        return True
    try:
        return path.suffix.lower() not in NOT_MEDIA and kind_of(path) in ("sound", "video")
    except InputError:
        return False


def fittable(space: str) -> Callable[[Path], bool]:
    """Return the predicate for files from which motion in a space can be estimated. Some spaces need pixels."""
    return is_medium if "media" in SPACES[space].estimation().inputs else is_track_or_medium


def is_motion(path: Path) -> bool:
    """Return whether a file is a motion file, by its name."""
    return path.suffix == ".npz" and not path.name.endswith(TRACK)


def is_take(path: Path) -> bool:
    """Return whether a file is a take of Live Link Face, by its suffix."""
    return path.suffix.lower() == TAKE_SUFFIX


def is_avatar(path: Path) -> bool:
    """Return whether a file is an avatar, by its suffix."""
    return path.suffix.lower() == AVATAR_SUFFIX


def find_items(inputs: Sequence[Path], out: Path, wanted: Callable[[Path], bool], *, kinds: str) -> list[Item]:
    """Return the items in files and folders, sorted, each with the path of its results below `out`.

    The result of a single file is the file `out`, unless that is a folder or has no suffix. If two results would have
    the same name, both contain the suffix of their inputs. Raises InputError for a folder without items (`kinds`
    describes them in the message), and UsageError if results would still have the same path.
    """
    named = len(inputs) == 1 and not _is_folder(inputs[0]) and out.suffix != "" and not _is_folder(out)
    if named:
        return [Item(inputs[0], without_suffix(out), out)]
    if _exists(out) and not _is_folder(out):
        raise UsageError(f"-o is {out}, a file, but there are several results; give a folder")
    if out.suffix.lower() in RESULT_SUFFIXES and not _is_folder(out):
        raise UsageError(
            f"-o is {out}, the name of a file, but the results of {_listed(inputs)} need a folder; give one, which is "
            "made if it does not exist"
        )
    found = [pair for path in inputs for pair in _below(path, out, wanted, kinds)]
    met = Counter(without_suffix(name) for _, name in found)
    items = [
        Item(path, out / (without_suffix(name) if met[without_suffix(name)] == 1 else name)) for path, name in found
    ]
    again = Counter(item.base for item in items)
    for base, count in again.items():
        if count > 1:
            paths = ", ".join(str(item.path) for item in items if item.base == base)
            raise UsageError(
                f"the results of {paths} would all have the same name in {base.parent}, because the inputs have; run "
                "them separately, each with its own -o"
            )
    return items


def _listed(inputs: Sequence[Path]) -> str:
    return f"the folder {inputs[0]}" if len(inputs) == 1 else f"{len(inputs)} inputs"


def _below(path: Path, out: Path, wanted: Callable[[Path], bool], kinds: str) -> list[tuple[Path, Path]]:
    """Return the wanted files of an input with their names relative to it."""
    if not _is_folder(path):
        return [(path, Path(path.name))]
    found = [(file, file.relative_to(path)) for file in _files(path, out.resolve()) if wanted(file)]
    if not found:
        raise InputError(f"{path}: holds no {kinds}; give the folder that contains them")
    return found


def _files(folder: Path, out: Path) -> Iterator[Path]:
    """Yield the files of a folder and its subfolders, sorted, without hidden files and the folder of the results."""
    for root, folders, files in os.walk(folder):
        here = Path(root)
        folders[:] = [name for name in sorted(folders) if not name.startswith(".") and (here / name).resolve() != out]
        yield from (here / name for name in sorted(files) if not name.startswith("."))


def _exists(path: Path) -> bool:
    return os.path.exists(path)  # noqa: PTH110 (Path.exists raises an error for a name that is too long)


def _is_folder(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112


def without_suffix(path: Path) -> Path:
    """Return a path without its suffix, which of a track is `.track.npz`."""
    if path.name.endswith(TRACK) and path.name != TRACK:
        return path.with_name(path.name.removesuffix(TRACK))
    return path.with_suffix("")
