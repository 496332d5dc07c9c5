"""A user's own models: a module, an object with ``encode_image`` or ``encode_text``, or an installed entry point.

``python:MODULE:NAME`` names one in a file: a ModelEntry, such an object, a torch module whose ``preprocess`` is a
Preprocess, or a function of no arguments that returns one of these. MODULE is imported, so its code is run; it is
looked for among the installed packages and then in the current folder. A package offers a model to every lineup with
an entry point in the group ``mmbench.models``, whose name is the specification and whose value is one of the same.
"""

from __future__ import annotations

import dataclasses
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from mmbench.errors import BadSpec
from mmbench.models import encoders
from mmbench.models.entry import MODELS, Encoder, GeneratorEntry, Identity, Modality, ModelEntry, Preprocess
from mmbench.models.own_code import bytes_of, described, program_of
from mmbench.models.sources import SOURCES, ModelSource, ModelSpec
from mmbench.registry import imported_object, running_code_of, searched

if TYPE_CHECKING:
    import torch

    from mmbench.models.generators import Generator

GROUP = "mmbench.models"


def from_module(
    module: torch.nn.Module,
    preprocess: Preprocess,
    *,
    name: str = "module",
    version: str = "",
    about: str = "",
) -> ModelEntry:
    """An image entry of a plain module that maps ``[batch, 3, size, size]`` to ``[batch, dim]``.

    Its identity is a digest of its weights, its printed structure, the program of the files that define its classes (a
    user's own, not an installed package), the attributes and hooks of its parts and ``version``; change ``version``
    when other code changes what ``forward`` gives. A module that keeps what nothing tells from another thing (an open
    file, a TorchScript module) has no identity without a ``version``, and then nothing is cached. It is frozen in
    place: eval mode, float32, no gradients.
    """
    import torch

    if isinstance(module, torch.jit.ScriptModule):
        raise BadSpec(
            f"model {name!r} is a TorchScript module, which PyTorch cannot freeze; keep it as an attribute of a "
            "torch.nn.Module whose forward calls it, and give that"
        )

    def raw() -> ModelEntry:
        plain = encoders.unnormalised(preprocess)
        return from_module(module, plain, name=f"{name}_raw", version=version, about=about)

    with torch.inference_mode():
        batch = torch.zeros(1, 3, preprocess.size, preprocess.size, device=encoders.device_of(module))
        out = encoders.frozen(module)(batch)
    if not isinstance(out, torch.Tensor) or out.ndim != 2:
        raise BadSpec(f"model {name!r}: the module gives {_shape(out)} and not features of shape [batch, dim]")
    dim = int(out.shape[1])
    own, whole = described(module)
    architecture = hashlib.sha256(f"{module!r}{own}".encode()).hexdigest()[:16]
    return ModelEntry(
        name=name,
        modality="image",
        dim=dim,
        load=lambda: encoders.image_encoder(module, preprocess, dim),
        identity=lambda: Identity(
            module_digest(module) if whole or version else None,
            f"{type(module).__qualname__} {architecture} {version}".strip(),
            "output",
            preprocess,
            dict(encoders.versions("torch", "pillow")),
        ),
        about=about,
        source="a module of the user",
        raw=None if preprocess == encoders.unnormalised(preprocess) else raw,
    )


def from_object(
    model: Any, *, name: str = "", modality: Modality | None = None, preprocess: Preprocess | None = None
) -> ModelEntry:
    """An entry of an object with ``encode_image(batch)`` or ``encode_text(list of strings)``, both to ``[batch, dim]``.

    ``modality`` chooses when it has both (image by default). Images need a Preprocess: given here, or as the
    object's ``preprocess``. The object's ``identity`` (a string), or its weights when it is a torch module, identify
    it, together with its attributes and the program of its file where that is the user's own; an object with neither,
    or without ``identity`` and with attributes that nothing tells apart, is measured, but nothing of it is cached.
    """
    name = name or str(getattr(model, "name", type(model).__name__))
    kind: Modality = modality or ("image" if hasattr(model, "encode_image") else "text")
    encode = getattr(model, f"encode_{kind}", None)
    if not callable(encode):
        raise BadSpec(f"model {name!r} has no encode_{kind}; it needs encode_image(batch) or encode_text(texts)")
    wanted = preprocess or getattr(model, "preprocess", None)
    if kind == "image" and not isinstance(wanted, Preprocess):
        raise BadSpec(f"model {name!r} encodes images but states no Preprocess; pass preprocess=Preprocess(...)")

    own, whole = described(model)
    about = f"{type(model).__module__}.{type(model).__qualname__} {own[:16]}"

    def identity() -> Identity:
        shown = wanted if kind == "image" else None
        known = dict(encoders.versions("torch", "pillow"))
        return Identity(_object_digest(model, whole=whole), about, f"encode_{kind}", shown, known)

    def load() -> Encoder:
        import torch

        module = model if isinstance(model, torch.nn.Module) else torch.nn.Identity()
        if kind == "text":
            found = encoders.text_encoder(module, 0, encode)
        else:
            found = encoders.image_encoder(module, cast(Preprocess, wanted), 0, encode)
        found = dataclasses.replace(found, dim=_width(found, wanted, name))
        return encoders.with_tried_gradients(found, cast(Preprocess, wanted).size) if kind == "image" else found

    def raw() -> ModelEntry:
        return from_object(
            model, name=f"{name}_raw", modality=kind, preprocess=encoders.unnormalised(cast(Preprocess, wanted))
        )

    return ModelEntry(
        name=name,
        modality=kind,
        dim=int(getattr(model, "dim", 0)),
        load=load,
        identity=identity,
        source="an object of the user",
        raw=raw if kind == "image" and wanted != encoders.unnormalised(cast(Preprocess, wanted)) else None,
    )


def module_digest(module: torch.nn.Module) -> str:
    """Hex SHA-256 over the names, types, shapes and bytes of a module's weights."""
    hasher = hashlib.sha256()
    for key, value in sorted(module.state_dict().items()):
        hasher.update(f"{key} {value.dtype} {tuple(value.shape)} ".encode())
        hasher.update(bytes_of(value))
    return hasher.hexdigest()


def imported(spec: ModelSpec) -> ModelEntry:
    """The entry of ``python:MODULE:NAME``, with ``#text`` or ``#image`` to choose a tower of an object.

    The current folder is searched last while MODULE is imported and while the model is made and loaded, and not
    otherwise. Raises BadSpec when MODULE cannot be imported or NAME is nothing that encodes.
    """
    module, colon, name = spec.name.partition(":")
    if not (module and colon and name) or spec.tower not in ("", "image", "text") or spec.file or spec.options:
        raise BadSpec(f"model {str(spec)!r} is not python:MODULE:NAME[#image|#text]")
    here = Path.cwd()
    with searched(here):
        offered = imported_object(f"model {str(spec)!r}", module, name)
        tower = cast(Modality, spec.tower) if spec.tower else None
        with running_code_of(f"model {str(spec)!r}"):
            made = _entry_of(offered, str(spec), f"model {str(spec)!r}", tower)
        program, whole = program_of(module)
        made_by = hashlib.sha256(f"{spec} {program}".encode()).hexdigest()[:16]
        return _of_file(made, here, made_by if whole else None)


def _of_file(entry: ModelEntry, folder: Path, made_by: str | None) -> ModelEntry:
    """``entry``, whose code may import modules of ``folder`` as late as when it is loaded.

    ``made_by`` names the place and the program of the file, which counts whatever the file gives; None says that
    nothing tells it from another one, and then the model is not cached.
    """
    load, raw = entry.load, entry.raw

    def of_file(identity: Callable[[], Identity]) -> Identity:
        with running_code_of(f"model {entry.name!r}"):
            found = identity()
        if made_by is None:
            return dataclasses.replace(found, weights=None)
        return dataclasses.replace(found, architecture=f"{found.architecture} of {made_by}")

    def load_here() -> Encoder:
        with searched(folder), running_code_of(f"model {entry.name!r}"):
            return load()

    def write_here() -> Generator:
        with searched(folder), running_code_of(f"model {entry.name!r}"):
            return cast(GeneratorEntry, entry.generator).load()

    writing = entry.generator
    writer = writing and GeneratorEntry(write_here, lambda: of_file(writing.identity))
    later = raw and (lambda: _of_file(raw(), folder, made_by))
    return dataclasses.replace(
        entry, load=load_here, identity=lambda: of_file(entry.identity), raw=later, generator=writer
    )


def _entry_of(offered: Any, name: str, owner: str, modality: Modality | None = None) -> ModelEntry:
    """An entry of what a user offers, called first when it is a class or a function; raises BadSpec."""
    if not isinstance(offered, ModelEntry) and callable(offered) and not (_encodes(offered) or _is_module(offered)):
        offered = offered()
    if isinstance(offered, type) and _encodes(offered):
        offered = offered()
    if isinstance(offered, ModelEntry):
        return offered.called(name)
    if _encodes(offered):
        return from_object(offered, name=name, modality=modality)
    if _is_module(offered):
        preprocess = getattr(offered, "preprocess", None)
        if not isinstance(preprocess, Preprocess):
            raise BadSpec(f"{owner} gives a torch module; it needs its Preprocess, as the attribute preprocess")
        return from_module(offered, preprocess, name=name)
    raise BadSpec(
        f"{owner} gives a {type(offered).__name__}; it should give a ModelEntry, an object with encode_image or "
        "encode_text, or a torch module with its preprocess"
    )


def _is_module(thing: Any) -> bool:
    torch = sys.modules.get("torch")  # a module of torch exists only where torch is imported
    return torch is not None and isinstance(thing, torch.nn.Module)


def _encodes(thing: Any) -> bool:
    return hasattr(thing, "encode_image") or hasattr(thing, "encode_text")


def _object_digest(model: Any, *, whole: bool) -> str | None:
    own = getattr(model, "identity", None)
    if isinstance(own, str) and own:
        return own
    return module_digest(model) if _is_module(model) and whole else None


def _width(encoder: Encoder, preprocess: Preprocess | None, name: str) -> int:
    import torch

    with torch.inference_mode():
        if encoder.modality == "text":
            out = encoder.forward(["one"])
        else:
            side = cast(Preprocess, preprocess).size
            out = encoder.forward(torch.zeros(1, 3, side, side))
    if not isinstance(out, torch.Tensor) or out.ndim != 2:
        raise BadSpec(f"model {name!r} encodes to {_shape(out)} and not to features of shape [batch, dim]")
    return int(out.shape[1])


def _shape(out: Any) -> str:
    return f"shape {list(out.shape)}" if hasattr(out, "shape") else f"a {type(out).__name__}"


SOURCES.add(ModelSource("python", "python:MODULE:NAME[#text]", imported, options=None))
MODELS.take_from(GROUP, _entry_of)
