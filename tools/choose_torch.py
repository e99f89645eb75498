"""Print the pip options that select the torch build for this machine.

    python tools/choose_torch.py [auto|cpu|cuda|keep] [--index URL]

On Linux, torch from PyPI contains CUDA and takes several GB. torch has an index of its own with CPU builds, which take
a tenth of that. On macOS and Windows, torch from PyPI contains no CUDA.

    auto  the CPU build on Linux without an NVIDIA card if torch's index can be reached, otherwise as `keep`
    cpu   the CPU build; exit code 1 if torch's index cannot be reached
    cuda  torch from PyPI, which on Linux contains CUDA
    keep  whatever pip selects by its own settings, without a look at the machine or the network

The options go to stdout, one line that says what was selected and why to stderr. pip never replaces an installed torch
that facepipe can use, so the choice counts when the environment is made. Uses the standard library only: it runs before
anything is installed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import urllib.request
from collections.abc import Sequence

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
TIMEOUT_SECONDS = 5.0
CHOICES = ("auto", "cpu", "cuda", "keep")


def has_nvidia_card() -> bool:
    """Return whether the NVIDIA driver lists a card. Without a driver torch cannot use one."""
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return listed.returncode == 0 and listed.stdout.startswith("GPU ")


def is_reachable(index: str) -> bool:
    """Return whether a package index has a page for torch. Proxies are taken from the environment."""
    try:
        with urllib.request.urlopen(f"{index}/torch/", timeout=TIMEOUT_SECONDS):
            return True
    except (OSError, ValueError):  # URLError, HTTPError and TimeoutError are OSError; a malformed address is ValueError
        return False


def choose(choice: str, index: str, platform: str) -> tuple[list[str], str]:
    """Return the pip options for a choice and what they select. Raises LookupError for `cpu` without its index."""
    if choice == "keep":
        return [], "as pip's own settings select it"
    if platform != "linux":
        return [], "from PyPI, as on every system but Linux"
    if choice == "cuda":
        return [], "from PyPI, with CUDA"
    if choice == "auto" and has_nvidia_card():
        return [], "from PyPI, with CUDA, for the NVIDIA card of this machine"
    if is_reachable(index):
        reason = ", as no NVIDIA card was found" if choice == "auto" else ""
        return ["--extra-index-url", index], f"the CPU build{reason}"
    if choice == "cpu":
        raise LookupError(f"the CPU build is not available: {index} cannot be reached")
    return [], f"as pip's own settings select it (PyPI's has CUDA, several GB): {index} cannot be reached"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the options and the explanation; return the exit code."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("choice", nargs="?", default="auto", choices=CHOICES)
    parser.add_argument("--index", default=CPU_INDEX, help="index with CPU builds (default: %(default)s)")
    given = parser.parse_args(arguments)
    try:
        options, selected = choose(given.choice, given.index, sys.platform)
    except LookupError as error:
        print(f"torch: {error}", file=sys.stderr)
        return 1
    print(*options)
    print(f"torch: {selected}; TORCH=cpu, cuda or keep selects another", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
