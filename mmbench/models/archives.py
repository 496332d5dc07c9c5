"""NumPy and PyTorch archives are zip files: the sizes that they state are checked before anything is unpacked."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbench.errors import BadSpec, CorruptAsset

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Trained weights hardly compress: float32 that was rounded from float16 by a factor of two or three.
MOST_COMPRESSED = 20
_SMALL = 1 << 20  # a few bytes of header may well compress by more


def check_sizes(path: Path) -> None:
    """Raise CorruptAsset when a zip file would, by its own table, unpack to far more than weights do."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except zipfile.BadZipFile as error:
        raise CorruptAsset(f"{path} is a damaged archive ({error}); fetch or write it again") from error
    packed = path.stat().st_size
    if unpacked > _SMALL + MOST_COMPRESSED * packed:
        raise CorruptAsset(
            f"{path} has {packed:,} bytes that would unpack to {unpacked:,}; weights do not compress like that, so it "
            "was not unpacked"
        )


def read_npz(path: Path) -> dict[str, NDArray[np.floating[Any]]]:
    """The arrays of a ``.npz`` file by name: floats only, no pickled objects.

    Raises CorruptAsset when the archive is damaged or a member's size is not the one in its header, and BadSpec for a
    member that is not an array of floats.
    """
    check_sizes(path)
    try:
        with zipfile.ZipFile(path) as archive:
            return {
                member.filename.removesuffix(".npy"): _read_member(archive, member, path)
                for member in archive.infolist()
            }
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, OSError, ValueError, NotImplementedError) as error:
        raise CorruptAsset(f"{path} cannot be read as a NumPy archive ({error}); fetch or write it again") from error


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> NDArray[np.floating[Any]]:
    import numpy as np
    from numpy.lib import format as npy

    with archive.open(member) as stream:
        version = npy.read_magic(stream)
        read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
        if read_header is None:
            raise CorruptAsset(f"{path}: {member.filename} is of NumPy format {version}; expected 1.0 or 2.0")
        shape, by_columns, dtype = read_header(stream)
        if not np.issubdtype(dtype, np.floating):
            raise BadSpec(f"{path}: {member.filename} is of type {dtype} and not of floats; it was not opened")
        declared = math.prod(shape) * dtype.itemsize
        content = stream.read(declared + 1)
    if len(content) != declared:
        raise CorruptAsset(
            f"{path}: {member.filename} states the shape {tuple(shape)} of {dtype}, which is {declared:,} bytes, and "
            f"has {'more' if len(content) > declared else f'{len(content):,}'}"
        )
    return np.frombuffer(content, dtype).reshape(shape, order="F" if by_columns else "C").copy()
