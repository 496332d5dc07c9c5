"""``mmbench convert FILE OUT.safetensors``: the tensors of a pickled checkpoint, in a format that carries nothing else.

mmbench itself opens no pickle. This is the one way in, run by hand on a file whose owner trusts it: opening a pickle
runs whatever code is in it, with all that the user may do. A process of its own keeps it from this one's memory and
settings; it is no sandbox. A file that holds tensors only is converted without running anything.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmbench.errors import BadSpec, CorruptAsset, MissingAsset
from mmbench.models import checkpoints, published

WARNING = (
    "Opening {file} runs whatever code is in it, with all that you may do on this machine. Do so only if you trust "
    "whoever made it and the way it came to you."
)
# What dill, torch and their libraries need to be found; nothing that could name a key or a proxy is passed on.
_ENVIRONMENT = ("PATH", "HOME", "LD_LIBRARY_PATH", "TMPDIR", "SYSTEMROOT", "LANG", "LC_ALL")
_NESTED = ("state_dict", "model_state_dict", "model")  # as read_state_dict chooses


@dataclass
class Report:
    """What became of a file: tensors kept, as name and a description; the rest by name and why it was dropped."""

    kept: dict[str, str] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)
    ran_code: bool = False

    def __str__(self) -> str:
        rows = [f"kept {len(self.kept):,} tensors"]
        rows += [f"  {name}  {what}" for name, what in self.kept.items()]
        rows += [f"dropped {len(self.dropped):,} other parts"] if self.dropped else ["dropped nothing"]
        rows += [f"  {name}  ({why})" for name, why in self.dropped.items()]
        return "\n".join(rows)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``mmbench convert``."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a checkpoint of torch.save, pickle or dill")
    parser.add_argument("out", type=Path, metavar="OUT.safetensors", help="the file to write; must not exist")
    parser.add_argument("--inside", default="", metavar="KEY", help="the part to take, e.g. model or teacher.backbone")
    parser.add_argument("--prefix", default="", metavar="NAME.", help="keep names that begin so, and cut it off")
    parser.add_argument("--trust", action="store_true", help="open the file even if that runs code which is in it")


def run(options: argparse.Namespace) -> int:
    """``mmbench convert`` with its arguments; prints the report."""
    if options.trust:
        print(WARNING.format(file=options.file), file=sys.stderr)
    report = convert(options.file, options.out, options.inside, options.prefix, trust=options.trust)
    print(report)
    print(f"wrote {options.out}" + ("" if report.ran_code else "; no code of the file was run"))
    return 0


def convert(file: Path, out: Path, inside: str = "", prefix: str = "", *, trust: bool = False) -> Report:
    """Write the tensors of ``file`` to ``out``; names are the keys on the way to each, joined by dots.

    ``inside`` and ``prefix`` choose as in a specification. Raises BadSpec for wrong options, for a file without
    tensors, and for one that cannot be opened without running its code when ``trust`` is not given; CorruptAsset for
    one that cannot be opened at all.
    """
    if file.exists() and not file.is_file():  # a FIFO would be waited for
        raise BadSpec(f"{file} is {'a folder' if file.is_dir() else 'a pipe or a device'}, expected a plain file")
    if not file.is_file():
        raise MissingAsset(f"{file} is not there, so it cannot be converted")
    if out.suffix != ".safetensors":
        raise BadSpec(f"{out} should end in .safetensors, which is the format that is written")
    if file.suffix == ".safetensors":
        raise BadSpec(f"{file} is in safetensors format already")
    if out.exists():
        raise BadSpec(f"{out} exists; remove it, or name another file")
    checkpoints.check_page(file)
    with tempfile.TemporaryDirectory(dir=out.resolve().parent, prefix=".mmbench-convert-") as folder:
        written = Path(folder) / "out.safetensors"
        try:
            loaded = _tensors_only(file)
        except Exception as error:  # of whatever kind: it is not opened so
            if not trust:
                raise _distrust(file, out, inside, error) from error
            answer = _in_a_process_of_its_own(file, inside, prefix, Path(folder))
        else:
            answer = _write(loaded, inside, prefix, written)
        if not answer.get("kept"):
            raise _refusal(file, answer)
        _check(written, set(answer["kept"]))
        written.replace(out)
    return Report(answer["kept"], answer["dropped"], answer.get("ran_code", False))


def _tensors_only(file: Path) -> Any:
    import torch

    from mmbench.models import archives

    archives.check_sizes(file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a pickle protocol it might not support; it says if so
        return torch.load(file, map_location="cpu", weights_only=True)


def _distrust(file: Path, out: Path, inside: str, error: Exception) -> BadSpec:
    return BadSpec(
        f"{file} cannot be opened without running code ({checkpoints.reason(error)}). {WARNING.format(file='it')} "
        f"Then: {published.convert(file, inside, out)}"
    )


def _in_a_process_of_its_own(file: Path, inside: str, prefix: str, place: Path) -> dict[str, Any]:
    """Run this module's ``_child``, isolated from environment, folder and user site; its answer is a file."""
    request = {"file": str(file.resolve()), "inside": inside, "prefix": prefix}
    (place / "request.json").write_text(json.dumps(request))
    environment = {key: os.environ[key] for key in _ENVIRONMENT if key in os.environ}
    # isolated, Python looks into no folder of the caller's, so the path to this package is given
    start = f"import sys; sys.path.append({str(Path(__file__).parents[2])!r}); from mmbench.models import convert"
    command = [sys.executable, "-I", "-c", f"{start}; convert._child({str(place)!r})"]
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    try:
        return dict(json.loads((place / "answer.json").read_text()))
    except (OSError, ValueError):
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return {"error": f"its process ended with code {done.returncode}: {last}"}


def _refusal(file: Path, answer: Mapping[str, Any]) -> BadSpec | CorruptAsset:
    if module := answer.get("module"):
        return CorruptAsset(f"{file} needs the package {module} to be opened; install it with: pip install {module}")
    if "error" in answer:
        return CorruptAsset(f"{file} cannot be opened ({answer['error']})")
    seen = ", ".join(f"{name} ({why})" for name, why in list(answer.get("dropped", {}).items())[:5]) or "nothing"
    return BadSpec(
        f"{file} has no tensors where they were looked for; it has {seen}; choose with --inside and --prefix"
    )


def _check(written: Path, names: set[str]) -> None:
    """Check the file that another process wrote, read with safetensors alone; raises CorruptAsset."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(written, "pt") as tensors:
            found = set(tensors.keys())
    except (SafetensorError, OSError) as error:
        raise CorruptAsset(f"the file that was written is not a safetensors file ({error})") from error
    if found != names:
        raise CorruptAsset("the file that was written does not hold the tensors that were reported")


def _write(loaded: Any, inside: str, prefix: str, out: Path) -> dict[str, Any]:
    from safetensors.torch import save_file

    tensors, dropped = collect(loaded, inside, prefix)
    if tensors:
        save_file(tensors, out, {"format": "pt"})
    kept = {key: f"{str(value.dtype).removeprefix('torch.')} {list(value.shape)}" for key, value in tensors.items()}
    return {"kept": kept, "dropped": dropped}


# the other process


def _child(folder: str) -> None:
    place = Path(folder)
    request = json.loads((place / "request.json").read_text())
    answer: dict[str, Any] = {"ran_code": True}
    try:
        answer |= _write(
            _opened(Path(request["file"])), request["inside"], request["prefix"], place / "out.safetensors"
        )
    except ModuleNotFoundError as error:
        answer = {"error": str(error), "module": (error.name or "").partition(".")[0]}
    except Exception as error:  # whatever the pickle's own code raises
        why = (str(error).strip().splitlines() or [""])[0]
        answer = {"error": f"{type(error).__name__}: {why}"}
    (place / "answer.json").write_text(json.dumps(answer))


def _opened(file: Path) -> Any:
    """The objects of a pickle: dill reads what pickle reads, and more."""
    import torch

    try:
        pickle = importlib.import_module("dill")
    except ModuleNotFoundError:
        pickle = importlib.import_module("pickle")
    if file.suffix in (".pkl", ".pickle", ".dill"):
        with file.open("rb") as stream:
            return pickle.load(stream)
    return torch.load(file, map_location="cpu", weights_only=False, pickle_module=pickle)


def collect(loaded: Any, inside: str = "", prefix: str = "") -> tuple[dict[str, Any], dict[str, str]]:
    """The tensors and arrays anywhere in nested mappings by dotted name, each in memory of its own; and the rest.

    Without ``inside``, a part called ``state_dict``, ``model_state_dict`` or ``model`` is taken when there is one.
    """
    steps = inside.split(".") if inside else []
    if not steps and isinstance(loaded, Mapping):
        steps = [key for key in _NESTED if _parts(loaded.get(key)) is not None][:1]
    dropped: dict[str, str] = {}
    for i, step in enumerate(steps):
        parts = _parts(loaded)
        if parts is None or step not in parts:
            return {}, {".".join(steps[: i + 1]): "is not there", **{str(key): "is" for key in list(parts or ())[:5]}}
        at = ".".join(steps[:i])
        beside = [key for key in parts if key != step]
        dropped |= {f"{at}.{key}" if at else str(key): f"outside {'.'.join(steps)}" for key in beside}
        loaded = parts[step]
    tensors: dict[str, Any] = {}

    def visit(value: Any, name: str) -> None:
        parts, tensor = _parts(value), _tensor(value)
        if parts is not None:
            for key, part in parts.items():
                visit(part, f"{name}.{key}" if name else str(key))
        elif tensor is None:
            dropped[name or "everything"] = type(value).__qualname__
        elif not name.startswith(prefix):
            dropped[name] = f"its name does not begin with {prefix}"
        else:
            tensors[name.removeprefix(prefix) or "tensor"] = tensor

    visit(loaded, "")
    return tensors, dropped


def _parts(value: Any) -> Mapping[Any, Any] | None:
    """What a mapping or a module consists of; None for anything else."""
    if isinstance(value, Mapping):
        return value
    state_dict: Callable[[], Any] | None = getattr(value, "state_dict", None)
    return state_dict() if callable(state_dict) else None


def _tensor(value: Any) -> Any:
    """A dense tensor of a type that safetensors can hold, in memory of its own; None for anything else."""
    import numpy as np
    import torch

    if isinstance(value, np.ndarray | np.generic) and np.asarray(value).dtype.kind in "fiub":
        value = torch.from_numpy(np.array(value, copy=True))
    if not isinstance(value, torch.Tensor) or value.layout is not torch.strided or value.is_quantized:
        return None
    if value.is_complex():
        return None
    return value.detach().cpu().clone(memory_format=torch.contiguous_format)
