"""Which torch build make installs, by the card, the system and an index on this machine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tools import choose_torch
from tools.choose_torch import choose


class Index(BaseHTTPRequestHandler):
    """An index with a page for torch and nothing else."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/whl/cpu/torch/" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def served(path: str) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Index) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/{path}"
        server.shutdown()
        thread.join()


@pytest.fixture
def reachable() -> Iterator[str]:
    with served("whl/cpu") as index:
        yield index


@pytest.fixture(params=["another page", "no server", "a server that does not answer", "not an address"])
def unreachable(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(choose_torch, "TIMEOUT_SECONDS", 0.1)
    if request.param == "another page":
        with served("whl/other") as index:
            yield index
    elif request.param == "not an address":
        yield "whl/cpu"
    else:
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            if request.param != "no server":
                server.listen()
            yield f"http://127.0.0.1:{server.getsockname()[1]}/whl/cpu"


@pytest.fixture(autouse=True)
def _bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No NVIDIA driver and no proxy."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def install_driver(folder: Path, script: str) -> None:
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


@pytest.mark.parametrize("choice", ["auto", "cpu"])
def test_without_a_card_the_cpu_build_is_selected(choice: str, reachable: str) -> None:
    options, selected = choose(choice, reachable, "linux")
    assert options == ["--extra-index-url", reachable]
    assert "CPU build" in selected


def test_without_the_index_pip_selects_and_the_message_names_the_size(unreachable: str) -> None:
    options, selected = choose("auto", unreachable, "linux")
    assert options == []
    assert unreachable in selected
    assert "several GB" in selected


def test_a_card_gets_cuda(tmp_path: Path, reachable: str) -> None:
    install_driver(tmp_path, 'echo "GPU 0: Some card (UUID: GPU-1)"')
    assert choose("auto", reachable, "linux")[0] == []
    assert choose("cpu", reachable, "linux")[0] == ["--extra-index-url", reachable]


@pytest.mark.parametrize("script", ["exit 9", "echo No devices found", "echo GPU 0: lost; exit 15"])
def test_a_driver_without_a_card_does_not(script: str, tmp_path: Path, reachable: str) -> None:
    install_driver(tmp_path, script)
    assert choose("auto", reachable, "linux")[0] == ["--extra-index-url", reachable]


@pytest.mark.parametrize(
    ("choice", "platform"), [("keep", "linux"), ("cuda", "linux"), ("auto", "darwin"), ("cpu", "win32")]
)
def test_choices_that_leave_pip_alone_ask_no_index(choice: str, platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    assert choose(choice, choose_torch.CPU_INDEX, platform)[0] == []


def test_options_and_explanation_are_apart(reachable: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert choose_torch.main(["keep"]) == 0
    printed = capsys.readouterr()
    assert printed.out == "\n"
    assert printed.err.count("\n") == 1
    assert "TORCH=cpu, cuda or keep" in printed.err


def test_the_cpu_build_without_its_index_is_an_error(
    unreachable: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    assert choose_torch.main(["cpu", "--index", unreachable]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"{unreachable} cannot be reached" in printed.err
