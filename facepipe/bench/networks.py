"""Which renderers' networks can be measured alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from facepipe.bench.compact import measure_compact
from facepipe.bench.figure import Figure
from facepipe.bench.renderers import measure_pirender

#: By the renderer's name.
MEASURES: Mapping[str, Callable[[int], Iterable[Figure]]] = {"compact": measure_compact, "pirender": measure_pirender}
