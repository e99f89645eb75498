"""Tests against reference numbers: skipped where there are none, failed where some were asked for."""

from pathlib import Path

import pytest

from tests import fixtures


@pytest.mark.parametrize(("made", "told"), [(True, "has no .safetensors"), (False, "is no folder")])
def test_a_folder_that_was_asked_for_has_some(
    made: bool, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "numbers"
    if made:
        folder.mkdir()
    monkeypatch.setattr(fixtures, "FOLDER", folder)
    monkeypatch.delenv("FIXTURES", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"there is no .*a\.safetensors"):
        fixtures.load_fixture("a")
    monkeypatch.setenv("FIXTURES", str(folder))
    with pytest.raises(pytest.fail.Exception, match=f"FIXTURES names {folder}, which {told}"):
        fixtures.load_fixture("a")
    if made:
        (folder / "b.safetensors").touch()
        with pytest.raises(pytest.skip.Exception, match=r"there is no .*a\.safetensors"):
            fixtures.load_fixture("a")
