"""The state of all items after a round, and how a batch ended."""

from __future__ import annotations

import shlex
import signal
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from facepipe.batch.plan import Checked
from facepipe.errors import ExitCode
from facepipe.settings import WorkSettings

FAILED_REASON = "failed ("
"""The beginning of the reason of a failed item; its class and a bracket follow."""


@dataclass(frozen=True)
class Settled:
    """The outcome of a batch."""

    total: int
    done: int
    """Items done in this run and in earlier ones."""
    made: int
    failed: int
    claimed_elsewhere: int
    """Items that other processes are making."""
    remaining: int
    exit_code: ExitCode
    message: str
    failure_classes: Mapping[str, int] = field(default_factory=dict)
    """Number of failed items by class."""
    remarks: Mapping[str, int] = field(default_factory=dict)
    """Number of items of this run by code of a remark."""


@dataclass
class Survey:
    """The items of a shard by state, counted after a round."""

    open: list[str] = field(default_factory=list)
    """Ids of the items still to be made, also those that other processes have claimed."""
    done: int = 0
    classes: Counter[str] = field(default_factory=Counter)
    """Failed items by class."""
    claimed_elsewhere: int = 0
    remaining: int = 0

    @property
    def failed(self) -> int:
        """The number of failed items."""
        return self.classes.total()

    @classmethod
    def of_plan(cls, checked: Checked) -> Survey:
        """Return the survey of a list of which nothing is to be made."""
        classes = {
            reason[len(FAILED_REASON) : -1]: count
            for reason, count in checked.reasons.items()
            if reason.startswith(FAILED_REASON)
        }
        return cls(done=checked.done, classes=Counter(classes), remaining=checked.failed - sum(classes.values()))


@dataclass
class Stop:
    """Why a run stopped before all items had ended, if it did."""

    signal: int = 0
    """Number of the signal; 0 without one."""
    message: str = ""
    """What a limit or the disk says."""
    limit_reached: bool = False

    def __bool__(self) -> bool:
        return bool(self.signal or self.message)


def settle(survey: Survey, stop: Stop, *, total: int, made: int, remarks: Mapping[str, int], work: Path) -> Settled:
    """Return how a batch ended: its counts, exit code and final message."""
    remaining = survey.remaining + len(survey.open) - survey.claimed_elsewhere
    code, message = _verdict(survey.failed, survey.claimed_elsewhere, remaining, stop, work)
    return Settled(
        total,
        survey.done,
        made,
        survey.failed,
        survey.claimed_elsewhere,
        remaining,
        code,
        message,
        dict(survey.classes.most_common()),
        dict(remarks),
    )


def _verdict(failed: int, elsewhere: int, remaining: int, stop: Stop, work: Path) -> tuple[ExitCode, str]:
    if stop.signal:
        code = ExitCode.INTERRUPTED if stop.signal == signal.SIGINT else ExitCode.TRY_AGAIN
        name = signal.Signals(stop.signal).name
        return code, f"stopped by {name}; finished items are kept, run the same command to continue"
    if stop.message:
        return (ExitCode.FAILURE_LIMIT if stop.limit_reached else ExitCode.FAILED_ITEMS), stop.message
    if elsewhere:
        return ExitCode.TRY_AGAIN, f"{items_text(elsewhere)} being made by other processes; run the same command later"
    if failed or remaining:
        listed = f"`{command_on('failures', work)}` lists them with their reasons"
        return ExitCode.FAILED_ITEMS, f"{failed + remaining} item{'s' * (failed + remaining != 1)} failed; {listed}"
    return ExitCode.DONE, ""


def items_text(count: int) -> str:
    """Return "1 item is" or "3 items are"."""
    return "1 item is" if count == 1 else f"{count} items are"


def command_on(command: str, work: Path) -> str:
    """Return the command line that reads a work folder, such as "facepipe failures out/work"."""
    usual = work.absolute() == Path(WorkSettings.folder).absolute()
    return f"facepipe {command}" if usual else f"facepipe {command} {shlex.quote(str(work))}"
