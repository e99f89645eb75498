"""`facepipe bench renderer` without a package that one of the renderers needs."""

from __future__ import annotations

import pytest

from facepipe.bench import networks
from facepipe.errors import ToolError
from tests.pipeline.scene import run


def test_a_renderer_without_its_package_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[str] = []

    def measure(name: str, _rounds: int) -> list[object]:
        if name == "avatar":
            raise ToolError("no package")
        measured.append(name)
        return []

    monkeypatch.setattr(networks, "measure", measure)
    done = run("bench", "renderer")
    assert done.exit_code == 0
    assert "avatar is not measured: no package" in done.stderr
    assert measured == [name for name in networks.measurable() if name != "avatar"]
    named = run("bench", "renderer", "avatar")
    assert named.exit_code != 0
    assert "no package" in named.stderr
