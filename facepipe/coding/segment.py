"""Coding of segments: some seconds of a clip after another, with a state that passes from each to the next."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from facepipe.codec import Framing, Header, SoundFormat, Writer
from facepipe.coding.assembling import write_run
from facepipe.coding.models import KINDS, open_kind
from facepipe.coding.plan import Budget, Plan
from facepipe.coding.run import CodedRun, RunCoder
from facepipe.coding.viewing import View, Viewer, load_followed, save_followed
from facepipe.media.stills_codec import FORMAT

NO_DIGEST = bytes(16)
"""The digest of weights in segments, which only their joined stream states."""
FIRST_PLAN = Plan(8, 1)
"""The plan of a clip whose first segment shows no face."""


class SegmentCoder:
    """Codes a clip segment by segment."""

    def __init__(
        self,
        weights: Mapping[str, Path],
        *,
        kind: str,
        fps: Fraction,
        size_pixels: int,
        face: str = "largest",
        bits_per_second: float,
        corrects: bool = True,
    ) -> None:
        """Open the networks. `weights` are files by the registry names of the kind of tokens."""
        portraits, self.table = open_kind(KINDS[kind], weights)
        self.kind, self.fps, self.size = kind, fps, size_pixels
        self.viewer = Viewer(portraits.faces, float(fps), size_pixels, face=face)
        self.runs = RunCoder(portraits, self.table, Budget(bits_per_second), corrects)

    @property
    def plan(self) -> Plan:
        """The plan so far."""
        return self.runs.plan or FIRST_PLAN

    def header(self, model_digest: bytes = NO_DIGEST, sound: SoundFormat | None = None) -> Header:
        """Return the header of a stream by the plan so far."""
        return Header(
            width=self.size,
            height=self.size,
            fps=self.fps,
            tokens=self.kind,
            model_digest=model_digest,
            table_digest=self.table.digest,
            scale=self.plan.scale,
            still_codec=FORMAT,
            sound=sound,
        )

    def code(self, view: View) -> list[CodedRun]:
        """Return the runs of a view. The first view settles the plan, which the header of a stream states."""
        runs = list(self.runs.code(view))
        self.runs.plan = self.plan
        return runs

    def write(self, view: View, out: BinaryIO) -> dict[str, Any]:
        """Write the frames of a view as a stream of its own; return facts about it."""
        runs = self.code(view)
        writer = Writer(out, self.header())
        for run in runs:
            write_run(writer, run, framing_of(view))
        writer.finish()
        stills = sum(len(run.still) + len(run.reference) for run in runs)
        return {
            "frames": len(view),
            "stills": len(runs),
            "still_bytes": stills,
            "token_bytes": sum(len(packet) for run in runs for packet in run.packets if packet),
            "scale": self.plan.scale,
            "interval": self.plan.interval,
        }


def framing_of(view: View) -> Framing:
    """Return the place of the square in the picture."""
    square = view.square
    return Framing(*view.picture_size, square.center_x, square.center_y, square.side, square.angle_radians)


def save_state(coder: SegmentCoder, path: Path) -> None:
    """Write what the next segment needs."""
    plan = json.dumps(asdict(coder.runs.plan) if coder.runs.plan else None)
    save_followed(coder.viewer.followed, path, plan=np.frombuffer(plan.encode(), np.uint8))


def load_state(coder: SegmentCoder, path: Path) -> None:
    """Continue where the segment before ended."""
    coder.viewer.followed = load_followed(path)
    with np.load(path, allow_pickle=False) as file:
        plan = json.loads(file["plan"].tobytes())
    coder.runs.plan = Plan(**plan) if plan else None
