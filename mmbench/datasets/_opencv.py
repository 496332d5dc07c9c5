"""OpenCV and ONNX Runtime for masks: imported when they are used, on one thread, with the versions that count."""

from __future__ import annotations

import functools
import importlib.metadata
from typing import Any

from mmbench.errors import MissingExtra

# One of these brings the module cv2; all hold the same functions of it.
OPENCV = ("opencv-python-headless", "opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python")
OWNER = "removing text from images"


@functools.cache
def opencv() -> Any:
    """The module ``cv2``, set to one thread: a run uses no more cores than it was given. Raises MissingExtra."""
    try:
        import cv2
    except ImportError:
        raise MissingExtra(OPENCV[0], "embedded", OWNER) from None
    cv2.setNumThreads(1)
    return cv2


def onnx_session(model: bytes) -> Any:
    """An ``onnxruntime.InferenceSession`` of a model, on one thread of the CPU. Raises MissingExtra."""
    try:
        import onnxruntime
    except ImportError:
        raise MissingExtra("onnxruntime", "embedded", OWNER) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors alone
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def version_of(*distributions: str) -> str:
    """Name and version of the first of the distributions that is installed; none is imported. Raises MissingExtra."""
    for name in distributions:
        try:
            return f"{name} {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            continue
    raise MissingExtra(distributions[0], "embedded", OWNER)
