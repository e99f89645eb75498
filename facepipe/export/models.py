"""The network of a head as ONNX models of several precisions. Needs the packages of the extra `export`."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from facepipe.errors import ToolError
from facepipe.export.head import Head, as_numpy

if TYPE_CHECKING:
    from onnx import ModelProto

Precision = Literal["fp32", "fp16", "int8"]
FILES: dict[Precision, str] = {"fp32": "model.onnx", "fp16": "model-fp16.onnx", "int8": "model-int8.onnx"}
PACKAGES = ("onnx", "onnxruntime")


def check_packages() -> None:
    """Raise ToolError if a package of the extra is not installed."""
    if missing := [name for name in PACKAGES if find_spec(name) is None]:
        raise ToolError(f"this needs {' and '.join(missing)}, which is not installed: pip install 'facepipe[export]'")


def model_of(head: Head, precision: Precision) -> bytes:
    """Return the serialised model of a head. int8 is quantised statically (QDQ), calibrated with the head's motion."""
    from facepipe.renderers.bilayer.graph import head_graph  # noqa: PLC0415 - needs a package of the extra

    kind = "float16" if precision == "fp16" else "float32"
    made = head_graph(head.embedder, head.generator, head.config, kind)
    if precision == "int8":
        made = _quantised(made, as_numpy(head.inputs(head.motion)))
    return cast("bytes", made.SerializeToString(deterministic=True))


class _Calibration:
    """The rows that ONNX Runtime's quantisation runs the model on."""

    def __init__(self, rows: np.ndarray, name: str) -> None:
        self.rows: Iterator[np.ndarray] = iter(rows)
        self.name = name

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next input; None at the end."""
        row = next(self.rows, None)
        return None if row is None else {self.name: row.reshape(1, -1, 1, 1)}


def _quantised(model: ModelProto, rows: np.ndarray) -> ModelProto:
    """Return a model whose large convolutions have int8 weights, one scale per channel, and uint8 activations."""
    import onnx  # noqa: PLC0415
    from onnxruntime.quantization import (  # noqa: PLC0415
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    from facepipe.renderers.bilayer.graph import EXACT, INPUT  # noqa: PLC0415

    CalibrationDataReader.register(_Calibration)
    with tempfile.TemporaryDirectory(prefix="facepipe-") as folder:
        plain, made = Path(folder) / "plain.onnx", Path(folder) / "int8.onnx"
        onnx.save(onnx.shape_inference.infer_shapes(model), plain)
        with _quiet():
            quantize_static(
                plain,
                made,
                cast("Any", _Calibration(rows, INPUT)),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=["Conv", "LeakyRelu", "Resize", "Add"],
                nodes_to_exclude=_exact(model, EXACT),
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
            )
        return onnx.load(made)


def _exact(model: ModelProto, beginnings: Sequence[str]) -> list[str]:
    return [node.name for node in model.graph.node if node.name.startswith(tuple(beginnings))]


class _quiet:  # noqa: N801 - used as a context manager
    """Silence the warnings of ONNX Runtime's quantisation, which recommend options that were chosen here."""

    def __enter__(self) -> None:
        self.before = logging.root.manager.disable
        logging.disable(logging.WARNING)

    def __exit__(self, *_: object) -> None:
        logging.disable(self.before)
