"""What a record says of the place where it was made: commit, machine and versions. No host or user name."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

LIBRARIES = (
    "mmbench",
    "numpy",
    "scipy",
    "pillow",
    "torch",
    "torchvision",
    "timm",
    "transformers",
    "open_clip_torch",
    "scikit-learn",
    "safetensors",
    "resvg-py",
    "pytest",
    "pytest-benchmark",
    "matplotlib",
    "opencv-python-headless",
    "onnxruntime",
)


def versions() -> dict[str, str]:
    """Versions of the libraries that can change a number, as installed (nothing is imported)."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    """Processor, cores, system and Python of this machine."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "os": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "python": platform.python_version(),
    }


def machine_folder(found: dict[str, Any]) -> str:
    """The folder of a machine's records: ``Linux-x86_64-2cores-py3.11``."""
    system = str(found["os"]).split()[0]
    python = ".".join(str(found["python"]).split(".")[:2])
    return re.sub(r"[^\w.-]+", "_", f"{system}-{found['architecture']}-{found['cores']}cores-py{python}")


def commit(folder: Path) -> tuple[str | None, bool | None]:
    """Commit of the checkout around ``folder`` and whether it has uncommitted changes; None, None without git."""
    head = _git(folder, "rev-parse", "HEAD")
    if head is None:
        return None, None
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return head.strip(), bool(changes and changes.strip())


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        match = re.search(r"^model name\s*:\s*(.+)$", info.read_text(errors="replace"), re.MULTILINE)
        if match:
            return match.group(1).strip()
    return platform.processor() or platform.machine()
