"""Names of results that the user did not name. They never replace a result of other inputs or of another command."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, count
from pathlib import Path
from typing import Any

from facepipe.engine import Job
from facepipe.engine.remark import Remark
from facepipe.pipeline.delivery import FORMAT, sidecar_of
from facepipe.pipeline.items import Item


def free_path(
    command: str,
    inputs: Sequence[Path],
    suffix: str,
    *,
    ending: str = "",
    first: Callable[[Path], Path] = lambda path: path,
) -> Path:
    """Return the default result of a command for `inputs` in the current folder, "a--b.mp4" for a.png and b.npz.

    If a result of other inputs or of another command has this name, it is "a.png--b.npz.mp4"; if that is taken as
    well, "a.png--b.npz.2.mp4". `ending` follows the names, such as "--edit"; `first` returns the first file that is
    written for a result.
    """
    short = "--".join(path.stem for path in inputs) + ending
    full = "--".join(path.name for path in inputs) + ending
    paths = (Path(name + suffix) for name in _names(short, full))
    return next(path for path in paths if not _is_of_others(first(path), inputs, command))


def told(job: Job, out: Path, usual: Path, label: str = "") -> None:
    """Remark that a result has another name than usual, if it has."""
    if out.name != usual.name:
        text = (
            f"{usual} is a result of other inputs or of another command, so this one is {out}; -o gives a result "
            "another name"
        )
        job.remark(Remark("other-inputs", text), label=label)


def free_items(job: Job, items: Iterable[Item], source: Path | None, suffixes: Collection[str]) -> list[Item]:
    """Return items whose results, with one of the suffixes, replace none of other inputs. Remarks name the renamed."""
    items = list(items)
    taken = {item.base for item in items}
    return [item if item.out else _free(job, item, source, suffixes, taken) for item in items]


def _free(job: Job, item: Item, source: Path | None, suffixes: Collection[str], taken: set[Path]) -> Item:
    inputs = [item.path, *([source] if source else [])]
    for name in _names(item.base.name, item.path.name):
        free = replace(item, base=item.base.with_name(name))
        outs = [free.beside(suffix) for suffix in suffixes]
        if (free.base == item.base or free.base not in taken) and not any(_is_of_others(out, inputs) for out in outs):
            break
    taken.add(free.base)
    told(job, free.base, item.base, item.label)
    return free


def _names(short: str, full: str) -> Iterator[str]:
    return chain(dict.fromkeys((short, full)), (f"{full}.{number}" for number in count(2)))


def _is_of_others(out: Path, inputs: Iterable[Path], command: str = "") -> bool:
    """Return whether `out` is a result of facepipe that was made of other inputs, by its sidecar.

    An input that was moved since is the same. With `command`, so is a result of another command.
    """
    try:
        content: Any = json.loads(sidecar_of(out).read_text(encoding="utf-8"))
        if content["format"] != FORMAT or out.name not in content["files"]:
            return False
        made_by, *words = content["command"]["arguments"]
        given = [Path(word) for word in words]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False
    moved = {path.name for path in given if not path.exists()}
    same = all(path.absolute() in given or path.name in moved for path in inputs)
    return not same or command not in ("", made_by)
