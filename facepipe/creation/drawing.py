"""Drawing: neutral pictures of many vectors in the frame of the face, on several threads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from facepipe.avatar.framing import PLAIN, face_camera
from facepipe.avatar.head import Head
from facepipe.avatar.neutral import NeutralBuilder
from facepipe.avatar.picture import Picture
from facepipe.avatar.rasteriser import render
from facepipe.avatar.vector import AvatarVector
from facepipe.creation.observation import SIDE_PIXELS


class Drawing:
    """Draws avatars. Pictures do not depend on the number of threads."""

    def __init__(self, head: Head, threads: ThreadPoolExecutor) -> None:
        self._builder, self._threads = NeutralBuilder(head), threads
        self.count = 0
        """Number of pictures drawn."""

    def draw(self, vectors: Sequence[AvatarVector], side: int = SIDE_PIXELS) -> list[Picture]:
        """Return the pictures (side, side, 3) of vectors."""
        self.count += len(vectors)
        return list(self._threads.map(lambda vector: self._drawn(vector, side), vectors))

    def _drawn(self, vector: AvatarVector, side: int) -> Picture:
        avatar = self._builder.build(vector)
        return render(avatar.parts, face_camera(avatar), (side, side), PLAIN)


@contextmanager
def drawing(head: Head, threads: int) -> Iterator[Drawing]:
    """Yield a drawing with some threads, which end with the context."""
    with ThreadPoolExecutor(threads) as pool:
        yield Drawing(head, pool)
