"""Weights from files: read as tensors and nothing else, identified by digest, loaded into a module or refused.

Two formats are read: safetensors, and what ``torch.load(weights_only=True)`` accepts. There is no fallback to
pickle: a file that needs it is refused with the ``mmbench convert`` command that its owner may run. TorchScript
archives carry code; ``read_torchscript`` takes only those whose digest the caller names.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pickle
import re
import sys
import warnings
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbench import assets, files
from mmbench.errors import BadSpec, CorruptAsset, MissingAsset, MMBenchError
from mmbench.models import archives, published
from mmbench.spec import as_path, relative_to

if TYPE_CHECKING:
    import torch

    StateDict = dict[str, torch.Tensor]

_NESTED = ("state_dict", "model_state_dict", "model")
_WRAPPERS = ("module.", "_orig_mod.")
_HEADER_BYTES = 16_000_000  # of a safetensors file; 100,000 tensors with long names need that much


def weights_path(file: str) -> Path:
    """Where ``@FILE`` of a spec points: as given when absolute, else under $MMBENCH_WEIGHTS, else here."""
    folder = os.environ.get("MMBENCH_WEIGHTS")
    with relative_to(Path(folder)) if folder else contextlib.nullcontext():
        return as_path(file.removeprefix("file:"))


def require_file(path: Path, owner: str) -> Path:
    """``path`` if it is a file; else raises MissingAsset that says what needs it and where it was looked for."""
    if path.is_file():
        return path
    root = os.environ.get("MMBENCH_WEIGHTS")
    where = f"MMBENCH_WEIGHTS={root}" if root else "MMBENCH_WEIGHTS is not set, so a relative path starts here"
    how = published.how_to_get(path)
    raise MissingAsset(f"{owner} needs {path}; the file is not there ({where})" + (f"; {how}" if how else ""))


def check_page(path: Path) -> None:
    """Raise CorruptAsset for an HTML page: what a browser or a script saves when an address asks for a login."""
    with path.open("rb") as stream:
        if not assets.is_page(stream.read(512)):
            return
    known = published.PUBLISHED.get(path.name)
    where = f"open {known.url} in a browser" if known else "open its address in a browser"
    raise CorruptAsset(f"{path} is an HTML page and no checkpoint; {where}, see what it asks for, and fetch it again")


def check_header(path: Path) -> None:
    """Raise CorruptAsset for a safetensors file whose table of names is larger than any model's, before it is read."""
    with path.open("rb") as stream:
        size = int.from_bytes(stream.read(8), "little")
    if size > _HEADER_BYTES:
        raise CorruptAsset(
            f"{path} says that its table of names has {size:,} bytes, and no model's has more than {_HEADER_BYTES:,}; "
            "fetch or write it again"
        )


def _is_safetensors(path: Path) -> bool:
    """Whether a file under another name begins as safetensors do: the size of a JSON object, and the object."""
    with path.open("rb") as stream:
        size, begin = int.from_bytes(stream.read(8), "little"), stream.read(2)
    return begin == b'{"' and size <= path.stat().st_size


def check_digest(path: Path, stated: str, owner: str) -> None:
    """Raise CorruptAsset unless the file's SHA-256 begins with ``stated``; an empty string states nothing."""
    if stated and not (found := file_digest(path)).startswith(stated):
        raise CorruptAsset(f"{owner} states sha256={stated}, but {path} has {found}; fetch it again or state another")


def file_digest(path: Path) -> str:
    """Hex SHA-256 of a file, remembered over processes by its stamp, so that a large file is read once.

    Unlike an asset, a checkpoint may change in place: a new content simply has a new digest.
    """
    seen = files.stamp(path)
    memo = _note_path(f"digest {path.resolve()}")
    with contextlib.suppress(OSError, ValueError, KeyError):
        known = json.loads(memo.read_text())
        if seen._asdict().items() <= known.items():
            return str(known["sha256"])
    sha256 = files.sha256_of(path)
    if files.settled(seen):
        _write_note(memo, {**seen._asdict(), "sha256": sha256})
    return sha256


def folder_digest(files: Collection[Path]) -> str:
    """Hex SHA-256 over the names and contents of several files, whatever their order."""
    lines = sorted(f"{path.name} {file_digest(path)}" for path in files)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def remember_place(key: str, path: Path, repo: str = "", names: Collection[str] = ()) -> None:
    """Note where a library keeps the weights that ``key`` names, so that they can be found without importing it.

    ``repo`` and ``names`` as ``hub_file`` takes them, where the hub's cache holds the file: its revision may move.
    """
    _write_note(_note_path(f"place {key}"), {"path": str(path), "repo": repo, "names": list(names)})


def remembered_place(key: str) -> Path | None:
    """The file noted for ``key`` by an earlier load, if it is still there.

    Of a repository of the hub it is what the cache gives now, as the library will load it: not the snapshot of then.
    """
    try:
        note = json.loads(_note_path(f"place {key}").read_text())
        path, repo, names = Path(note["path"]), str(note["repo"]), [str(name) for name in note["names"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if repo:
        return hub_file(repo, names)
    return path if path.is_file() else None


def weights_identity(
    file: str, seed: int | None, key: str, look: Callable[[], Path], *, light: bool = False
) -> str | None:
    """What identifies an encoder's weights, or None when they are not on this machine.

    The digest of ``file``; the seed of untrained weights; else the digest of the one that ``look`` finds, as a load
    would now. That may import torch unless it is ``light``, so it is asked only where that has happened already; else,
    and where it finds none, the file noted for ``key`` by an earlier load counts.
    """
    if seed is not None:
        return f"untrained, seed {seed}"
    path: Path | None = weights_path(file) if file else None
    if path is None and (light or "torch" in sys.modules):
        with contextlib.suppress(MMBenchError):
            path = look()
    if path is None:
        path = remembered_place(key)
    return file_digest(path) if path is not None and path.is_file() else None


def torch_hub_file(url: str) -> Path:
    """Where torch hub keeps what it fetched from ``url``; torch is asked only when it is imported already."""
    torch = sys.modules.get("torch")
    if torch is not None:
        return Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "torch"
    return Path(os.environ.get("TORCH_HOME", cache)).expanduser() / "hub" / "checkpoints" / url.rsplit("/", 1)[-1]


def hub_file(repo: str, names: Collection[str]) -> Path | None:
    """The first of ``names`` that the local hub cache holds of ``repo``; the network is never asked."""
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return None
    for name in names:
        try:
            found = try_to_load_from_cache(repo, name)
        except ValueError:  # no name that a repository can have
            return None
        if isinstance(found, str):
            return Path(found)
    return None


def read_state_dict(path: Path, inside: str = "", prefix: str = "") -> StateDict:
    """The tensors of a checkpoint by name.

    ``inside`` names the part of a nested checkpoint that holds them; by default ``state_dict``,
    ``model_state_dict`` or ``model`` is taken when it is a mapping and the only one that holds weights: where an
    averaged copy lies beside it, BadSpec asks which. ``prefix`` as ``below`` takes it. Raises CorruptAsset for a file
    that cannot be read as tensors only, BadSpec when it holds something else.
    """
    return below(read_tensors(path, inside), prefix, path)


def read_tensors(path: Path, inside: str = "") -> StateDict:
    """As ``read_state_dict``, with all names as they are in the file."""
    found = _nested(_read(path, inside), path, inside)
    bad = [str(key) for key, value in found.items() if not _is_tensor(value)]
    if bad or not found:
        seen = ", ".join(repr(str(key)) for key in list(found)[:5]) or "nothing"
        raise BadSpec(f"{path} holds no state dict: it has {seen}; name the part that does with ?inside=KEY")
    return {str(key): value for key, value in found.items()}


def below(state: StateDict, prefix: str, path: Path) -> StateDict:
    """The tensors whose names begin with ``prefix``, which is cut off; raises BadSpec when there are none.

    A wrapper's prefix that every name carries (``module.``) is cut off too, and ``prefix`` may be given with it or
    without.
    """
    if prefix and any(key.startswith(prefix) for key in state):
        state, prefix = {k.removeprefix(prefix): value for k, value in state.items() if k.startswith(prefix)}, ""
    for wrapper in _WRAPPERS:
        if all(key.startswith(wrapper) for key in state):
            state = {key.removeprefix(wrapper): value for key, value in state.items()}
    if prefix:
        state = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
        if not state:
            raise BadSpec(f"{path} has no tensor whose name begins with {prefix!r}")
    return state


def is_torchscript(path: Path) -> bool:
    """Whether a file is a TorchScript archive, by its table of contents."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any("/code/" in f"/{name}" for name in archive.namelist())


def read_torchscript(path: Path, trusted: Collection[str]) -> StateDict:
    """The tensors of a TorchScript archive, if its SHA-256 is among ``trusted``; else raises BadSpec.

    Such an archive carries code, and no reader of it takes the tensors only. So it is opened only when it is, to the
    bit, a published file whose content is known.
    """
    import torch

    if file_digest(path) not in trusted:
        raise BadSpec(
            f"{path} is a TorchScript archive, which carries code, and not one of the published files that are known "
            "by digest; save its state dict as safetensors"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript as a whole is deprecated
        return dict(torch.jit.load(str(path), map_location="cpu").state_dict())


def without(state: Mapping[str, torch.Tensor], *heads: str) -> StateDict:
    """``state`` without the tensors of the named submodules: a classifier that features do not need."""
    return {key: value for key, value in state.items() if not any(key.startswith(f"{head}.") for head in heads)}


def _read(path: Path, inside: str) -> Any:
    check_page(path)
    if path.suffix == ".npz":
        raise BadSpec(f"{path} is a NumPy archive; mmbench reads safetensors and PyTorch state dicts, so convert it")
    if path.suffix == ".safetensors" or _is_safetensors(path):
        import safetensors
        import safetensors.torch

        check_header(path)
        try:
            return safetensors.torch.load_file(path)
        except safetensors.SafetensorError as error:
            raise CorruptAsset(f"{path} cannot be read as safetensors ({error}); fetch or write it again") from error
    if is_torchscript(path):
        raise BadSpec(f"{path} is a TorchScript archive, which carries code; save its state dict as safetensors")
    archives.check_sizes(path)
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of a pickle protocol it might not support; it says if so
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CorruptAsset(
            f"{path} holds objects other than tensors, or is damaged, and was not opened ({reason(error)}), since that "
            "could run code; if you trust it, take its tensors out and name the new file: "
            f"{published.convert(path, inside)}"
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError, IndexError, AttributeError, TypeError) as error:
        raise CorruptAsset(
            f"{path} cannot be read as a PyTorch checkpoint ({reason(error)}); fetch or write it again"
        ) from error


def reason(error: Exception) -> str:
    """The first line of a reader's error, or the name in a pickle at which it stopped."""
    asked = re.search(r"GLOBAL (\S+)", str(error))
    if asked:
        return f"it asks for {asked[1]}"
    # PyTorch begins with the advice to load without its safety; what it met stands further down
    met = re.search(r"WeightsUnpickler error:\s*(.+)", str(error)) or re.search(r"(.+)", str(error))
    return met[1].strip() if met else type(error).__name__


def _nested(loaded: Any, path: Path, inside: str) -> Mapping[Any, Any]:
    if not isinstance(loaded, Mapping):
        raise BadSpec(f"{path} holds a {type(loaded).__name__} and no state dict")
    if inside:
        for step in inside.split("."):
            if not isinstance(loaded, Mapping) or step not in loaded:
                seen = ", ".join(repr(str(key)) for key in list(loaded)[:5])
                raise BadSpec(f"{path} has no part {inside!r}; at {step!r} it has {seen}")
            loaded = loaded[step]
        if not isinstance(loaded, Mapping):
            raise BadSpec(f"{path}: the part {inside!r} is a {type(loaded).__name__} and no state dict")
        return loaded
    weights = list(_sets_of_weights(loaded))
    named = [place for place, of_names in weights if of_names]
    if named and len(weights) > 1:
        ways = " or ".join(f"?inside={place}" for place in named[:2])
        raise BadSpec(
            f"{path} holds several sets of weights ({', '.join(place for place, _ in weights[:5])}), such as those of "
            f"the last step and their average; say which with {ways}"
        )
    for key in _NESTED:
        if isinstance(loaded.get(key), Mapping):
            return loaded[key]
    return loaded


def _sets_of_weights(part: Mapping[Any, Any], before: str = "", depth: int = 3) -> Iterator[tuple[str, bool]]:
    """Where a checkpoint has sets of weights, up to ``depth`` keys down, and whether their tensors have names.

    Averages are kept as a list too (``shadow_params``). What an optimiser keeps of each weight is none of them.
    """
    for key, value in part.items():
        place = f"{before}{key}"
        if not isinstance(key, str) or "optim" in key.lower():
            continue
        if _are_weights(value):
            yield place, True
        elif isinstance(value, list | tuple):
            if len(value) > 1 and all(map(_is_tensor, value)) and any(item.ndim > 1 for item in value):
                yield place, False
        elif isinstance(value, Mapping) and depth > 1:
            yield from _sets_of_weights(value, f"{place}.", depth - 1)


def _are_weights(value: Any) -> bool:
    """Whether a part of a checkpoint is a set of named tensors: not an optimiser's, whose names are numbers.

    A few other values may stand among them, such as the decay of an average.
    """
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        return False
    tensors = [item for item in value.values() if _is_tensor(item)]
    return 2 * len(tensors) >= len(value) and any(item.ndim > 1 for item in tensors)


def _is_tensor(value: Any) -> bool:
    import torch

    return isinstance(value, torch.Tensor)


def _note_path(key: str) -> Path:
    return assets.cache_dir() / "models" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"


def _write_note(path: Path, note: Mapping[str, Any]) -> None:
    """Notes only save time: where the cache cannot be written, there are none."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.atomic(path, durable=False) as temporary:
            temporary.write_text(json.dumps(note))
