"""All findings are run, and one that changed is named."""

from pathlib import Path

import pytest

from tools.run_findings import main


def test_the_changed_ones_are_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.sh").write_text("exit 1\n")
    (tmp_path / "b.sh").write_text("echo same\n")
    assert main(tmp_path) == 1
    printed = capfd.readouterr().out.splitlines()
    assert printed == ["a:", "b:", "same", "2 findings, 1 changed: a"]
    (tmp_path / "a.sh").unlink()
    assert main(tmp_path) == 0
    assert capfd.readouterr().out.endswith("1 findings, 0 changed\n")
