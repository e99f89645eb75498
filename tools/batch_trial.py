"""Expose real batches to failures, and check that nothing is lost, damaged or done twice.

    python tools/batch_trial.py kills [--kills 200]    SIGKILL workers and leaders at random until all is done
    python tools/batch_trial.py corrupt                one bad item of a thousand, repaired and tried again
    python tools/batch_trial.py full                   the disk is full in the middle (needs the right to mount)
    python tools/batch_trial.py clock                  the clock is set back three days before the batch is resumed
    python tools/batch_trial.py hosts                  two machines, by host name, on one folder (needs unshare)
    python tools/batch_trial.py stale                  claims of a lost machine are taken over

Items are texts (see text_batch.py). The exit code is 1 if a check fails.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from facepipe.batch.overview_reader import read_overview  # noqa: E402
from tools.text_batch import LOG, Batch, ended, faults_of  # noqa: E402


def kills(folder: Path, count: int, seed: int, *, items: int = 50, seconds: float = 0.4) -> list[str]:
    """Kill workers (and, in one of ten cases, the leader) at random, then let the batch end.

    A segment takes `seconds`.
    """
    batch, chance = Batch(folder, items=items, seconds=seconds), random.Random(seed)
    batch.write()
    killed = Counter[str]()
    leader, done, again = batch.start(), 0, 0
    while done < count:
        # Kills are spread over the work, not over time, so that a slow machine is not killed during start-up.
        await_segments(batch, leader, chance.randint(0, 3))
        time.sleep(chance.uniform(0.0, batch.seconds))
        if leader.poll() is not None:
            # It ended before all kills: remove its results and start it again.
            killed["rounds that came to their end"] += 1
            again += batch.repeated()
            shutil.rmtree(folder / "out", ignore_errors=True)
            shutil.rmtree(folder / "work", ignore_errors=True)
            (folder / LOG).unlink(missing_ok=True)
            leader = batch.start()
            continue
        workers = batch.workers_alive()
        if chance.random() < 0.1:
            leader.kill()
            leader.wait()
            killed["leader"] += 1
            leader = batch.start()
        elif workers:
            with suppress(ProcessLookupError):
                os.kill(chance.choice(workers), signal.SIGKILL)
                killed["worker"] += 1
        else:
            continue
        done += 1
    settled = ended(leader)
    while settled["exit_code"] == 75:
        time.sleep(1)
        settled = batch.run()
    made, again = batch.executions(), again + batch.repeated()
    faults = faults_of(batch, range(batch.items))
    faults += [f"the batch ended with {settled['exit_code']}: {settled['message']}"] * bool(settled["exit_code"])
    faults += [f"{again} segments were made twice after {done} kills"] * (again > done)
    faults += [f"{len(made)} of {batch.items * batch.segments} segments"] * (len(made) != batch.items * batch.segments)
    print(f"{done} kills ({dict(killed)}): {settled['done']} of {batch.items} items done, {again} segments made twice")
    return faults


def await_segments(batch: Batch, leader: subprocess.Popen[str], count: int) -> None:
    """Wait until `count` more segments are made, for 30 s at most."""
    until, wanted = time.monotonic() + 30.0, sum(batch.executions().values()) + count
    while leader.poll() is None and time.monotonic() < until and sum(batch.executions().values()) < wanted:
        time.sleep(0.02)


def corrupt(folder: Path) -> list[str]:
    """One bad item of a thousand fails alone; after its repair, it alone is made."""
    batch = Batch(folder, items=1000, workers=2, segments=1, seconds=0.0, retries=2)
    batch.write(bad=417)
    settled = batch.run()
    overview = read_overview(folder / "work")
    named = [one.item.inputs["source"] for one in overview.failures.values() if one.item]
    before = batch.executions()
    second_run = batch.run()
    (folder / "t417.txt").write_text("text 417")
    repaired = batch.run()
    touched = batch.executions() - before
    print(
        f"exit {settled['exit_code']}, {settled['done']} done, failures name {named}; run again: {second_run['made']} "
        f"made; repaired: {repaired['made']} made ({', '.join(touched)}), exit {repaired['exit_code']}"
    )
    faults = ["the first run reported wrong numbers"] * ((settled["exit_code"], settled["done"]) != (4, 999))
    faults += ["failures do not name it alone"] * (named != ["t417.txt"])
    faults += ["others were touched"] * (second_run["made"] != 0 or list(touched) != ["t417.txt 0"])
    return [*faults, *faults_of(batch, range(batch.items))]


def full(folder: Path) -> list[str]:
    """A full disk stops the batch; with free space again it continues."""
    with small_disk(folder, "12m") as disk:
        batch = Batch(disk, items=40, workers=2, segments=2, seconds=0.0, bytes=60_000, retries=2)
        batch.write()
        (disk / "ballast").write_bytes(bytes(7_000_000))
        stopped = batch.run()
        part = len(batch.digests())
        (disk / "ballast").unlink()
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        went_on = batch.run()
        print(
            f"stopped with {stopped['exit_code']} at {part} of 40 items: {stopped['message']!r}; "
            f"with room: exit {went_on['exit_code']}, {went_on['done']} done"
        )
        faults = ["it did not stop"] * (stopped["exit_code"] == 0 or part in (0, 40))
        faults += ["the message does not say why"] * ("full" not in stopped["message"])
        faults += ["it did not go on"] * ((went_on["exit_code"], went_on["done"]) != (0, 40))
        return [*faults, *faults_of(batch, range(40))]


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """Yield a folder with a small file system of its own. Raises CalledProcessError if mounting is not allowed."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def clock(folder: Path) -> list[str]:
    """Kill a batch, set Python's clock back by three days, and resume it."""
    batch = Batch(folder, items=12, workers=2, segments=4, seconds=0.2)
    batch.write()
    stop_in_the_middle(batch, batch.start(), 3)
    before = batch.executions()
    settled = batch.run(before="import time; real = time.time; time.time = lambda: real() - 3 * 86400.0; ")
    again = batch.repeated()
    done_before = sum(before.values())
    print(f"{done_before} segments before, exit {settled['exit_code']} after, {again} segments made twice")
    faults = ["it did not end well"] * (settled["exit_code"] != 0) + ["work was done twice"] * (again > batch.workers)
    nothing = batch.run(before="import time; real = time.time; time.time = lambda: real() - 9 * 86400.0; ")
    return [*faults, *["it made something again"] * (nothing["made"] > 0), *faults_of(batch, range(12))]


def hosts(folder: Path) -> list[str]:
    """Two machines, distinguished only by host name, share one list."""
    batch = Batch(folder, items=24, workers=1, segments=2, seconds=0.1, stale_seconds=20.0)
    batch.write()
    children = [batch.start(host=name) for name in ("alpha", "beta")]
    first = [ended(child) for child in children]
    codes = [one["exit_code"] for one in first]
    final = batch.run()
    again = batch.repeated()
    print(f"alpha made {first[0]['made']}, beta {first[1]['made']}, exits {codes}; {again} segments made twice")
    faults = ["not shared"] * (min(one["made"] for one in first) == 0) + ["work was done twice"] * (again > 0)
    faults += ["an exit code that is neither done nor try again"] * (not set(codes) <= {0, 75})
    return [*faults, *["not all done"] * (final["done"] != 24), *faults_of(batch, range(24))]


def stale(folder: Path) -> list[str]:
    """Another machine takes over the claims of a lost machine after `stale_seconds`, and not before."""
    batch = Batch(folder, items=6, workers=2, segments=4, seconds=0.3, stale_seconds=8.0)
    batch.write()
    stop_in_the_middle(batch, batch.start(host="gone"), 2, all_at_once=True)
    left = len(list((folder / "work" / "batch" / "claims").glob("??/*")))
    started = time.monotonic()
    settled = batch.run(host="other")
    seconds = time.monotonic() - started
    print(f"{left} claims left; all {settled['done']} items done {seconds:.1f} s later, exit {settled['exit_code']}")
    faults = ["no claim was left"] * (left == 0) + ["too early"] * (seconds < batch.stale_seconds)
    return [*faults, *["not all done"] * (settled["done"] != 6), *faults_of(batch, range(6))]


def stop_in_the_middle(batch: Batch, leader: subprocess.Popen[str], segments: int, *, all_at_once: bool = True) -> None:
    """Kill a whole batch, leader and workers, after `segments` segments are made."""
    while sum(batch.executions().values()) < segments:
        if leader.poll() is not None:
            raise RuntimeError(leader.communicate()[1])
        time.sleep(0.01)
    os.killpg(leader.pid, signal.SIGKILL)
    leader.wait()
    if all_at_once:
        time.sleep(0.5)


TRIALS: Mapping[str, Callable[..., list[str]]] = {
    "kills": kills,
    "corrupt": corrupt,
    "full": full,
    "clock": clock,
    "hosts": hosts,
    "stale": stale,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a trial and print the failed checks."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("trial", choices=TRIALS)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    more = (given.kills, given.seed) if given.trial == "kills" else ()
    with tempfile.TemporaryDirectory(prefix="facepipe-trial-") as place:
        started = time.monotonic()
        faults = TRIALS[given.trial](Path(place) / "batch", *more)
    print("\n".join(faults) or f"{given.trial}: passed ({time.monotonic() - started:.0f} s)")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
