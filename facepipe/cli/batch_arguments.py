"""The arguments of the commands that run a batch."""

from __future__ import annotations

from typing import Annotated

import typer

Jobs = Annotated[
    list[str],
    typer.Argument(
        help="A CSV or JSONL file, or - for standard input; with --pair, patterns or folders.", metavar="JOBS…"
    ),
]
Pair = Annotated[
    str, typer.Option("--pair", help="list (JOBS is a list), product (each with each) or zip (side by side).")
]
Command = Annotated[str, typer.Option("--command", help="The command of rows that name none.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="An option for all rows that say nothing of their own. May be repeated.", metavar="NAME=VALUE"
    ),
]
Template = Annotated[
    str,
    typer.Option("-o", "--out", help="Where results go: {id} {source} {driving} {sample} {ext}.", metavar="TEMPLATE"),
]
EngineName = Annotated[str, typer.Option("--engine", help="loky (this machine), dask or ray.")]
Workers = Annotated[
    int, typer.Option("--jobs", "-j", help="Workers at a time (default: one a core that has memory).", min=0)
]
Scheduler = Annotated[str, typer.Option("--scheduler", help="Address of a dask or ray cluster.", metavar="ADDRESS")]
Rank = Annotated[int | None, typer.Option("--rank", help="Which shard of the items, from 0 (or SLURM_ARRAY_TASK_ID).")]
World = Annotated[int | None, typer.Option("--world", help="How many shards (or SLURM_ARRAY_TASK_COUNT).")]
MaxFailures = Annotated[
    str, typer.Option("--max-failures", help="Stop at so many failed items, or at that share.", metavar="N|P%")
]
FailFast = Annotated[bool, typer.Option("--fail-fast", help="Stop at the first failed item.")]
Retries = Annotated[int, typer.Option("--retries", help="Tries more for an item whose failure may pass.", min=0)]
KeepWhat = Annotated[
    str, typer.Option("--keep", help="Work files that outlive an item: none, results, coefficients or all.")
]
SkipInvalid = Annotated[
    bool, typer.Option("--skip-invalid", help="Count rows with faults as failed, and make the others.")
]
