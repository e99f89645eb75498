"""Drawing: neutral pictures of many vectors in the frame of the face, on several threads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from facepipe.avatar.framing import PLAIN, face_camera
from facepipe.avatar.head import Head
from facepipe.avatar.neutral import NeutralBuilder
from facepipe.avatar.picture import Doubles, Picture
from facepipe.avatar.rasteriser import render
from facepipe.avatar.vector import AvatarVector
from facepipe.creation.alignment import STILL, turned
from facepipe.creation.observation import SIDE_PIXELS
from facepipe.creation.target import View


class Drawing:
    """Draws avatars. Pictures do not depend on the number of threads."""

    def __init__(self, head: Head, threads: ThreadPoolExecutor, view: View = face_camera) -> None:
        self._builder, self._threads, self._view = NeutralBuilder(head), threads, view
        self.count = 0
        """Number of pictures drawn."""

    def draw(
        self, vectors: Sequence[AvatarVector], alignments: Sequence[Doubles] = (), side: int = SIDE_PIXELS
    ) -> list[Picture]:
        """Return the pictures (side, side, 3) of vectors, each displaced by its alignment."""
        self.count += len(vectors)
        alignments = alignments or [STILL] * len(vectors)
        return list(
            self._threads.map(lambda vector, alignment: self._drawn(vector, alignment, side), vectors, alignments)
        )

    def _drawn(self, vector: AvatarVector, alignment: Doubles, side: int) -> Picture:
        avatar = self._builder.build(vector)
        return render(avatar.parts, turned(self._view(avatar), alignment), (side, side), PLAIN)


@contextmanager
def drawing(head: Head, threads: int, view: View = face_camera) -> Iterator[Drawing]:
    """Yield a drawing with some threads, which end with the context."""
    with ThreadPoolExecutor(threads) as pool:
        yield Drawing(head, pool, view)
