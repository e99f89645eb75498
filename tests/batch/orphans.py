"""A leader that a test kills: `python orphans.py FOLDER`."""

import sys
from pathlib import Path

from tests.batch.conftest import Bench

if __name__ == "__main__":
    bench = Bench(Path(sys.argv[1]))
    bench.write(a="one", b="two")
    run = bench.prepare([{"source": f"{name}.txt", "seconds": 0.1, "times": 300} for name in "ab"], stale_seconds=2.0)
    run.lead(run.check())
