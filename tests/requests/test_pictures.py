"""Further pictures of the source in the rows of a batch."""

from __future__ import annotations

from pathlib import Path

import pytest

from facepipe.errors import UsageError
from facepipe.requests import ReenactRequest
from facepipe.requests.cells import cell_of
from facepipe.requests.columns import Columns, files_read, kinds_read, request_of
from facepipe.requests.rules import check_pictures

INPUTS = {"source": "a.png", "driving": "b.mp4"}


@pytest.mark.parametrize("cell", ["c d.png; e.png;", ["c d.png", "e.png"]])
def test_a_row_names_pictures_whose_paths_have_spaces(cell: object) -> None:
    request = request_of(Columns("reenact", INPUTS, "out.mp4", {"source_picture": cell}), Path("list"))
    assert isinstance(request, ReenactRequest)
    assert request.source_picture == (Path("list/c d.png"), Path("list/e.png"))
    assert files_read("reenact", INPUTS.values(), {"source_picture": cell}) == ("a.png", "b.mp4", "c d.png", "e.png")
    assert kinds_read("reenact", INPUTS, {"source_picture": cell})[2:] == (("image",), ("image",))


def test_rows_with_as_many_pictures_share_a_form() -> None:
    """Their paths are placeholders, so that a row is checked once for all."""
    first, second, third = (
        cell_of("reenact", "source_picture", cell).likeness for cell in ("a.png;b.png", "c.png;d.png", "e.png")
    )
    assert first == second != third


def test_renderers_of_one_picture_take_one() -> None:
    check_pictures("mesh", 1, 0)
    with pytest.raises(UsageError, match=r"--source-frames and --source-picture give 3 pictures.*mesh uses one"):
        check_pictures("mesh", 2, 1)
