"""Modules of a reenactment, imported for the processes that are forked from the one that imports this."""

# ruff: noqa: E402, F401

from facepipe.device import let_threads_sleep

let_threads_sleep()

import scipy.optimize  # for the tables of mirrored points

import facepipe.batch.worker
import facepipe.cli
import facepipe.face.following
import facepipe.pipeline.reenact
import facepipe.renderers.mesh.renderer
import tests.preloaded
from facepipe.stages import coefficients, crop, motion, mux, render
