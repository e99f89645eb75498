"""Speed of the bi-layer networks alone: the merged generator against the published one and other runtimes.

All render with parameters of one person that were computed before, except the form of the official wrappers, which runs
the projector on every frame. As in use, torch and ONNX Runtime render a frame per thread; the official form shares each
frame among all threads. Initialisation is float32 on every machine; frames are bfloat16 where that is faster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from importlib.util import find_spec
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from facepipe.bench.metric import Metric, Threshold, Timing, duration, rate
from facepipe.bench.networks import interleaved
from facepipe.device import bfloat16_is_fast, lone_threads
from facepipe.renderers.bilayer.banded import accelerated
from facepipe.renderers.bilayer.config import KEYPOINTS, BilayerConfig
from facepipe.renderers.bilayer.inference import Layers
from facepipe.renderers.bilayer.published import Bilayer, Frames, restored

if TYPE_CHECKING:
    from onnx import ModelProto

FRAMES = 2
"""Frames per thread and round."""
STARTS, ROUNDS, LEAST_ROUNDS = 3, 5, 3
"""Initialisations that are timed, and rounds of frames: at least five, or three on a machine too busy for more."""
START_LIMIT_SECONDS, LIMIT_SECONDS = 20.0, 60.0
"""Time after which no further initialisation begins, except the first, and no further round, except the first three."""
OFFICIAL, MERGED, HALF = "bilayer official", "bilayer merged", "bilayer merged, bf16"
ONNX_MERGED, ONNX_PLAIN = "bilayer merged, ONNX Runtime", "bilayer unmerged, ONNX Runtime"
OPENVINO = "bilayer merged, OpenVINO"
OVER_OFFICIAL, OVER_ONNX, START_SECONDS = 4.0, 1.5, 3.0
Variant = Callable[[], object]


class Bench:
    """A person with random networks of a size, and the variants that render it."""

    def __init__(self, config: BilayerConfig, threads: int) -> None:
        torch.manual_seed(0)
        self.net = Bilayer(config).eval().requires_grad_(False)
        self.threads, side = threads, config.side_pixels
        self.keypoints = torch.rand(1, KEYPOINTS, 2) * 2 - 1
        pictures, mattes = torch.rand(1, 3, side, side) * 2 - 1, torch.ones(1, 1, side, side)
        fast, made = accelerated(deepcopy(self.net), threads), list[dict[str, Tensor]]()

        def initialise() -> None:
            made.append(fast.initialise(pictures, mattes, self.keypoints, enhance=config.has_enhancer))

        # What threads do not share is computed by one, as in use.
        torch.set_num_threads(1)
        timed = interleaved({"initialise": initialise}, STARTS, seconds=START_LIMIT_SECONDS)
        self.initialisation = timed["initialise"]
        torch.set_num_threads(threads)
        self.prepared = made[-1]
        self.embeddings = self.net.embed(pictures, mattes, self.keypoints)
        self.texture = self.prepared["texture"]
        self.pool = lone_threads(threads, "bench")

    @property
    def frames(self) -> int:
        """The number of frames of a call of a variant."""
        return FRAMES * self.threads

    def official(self) -> None:
        """Render as the published wrappers, with spectral norms removed: one frame after another on all threads."""
        for _ in range(self.frames):
            with torch.inference_mode():
                poses = self.net.keypoints_embedder(self.keypoints)
                self.net.inference_generator(poses, self.embeddings).compose(self.texture)

    def parallel(self, render: Callable[[], object]) -> Variant:
        """Return a variant that calls a function once per frame, on a thread of its own."""
        return lambda: [call.result() for call in [self.pool.submit(render) for _ in range(self.frames)]]

    def merged(self, dtype: torch.dtype = torch.float32) -> Variant:
        """Return the form that the renderer uses."""
        frames = Frames(self.net, self.prepared, dtype)
        return self.parallel(lambda: frames.render(self.keypoints))

    def onnx_merged(self) -> ModelProto:
        """Return the graph that `facepipe export` writes."""
        from facepipe.renderers.bilayer.graph import head_graph  # noqa: PLC0415 - needs a package of an extra

        generator = restored(self.net.config, self.prepared)
        return head_graph(self.net.keypoints_embedder, generator, self.net.config)

    def in_onnx(self, model: ModelProto, inputs: dict[str, Tensor]) -> Variant:
        """Return a variant that computes the maps by ONNX Runtime, and the picture by torch."""
        import onnxruntime  # noqa: PLC0415 - a package of an extra

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        arrays = {name: np.ascontiguousarray(value.numpy()) for name, value in inputs.items()}
        return self.parallel(lambda: self.composed(session.run(None, arrays)))

    @torch.inference_mode()
    def composed(self, maps: list[np.ndarray]) -> Tensor:
        """Return the picture of warp, low frequencies and mask."""
        return Layers(*(torch.from_numpy(one) for one in maps)).compose(self.texture)

    @property
    def onnx_input(self) -> dict[str, Tensor]:
        """The input of the exported graph."""
        return {"keypoints": self.net.keypoints_embedder.encoded(self.keypoints)[..., None, None]}


def measure(rounds: int) -> Iterable[Metric]:
    """Return frames per second of each variant in the medium size at 256x256, timed in turns, and their ratios."""
    yield from measure_size(BilayerConfig(), rounds)


def measure_size(config: BilayerConfig, rounds: int) -> Iterator[Metric]:
    """Measure networks of any size; see `measure`."""
    threads = torch.get_num_threads()
    bench = Bench(config, threads)
    variants: dict[str, Variant] = {OFFICIAL: bench.official, MERGED: bench.merged()}
    if bfloat16_is_fast():
        variants[HALF] = bench.merged(torch.bfloat16)
    variants |= _others(bench)
    for variant in variants.values():
        variant()
    timings = interleaved(variants, max(rounds, ROUNDS), least=LEAST_ROUNDS, seconds=LIMIT_SECONDS)
    torch.set_num_threads(threads)
    for name, rows in timings.items():
        yield rate(name, bench.frames, rows)
    fastest = min((MERGED, HALF), key=lambda name: _seconds(timings.get(name)))
    yield _ratio(f"{fastest} over official", timings[OFFICIAL], timings[fastest], Threshold(OVER_OFFICIAL, "at least"))
    if ONNX_PLAIN in timings:
        limit = Threshold(OVER_ONNX, "at least")
        yield _ratio(f"{fastest} over unmerged ONNX", timings[ONNX_PLAIN], timings[fastest], limit)
        yield _ratio(f"{fastest} over merged ONNX", timings[ONNX_MERGED], timings[fastest])
    if OPENVINO in timings:
        yield _ratio(f"{fastest} over OpenVINO", timings[OPENVINO], timings[fastest])
    yield duration("bilayer initialisation, float32", bench.initialisation, Threshold(START_SECONDS, "at most"))


def _others(bench: Bench) -> dict[str, Variant]:
    """Return the variants of the runtimes that are installed."""
    variants: dict[str, Variant] = {}
    if not find_spec("onnx"):
        return variants
    merged = bench.onnx_merged()
    if find_spec("onnxruntime"):
        from facepipe.bench.unmerged import unmerged_graph  # noqa: PLC0415 - needs a package of an extra

        variants[ONNX_MERGED] = bench.in_onnx(merged, bench.onnx_input)
        variants[ONNX_PLAIN] = bench.in_onnx(*unmerged_graph(bench.net, bench.embeddings, bench.keypoints))
    if find_spec("openvino"):
        variants[OPENVINO] = _in_openvino(bench, merged)
    return variants


def _in_openvino(bench: Bench, model: ModelProto) -> Variant:
    import openvino  # noqa: PLC0415 - not a dependency; measured where it is installed

    core: Any = openvino.Core()
    compiled = core.compile_model(core.read_model(model.SerializeToString()), "CPU", {"INFERENCE_NUM_THREADS": 1})
    array = bench.onnx_input["keypoints"].numpy()
    requests = [compiled.create_infer_request() for _ in range(bench.frames)]

    def render(request: Any) -> Tensor:
        made = request.infer({"keypoints": array})
        return bench.composed([np.array(made[name]) for name in ("warp", "low", "mask")])

    return lambda: [one.result() for one in [bench.pool.submit(render, request) for request in requests]]


def _seconds(rows: list[Timing] | None) -> float:
    return median(row.seconds for row in rows) if rows else float("inf")


def _ratio(name: str, slow: list[Timing], fast: list[Timing], threshold: Threshold | None = None) -> Metric:
    """Return the speed-up in each round: the two ran one after the other, so that other load slows both."""
    values = tuple(one.seconds / two.seconds for one, two in zip(slow, fast, strict=True))
    return Metric(name, "times", values, threshold)
