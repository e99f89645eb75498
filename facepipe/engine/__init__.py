"""Stages, fingerprints, records, atomic publishing, plans and jobs. Independent of media formats and networks."""

from facepipe.engine.artefact import Artefact, Output, Pending
from facepipe.engine.cleaning import Cleaned, clean
from facepipe.engine.interruption import interruptible
from facepipe.engine.job import Job
from facepipe.engine.record import OutputFile, Record
from facepipe.engine.stage import Json, Stage, StageRun, WeightFile
from facepipe.engine.status import StageStatus, Status, read_status
from facepipe.engine.workspace import Decision, Workspace

__all__ = [
    "Artefact",
    "Cleaned",
    "Decision",
    "Job",
    "Json",
    "Output",
    "OutputFile",
    "Pending",
    "Record",
    "Stage",
    "StageRun",
    "StageStatus",
    "Status",
    "WeightFile",
    "Workspace",
    "clean",
    "interruptible",
    "read_status",
]
