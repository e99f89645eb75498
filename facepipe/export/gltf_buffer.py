"""The binary part of a glTF file: accessors of arrays, packed one after the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pygltflib import (
    ARRAY_BUFFER,
    ELEMENT_ARRAY_BUFFER,
    FLOAT,
    MAT4,
    SCALAR,
    UNSIGNED_BYTE,
    UNSIGNED_INT,
    UNSIGNED_SHORT,
    VEC2,
    VEC3,
    VEC4,
    Accessor,
    AccessorSparseIndices,
    AccessorSparseValues,
    BufferView,
    Sparse,
)

from facepipe.export.avatar_model import Displacements

COMPONENTS = {
    np.dtype(np.float32): FLOAT,
    np.dtype(np.uint8): UNSIGNED_BYTE,
    np.dtype(np.uint16): UNSIGNED_SHORT,
    np.dtype(np.uint32): UNSIGNED_INT,
}
TYPES = {(): SCALAR, (2,): VEC2, (3,): VEC3, (4,): VEC4, (4, 4): MAT4}
ALIGNMENT = 4
VERTICES, INDICES = ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER


class GltfBuffer:
    """Accessors, their views, and the bytes."""

    def __init__(self) -> None:
        self.accessors: list[Accessor] = []
        self.views: list[BufferView] = []
        self.content = bytearray()
        self._zeros: dict[int, int] = {}

    def add(self, array: NDArray[np.generic], target: int | None = None, *, bounds: bool = False) -> int:
        """Append an array of rows and return its accessor. `bounds` states its extremes, as POSITION needs."""
        return self._accessor(array, len(array), view=self.view(array.tobytes(), target), bounds=bounds)

    def add_displacements(self, moved: Displacements, count: int) -> int:
        """Append displacements of `count` vertices and return their accessor; sparse where that is smaller.

        Where nothing moves the accessor has no bytes, and is the same for all.
        """
        if not len(moved.vertices):
            if count not in self._zeros:
                self._zeros[count] = self._accessor(np.zeros((1, 3), np.float32), count, bounds=True)
            return self._zeros[count]
        dense = moved.dense(count)
        indices = moved.vertices.astype(_index_type(count))
        if indices.nbytes + moved.offsets.nbytes >= dense.nbytes:
            return self.add(dense, VERTICES, bounds=True)
        accessor = self._accessor(dense, count, bounds=True)
        self.accessors[accessor].sparse = Sparse(
            count=len(indices),
            indices=AccessorSparseIndices(
                bufferView=self.view(indices.tobytes()), componentType=COMPONENTS[indices.dtype]
            ),
            values=AccessorSparseValues(bufferView=self.view(moved.offsets.tobytes())),
        )
        return accessor

    def add_triangles(self, triangles: NDArray[np.int32], count: int) -> int:
        """Append triangles (M, 3) of a mesh of `count` vertices and return their accessor."""
        return self.add(triangles.astype(_index_type(count)).reshape(-1), INDICES)

    def view(self, content: bytes, target: int | None = None) -> int:
        """Append bytes and return their view."""
        self.content += b"\0" * (-len(self.content) % ALIGNMENT)
        self.views.append(BufferView(buffer=0, byteOffset=len(self.content), byteLength=len(content), target=target))
        self.content += content
        return len(self.views) - 1

    def _accessor(
        self, array: NDArray[np.generic], count: int, *, view: int | None = None, bounds: bool = False
    ) -> int:
        self.accessors.append(
            Accessor(
                bufferView=view,
                byteOffset=None if view is None else 0,
                componentType=COMPONENTS[array.dtype],
                count=count,
                type=TYPES[array.shape[1:]],
                min=np.min(array, axis=0, keepdims=True).ravel().tolist() if bounds else None,
                max=np.max(array, axis=0, keepdims=True).ravel().tolist() if bounds else None,
            )
        )
        return len(self.accessors) - 1


def _index_type(count: int) -> type[np.uint16] | type[np.uint32]:
    # The greatest number of each type restarts a primitive, so it names no vertex.
    return np.uint16 if count <= np.iinfo(np.uint16).max else np.uint32
