"""``tfhub:deepmind/mmv/tsm-resnet50/1@FILE``: the video network of MMV (Alayrac et al. 2020), fed one frame.

The published SavedModel is TensorFlow's and is not read. FILE is what ``mmbench convert`` makes of the authors' own
parameters, ``mmv_tsm_resnet_x1.pkl``. Features are the published ``before_head``.

One frame is less than the network was made for. An eighth of each block's channels comes from the frame before and
an eighth from the frame after; where there is none they are zero, so a quarter of what every block sees is lost, and
with it all motion. devillers2021 measured it so.
"""

from __future__ import annotations

from typing import Any

from mmbench.errors import BadSpec, Unmeasured
from mmbench.models import checkpoints, encoders, mmv, specs
from mmbench.models.entry import Encoder, Identity, ModelEntry, Preprocess
from mmbench.models.sources import IMAGE_OPTIONS, SOURCES, ModelSource, ModelSpec
from mmbench.models.state_dicts import load_strictly

HANDLE = "deepmind/mmv/tsm-resnet50/1"
# devillers2021 feeds a crop of 256 px in [0, 1]; the authors trained on clips of 32 frames at 200 px.
PREPROCESS = Preprocess(256, 256, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def entry(spec: ModelSpec) -> ModelEntry:
    """The entry of a ``tfhub:`` specification; without FILE its ``load`` raises Unmeasured with what to do instead."""
    if spec.file and spec.name != HANDLE:
        raise BadSpec(f"model {str(spec)!r}: only {HANDLE} of TensorFlow Hub can be read, from a converted file")
    training = "contrast of images with sound and transcripts, in videos"
    return specs.entry_of(spec, _load, _identity, f"TensorFlow Hub {spec.name}", modality="image", training=training)


def _identity(spec: ModelSpec) -> Identity:
    path = checkpoints.weights_path(spec.file)
    weights = checkpoints.file_digest(path) if spec.file and path.is_file() else None
    known = dict(encoders.versions("timm", "torch", "pillow"))
    return Identity(weights, f"{spec.architecture()} one frame", "before_head", None, known)


def _load(spec: ModelSpec) -> Encoder:
    if not spec.file:
        raise Unmeasured(
            f"model {str(spec)!r}: mmbench does not read TensorFlow SavedModels; name a converted file, "
            f"tfhub:{spec.name}@mmv_tsm_resnet_x1.safetensors, or bind an encoder of your own as an mmbench.models "
            "entry point"
        )

    def no_cache() -> Any:
        raise AssertionError("a file is named")

    path = specs.weights_file(spec, no_cache)
    module = mmv.build(f"model {str(spec)!r}")
    state = mmv.timm_state(checkpoints.read_tensors(path), path)
    load_strictly(module, state, path, "MMV's TSM ResNet-50")
    preprocess = specs.adjusted(PREPROCESS, spec)
    return specs.checked(spec, encoders.image_encoder(mmv.for_one_frame(module), preprocess, mmv.DIM))


SOURCES.add(
    ModelSource(
        "tfhub",
        "tfhub:HANDLE@FILE",
        entry,
        options={"": IMAGE_OPTIONS | {"dim", "sha256"}},
    )
)
