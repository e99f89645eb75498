"""What an engine gives its workers."""

from __future__ import annotations

from facepipe.batch.engines import Engine


def test_libraries_get_the_threads_of_a_worker_and_openblas_which_spins_one() -> None:
    given = Engine(workers=2, threads=4).environment()
    assert {given[name] for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")} == {"4"}
    assert given["OPENBLAS_NUM_THREADS"] == "1"
