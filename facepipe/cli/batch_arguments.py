"""Arguments of the commands that run a batch."""

from __future__ import annotations

from typing import Annotated

import typer

from facepipe.cli.completion import completing

LIST, WORKERS, FAILURES = "Items and results", "Workers", "Failures"

Jobs = Annotated[
    list[str],
    typer.Argument(
        help="CSV or JSONL file, or - for standard input; with --pair product or zip: glob patterns or folders.",
        metavar="JOBS",
    ),
]
Pair = Annotated[
    str,
    typer.Option(
        "--pair",
        help="list: JOBS is a list. product: every source with every driver. zip: the first source with the first "
        "driver, and so on.",
        metavar="list|product|zip",
        rich_help_panel=LIST,
        autocompletion=completing("pair"),
    ),
]
Command = Annotated[
    str,
    typer.Option(
        "--command",
        help="Command of rows without a column command.",
        metavar="COMMAND",
        rich_help_panel=LIST,
        autocompletion=completing("command"),
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Option for all rows that do not set it themselves. Repeatable.",
        metavar="NAME=VALUE",
        rich_help_panel=LIST,
    ),
]
Template = Annotated[
    str,
    typer.Option(
        "-o",
        "--out",
        help="Path template of the results, with {source} {driving} {folder} {driving_folder} {id} {sample} {command} "
        "{ext}.",
        metavar="TEMPLATE",
        rich_help_panel=LIST,
    ),
]
EngineName = Annotated[
    str,
    typer.Option(
        "--engine",
        help="loky (processes on this machine), dask or ray.",
        metavar="loky|dask|ray",
        rich_help_panel=WORKERS,
        autocompletion=completing("engine"),
    ),
]
Workers = Annotated[
    int,
    typer.Option(
        "--jobs",
        "-j",
        help="Number of workers (default: one per core, fewer if memory is short).",
        min=0,
        metavar="N",
        rich_help_panel=WORKERS,
        show_default=False,
    ),
]
Scheduler = Annotated[
    str,
    typer.Option("--scheduler", help="Address of a dask or ray cluster.", metavar="ADDRESS", rich_help_panel=WORKERS),
]
Rank = Annotated[
    int | None,
    typer.Option(
        "--rank",
        help="Index of this shard, from 0 (default: from SLURM_ARRAY_TASK_ID).",
        metavar="N",
        rich_help_panel=WORKERS,
    ),
]
World = Annotated[
    int | None,
    typer.Option(
        "--world",
        help="Number of shards (default: from SLURM_ARRAY_TASK_COUNT).",
        metavar="N",
        rich_help_panel=WORKERS,
    ),
]
MaxFailures = Annotated[
    str,
    typer.Option(
        "--max-failures",
        help="Stop after N failed items, or when P % of the items have failed.",
        metavar="N|P%",
        rich_help_panel=FAILURES,
    ),
]
FailFast = Annotated[
    bool, typer.Option("--fail-fast", help="Stop after the first failed item.", rich_help_panel=FAILURES)
]
Retries = Annotated[
    int,
    typer.Option(
        "--retries",
        help="Number of retries of an item after a temporary failure.",
        min=0,
        metavar="N",
        rich_help_panel=FAILURES,
    ),
]
KeepWhat = Annotated[
    str,
    typer.Option(
        "--keep",
        help="Work files to keep after an item: none, results, coefficients or all.",
        metavar="none|results|coefficients|all",
        rich_help_panel="Run",
        autocompletion=completing("keep"),
    ),
]
SkipInvalid = Annotated[
    bool,
    typer.Option("--skip-invalid", help="Count invalid rows as failed and make the others.", rich_help_panel=FAILURES),
]
