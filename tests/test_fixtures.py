"""Tests with reference numbers are skipped without them, and fail if FIXTURES names a folder without any."""

from pathlib import Path

import pytest

from tests import fixtures


@pytest.mark.parametrize(("made", "fault"), [(True, "has no .safetensors"), (False, "is not a folder")])
def test_a_folder_without_reference_numbers(
    made: bool, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "numbers"
    if made:
        folder.mkdir()
    monkeypatch.setattr(fixtures, "FOLDER", folder)
    monkeypatch.delenv("FIXTURES", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"there is no .*a\.safetensors"):
        fixtures.load_fixture("a")
    monkeypatch.setenv("FIXTURES", str(folder))
    with pytest.raises(pytest.fail.Exception, match=f"FIXTURES names {folder}, which {fault}"):
        fixtures.load_fixture("a")
    if made:
        (folder / "b.safetensors").touch()
        with pytest.raises(pytest.skip.Exception, match=r"there is no .*a\.safetensors"):
            fixtures.load_fixture("a")
