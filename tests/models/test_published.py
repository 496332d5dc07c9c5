"""What is known of published checkpoints agrees with the libraries, and says how to get what is not here."""

from __future__ import annotations

import subprocess
import sys
import warnings

import pytest

from mmbench.lineups import load_lineup
from mmbench.models import published
from mmbench.models.specs import parse

LIBRARIES = [name for name in (*published._HUB, *published._TORCH_HUB) if not name.startswith("transformers:")]


@pytest.mark.parametrize("name", LIBRARIES)
def test_addresses_are_the_libraries_own(name):
    spec = parse(name)
    if spec.source == "open_clip":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import open_clip
        assert published.hub_repository(name) == open_clip.get_pretrained_cfg(spec.name, spec.tag)["hf_hub"].rstrip("/")
    elif spec.source == "timm":
        import timm

        config = timm.models.get_pretrained_cfg(spec.name)
        assert (published.hub_repository(name), None) == (config.hf_hub_id, config.hf_hub_filename)
    else:
        import torchvision

        assert published.torch_hub_url(name) == torchvision.models.get_weight("ResNet50_Weights.IMAGENET1K_V1").url


def test_torch_hubs_folder_is_found_without_torch(tmp_path, monkeypatch):
    import torch

    from mmbench.models import checkpoints

    for home in ({"TORCH_HOME": str(tmp_path)}, {"XDG_CACHE_HOME": str(tmp_path)}, {}):
        for key in ("TORCH_HOME", "XDG_CACHE_HOME"):
            monkeypatch.delenv(key, raising=False)
        for key, value in home.items():
            monkeypatch.setenv(key, value)
        told = checkpoints.torch_hub_file("https://a.b/c/d.pth")
        with monkeypatch.context() as without:
            without.delitem(sys.modules, "torch")
            assert checkpoints.torch_hub_file("https://a.b/c/d.pth") == told
        assert str(told) == f"{torch.hub.get_dir()}/checkpoints/d.pth"


def test_every_model_of_the_papers_has_an_address_and_every_file_is_known():
    for name in ("paper", "paper_hub_robust"):
        for role, binding in load_lineup(name).models.items():
            if binding.spec.startswith("none:"):  # a baseline without a network
                continue
            file = parse(binding.spec).file
            assert not file or file in published.PUBLISHED, role
            assert binding.entry.source.startswith(("http://", "https://")), role


def test_a_machine_without_files_is_told_so_at_once_for_every_role(tmp_path):
    """No role needs torch to say what to fetch, so a whole run is over in seconds."""
    code = (
        "import sys\n"
        "from mmbench.errors import MissingAsset\n"
        "from mmbench.lineups import load_lineup\n"
        "for name in ('paper', 'paper_224', 'paper_hub_robust'):\n"
        "    for role, binding in load_lineup(name).models.items():\n"
        "        if binding.spec.startswith('none:'):\n"
        "            continue\n"
        "        assert binding.entry.identity().weights is None, role\n"
        "        try:\n"
        "            binding.entry.load()\n"
        "        except MissingAsset as error:\n"
        "            assert 'fetch' in str(error) or 'put https://' in str(error), error\n"
        "        else:\n"
        "            raise AssertionError(role)\n"
        "heavy = {'torch', 'timm', 'open_clip', 'transformers', 'torchvision'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    places = ("MMBENCH_WEIGHTS", "MMBENCH_CACHE", "HF_HOME", "TORCH_HOME")
    subprocess.run([sys.executable, "-c", code], check=True, env={"PATH": "", **dict.fromkeys(places, str(tmp_path))})


def test_a_file_that_was_fetched_already_is_only_converted(tmp_path):
    out = tmp_path / "imagenet_l2_3_0.safetensors"
    assert "fetch https://www.dropbox.com/s/knf4uimlqsi1yz8/imagenet_l2_3_0.pt?dl=1 to " in published.how_to_get(out)
    (tmp_path / "imagenet_l2_3_0.pt").write_bytes(b"")
    assert published.how_to_get(out) == (
        "it is converted from a pickle: if you trust that file, run: mmbench convert "
        f"{tmp_path / 'imagenet_l2_3_0.pt'} {out} --inside model --trust"
    )
    assert published.how_to_get(tmp_path / "mine.pt") == ""


def test_openais_archives_have_the_addresses_that_open_clip_states(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import open_clip

    for digest, name in published.OPENAI_ARCHIVES.items():
        url = open_clip.get_pretrained_cfg(name, "openai")["url"]
        assert digest in url
        assert published.how_to_get(tmp_path / url.rsplit("/", 1)[-1]) == f"fetch {url}"


def test_names_with_blanks_are_quoted(tmp_path):
    assert published.convert(tmp_path / "my file.pt").endswith(
        f"convert '{tmp_path / 'my file.pt'}' '{tmp_path / 'my file.safetensors'}' --trust"
    )
