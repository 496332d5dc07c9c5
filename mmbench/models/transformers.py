"""``transformers:DIR_OR_ID[#image]``: a text encoder, or with ``#image`` a vision encoder, of the transformers library.

``pool=pooler`` is what the library itself returns as pooled output; ``mean``, ``cls`` and ``last`` are taken from its
last hidden state. ``load_text`` and ``load_image`` say which is the default.
A folder of a causal language model with its head is a generator too; of the options ``dim`` and ``sha256`` count there.

DIR is a folder with config, weights and tokenizer (absolute, or relative to $MMBENCH_WEIGHTS); ID a model that the
local hub cache holds. No code of a model repository is run, and nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbench.errors import BadSpec, CorruptAsset, MissingAsset, MMBenchError
from mmbench.models import checkpoints, encoders, generators, specs
from mmbench.models.configs import read_config
from mmbench.models.entry import Encoder, GeneratorEntry, Identity, ModelEntry
from mmbench.models.reading import Read, quiet_reading, read_module
from mmbench.models.sources import IMAGE_OPTIONS, SOURCES, TEXT_OPTIONS, ModelSource, ModelSpec
from mmbench.models.spans import SpanLayers
from mmbench.models.transformers_images import load_image
from mmbench.spec import IN_A_PATH, choice

if TYPE_CHECKING:
    import torch

_TEXT = TEXT_OPTIONS | {"dim", "sha256"}
_TOKENS = 512  # where neither tokenizer nor config states a limit


def entry(spec: ModelSpec) -> ModelEntry:
    """The entry of a ``transformers:`` specification; see ``mmbench.models.specs`` for its options."""
    if spec.file:
        raise BadSpec(
            f"model {str(spec)!r}: name the folder, transformers:DIR; it holds config, weights and tokenizer "
            f"({IN_A_PATH})"
        )
    image = spec.tower == "image"
    return specs.entry_of(
        spec,
        _load,
        _identity,
        f"transformers {spec.name}",
        modality="image" if image else "text",
        raw=specs.raw_of(spec, entry) if image else None,
        generator=None if image else GeneratorEntry(lambda: _load_generator(spec), lambda: _generator_identity(spec)),
        spans=not image and not spec.option("token") and spec.option("unit") != "1" and not _two_towers(spec),
        space=f"transformers:{spec.name}" if _two_towers(spec) else "",
    )


def _two_towers(spec: ModelSpec) -> bool:
    """Whether the folder's config describes an image tower and a text tower, whose embeddings share a space."""
    folder = folder_of(spec.name)
    if folder is None:
        return False
    try:
        config = read_config(folder / "config.json", f"model {str(spec)!r}")
    except MMBenchError:  # said when the model is loaded
        return False
    return "text_config" in config and "vision_config" in config


def folder_of(name: str) -> Path | None:
    """The model's folder: a local one, else the local hub cache's snapshot, else None."""
    local = checkpoints.weights_path(name)
    if (local / "config.json").is_file():
        return local
    if name.count("/") > 1 or name.startswith((".", "/", "~")):
        return None
    config = checkpoints.hub_file(name, ("config.json",))
    return config.parent if config else None


def load_text(
    folder: Path, owner: str, *, pool: str = "", token: int | None = None, max_length: int = 0, unit: bool = False
) -> Encoder:
    """A text encoder from a local folder.

    ``pool`` is ``mean`` over tokens, ``cls`` (the first token, where the tokenizer puts a class token there), ``last``,
    or ``pooler``: what the library returns as pooled output, and for a model of two towers (CLIP, SigLIP) its
    ``get_text_features``. Empty means ``pooler`` for such models and for their text towers alone, else ``mean``; of the
    encoder of a T5, which pools nothing itself, it must be named.
    ``token`` takes one token of the text instead, counted from 0 behind the marks at the front (reading D-08b of
    devillers2021: 4 in "a photo of a tench"). Texts are cut at ``max_length`` tokens (0: the tokenizer's own limit).
    ``unit`` divides each row by its length. Where tokens are pooled here, and with a tokenizer that knows their
    offsets, it gives a marked part of a text too.
    """
    import torch

    read = read_module(folder, owner)
    module, tokenizer = read.module, _tokenizer(folder, owner)
    if read.encoder and not pool and token is None:
        raise BadSpec(
            f"{owner}: {folder} is the encoder of a {type(module).__name__.removesuffix('EncoderModel')}, which pools "
            "no text itself; name the pooling: ?pool=mean, as Sentence-T5 takes it, or last"
        )
    own_pool = _own_pool(read, pool, token, owner)
    if pool == "cls" and not _begins_with_class_token(tokenizer):
        raise BadSpec(f"{owner}: the tokenizer puts no class token in front of a text; use ?pool=mean, last or pooler")
    config = getattr(module.config, "text_config", module.config)
    whole = own_pool is None and token is None and not unit
    spans = SpanLayers(int(config.hidden_size)) if whole and tokenizer.is_fast else None
    if tokenizer.pad_token is None:  # GPT-2 has none; the mask keeps padding out of every pooling
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "right"
    own = min(tokenizer.model_max_length, _positions(module, config))
    limit = min(max_length, own) if max_length else own
    # SigLIP pools the last place of a text padded to its full length, and was trained so
    padding = "max_length" if "siglip" in str(config.model_type) else True
    rows = _embeddings(module)

    def features(texts: list[str]) -> torch.Tensor:
        options = {"padding": padding, "truncation": True, "max_length": limit, "return_tensors": "pt"}
        # plain strings: a tokenizer may look at a text's type
        extra = {"return_special_tokens_mask": True, "return_offsets_mapping": bool(spans)}
        batch = tokenizer([str(text) for text in texts], **extra, **options)
        _check_ids(batch["input_ids"], rows, owner)
        batch = batch.to(encoders.device_of(module))
        special, offsets = batch.pop("special_tokens_mask"), batch.pop("offset_mapping", None)
        if own_pool is not None:
            found = own_pool({key: batch[key] for key in tokenizer.model_input_names if key in batch})
        else:
            hidden, mask = module(**batch).last_hidden_state, batch["attention_mask"]
            if spans and spans.wanted:
                spans.record(hidden, offsets.tolist(), texts)
            if token is None:
                found = encoders.pooled(hidden, mask, pool or "mean")
            else:
                found = encoders.at_token(hidden, special, mask, token, texts)
        return torch.nn.functional.normalize(found, dim=1) if unit else found

    def cuts(texts: list[str]) -> list[bool]:
        whole = tokenizer([str(text) for text in texts], truncation=False, verbose=False)
        return [len(ids) > limit for ids in whole["input_ids"]]

    encoder = encoders.text_encoder(module, 0, features, spans, cuts)
    tried = " ".join(["a"] * ((token or 0) + 1))
    with quiet_reading(folder, owner), torch.inference_mode():  # a model with a decoder needs more than a text
        encoder.dim = int(encoder.forward([tried]).shape[1])
    return encoder


def _own_pool(read: Read, pool: str, token: int | None, owner: str) -> Callable[[dict[str, Any]], torch.Tensor] | None:
    """What the library returns as the pooled output of a text, or None where tokens are pooled here."""
    module = read.module
    if callable(getattr(module, "get_text_features", None)):
        if pool not in ("", "pooler") or token is not None:
            raise BadSpec(
                f"{owner}: this model of two towers gives get_text_features, its joint embedding; leave pool= and "
                "token= out"
            )
        return lambda batch: _pooled_of(module.get_text_features(**batch))
    tower = str(module.config.model_type).endswith("_text_model")
    if pool != "pooler" and (pool or token is not None or not tower):
        return None
    if hasattr(module, "text_projection"):  # a tower with its last matrix
        return lambda batch: module(**batch).text_embeds
    if not read.pooler:
        raise BadSpec(f"{owner}: the file holds no weights of the pooler; use ?pool=mean, cls or last")

    def pooled(batch: dict[str, Any]) -> torch.Tensor:
        found = getattr(module(**batch), "pooler_output", None)
        if found is None:
            raise BadSpec(f"{owner}: this model has no pooled output of its own; use ?pool=mean, cls or last")
        return found

    return pooled


def _begins_with_class_token(tokenizer: Any) -> bool:
    """Whether a class token stands in front of a text: many tokenizers name one that they put elsewhere or nowhere."""
    ids = tokenizer(["a"])["input_ids"][0]
    return tokenizer.cls_token_id is not None and ids[:1] == [tokenizer.cls_token_id]


def _pooled_of(found: Any) -> torch.Tensor:
    """The rows of ``get_text_features`` and its like; newer versions of the library return them inside an output."""
    return found if hasattr(found, "shape") else found.pooler_output


def _positions(module: Any, config: Any) -> int:
    """How many tokens the network has positions for; RoBERTa's begin behind its padding token."""
    places = getattr(getattr(module, "embeddings", None), "position_embeddings", None)
    skipped = getattr(places, "padding_idx", None)
    stated = getattr(config, "max_position_embeddings", None) or _TOKENS
    return stated if skipped is None else stated - skipped - 1


def _embeddings(module: Any) -> int | None:
    """The number of tokens that the network knows; None where it does not say."""
    try:
        table = getattr(module, "text_model", module).get_input_embeddings()
    except (AttributeError, NotImplementedError):
        return None
    return getattr(table, "num_embeddings", None)


def _check_ids(ids: torch.Tensor, rows: int | None, owner: str) -> None:
    """Raise CorruptAsset for a token that the network does not know: the tokenizer is another model's."""
    if rows is not None and ids.numel() and (highest := int(ids.max())) >= rows:
        raise CorruptAsset(
            f"{owner}: the tokenizer gives token {highest}, and the network knows {rows}; they are not of one model, "
            "so fetch the folder again"
        )


def load_generator(folder: Path, owner: str) -> generators.Generator:
    """A generator from a local folder.

    Raises BadSpec for a model that is no causal language model (an encoder, or one that reads in both directions), and
    CorruptAsset when its head or other weights are missing.
    """
    module = read_module(folder, owner, "AutoModelForCausalLM").module.float().eval()
    tokenizer = _tokenizer(folder, owner)
    own = module.generation_config.eos_token_id
    ends = tuple(own) if isinstance(own, list) else (own,) if own is not None else (tokenizer.eos_token_id,)
    if ends == (None,):
        raise BadSpec(f"{owner}: {folder} states no eos_token_id, so no text would end")
    if _sees_what_follows(module):
        raise BadSpec(
            f"{owner}: {folder} reads in both directions; a generator is a causal language model, as GPT-2 is"
        )
    rows = _embeddings(module)

    def encode(text: str) -> list[int]:
        ids = tokenizer.encode(text, add_special_tokens=False)
        if rows is not None and ids and max(ids) >= rows:
            raise CorruptAsset(f"{owner}: the tokenizer gives token {max(ids)}, and the network knows {rows}")
        return ids

    return generators.from_transformers(
        module,
        encode=encode,
        decode=lambda tokens: tokenizer.decode(tokens, skip_special_tokens=True),
        ends=ends,
        room=int(getattr(module.config, "max_position_embeddings", None) or _TOKENS),
        start=() if tokenizer.bos_token_id is None else (tokenizer.bos_token_id,),
    )


def _sees_what_follows(module: Any) -> bool:
    import torch

    with torch.inference_mode():
        one, other = module(input_ids=torch.tensor([[0, 1], [0, 2]])).logits[:, 0]
    return not torch.allclose(one, other, atol=1e-5)


def _tokenizer(folder: Path, owner: str) -> Any:
    with quiet_reading(folder, owner):
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def _folder(spec: ModelSpec, owner: str) -> Path:
    """The model's folder, its weights of the digest that ``spec`` states; raises MissingAsset, CorruptAsset."""
    folder = folder_of(spec.name)
    if folder is None:
        raise MissingAsset(
            f"{owner}: neither {checkpoints.weights_path(spec.name)} nor the local hub cache holds it; fetch it with: "
            f"hf download {spec.name}, or name a folder: transformers:DIR"
        )
    _check_digest(folder, spec.option("sha256"), owner)
    return folder


def _load_generator(spec: ModelSpec) -> generators.Generator:
    owner = f"model {str(spec)!r}"
    found = load_generator(_folder(spec, owner), owner)
    specs.require_width(spec, found.dim)
    return found


def _load(spec: ModelSpec) -> Encoder:
    owner = f"model {str(spec)!r}"
    folder = _folder(spec, owner)
    if spec.tower == "image":
        return specs.checked(spec, load_image(folder, spec, owner))
    options = {"max_length": spec.number("max_length"), "unit": spec.option("unit") == "1"}
    token = spec.number("token") if spec.option("token") else None
    encoder = load_text(folder, owner, pool=spec.option("pool"), token=token, **options)  # type: ignore[arg-type]
    return specs.checked(spec, encoder)


def _identity(spec: ModelSpec) -> Identity:
    known = dict(encoders.versions("transformers", "tokenizers", "torch", "pillow"))
    pool = spec.option("pool", "own pooling")
    layer = f"token {spec.option('token')}" if spec.option("token") else pool
    # the folder's content is in the digest, so the name of the folder is left out
    options = "&".join(f"{key}={value}" for key, value in spec.options if key not in ("dim", "sha256"))
    architecture = f"transformers {spec.tower or 'text'} {options}".strip()
    return Identity(_weights(spec), architecture, f"{layer} of the last layer", None, known)


def _generator_identity(spec: ModelSpec) -> Identity:
    known = dict(encoders.versions("transformers", "tokenizers", "torch"))
    return Identity(_weights(spec), "transformers causal language model", "next token", None, known)


def _weights(spec: ModelSpec) -> str | None:
    """A digest of the files of the model's folder, tokenizer included; None when it is not here."""
    folder = folder_of(spec.name)
    files = _files(folder) if folder else []
    return checkpoints.folder_digest(files) if any(p.suffix in (".safetensors", ".bin") for p in files) else None


def _check_digest(folder: Path, stated: str, owner: str) -> None:
    files = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))
    if stated and len(files) != 1:
        raise BadSpec(f"{owner}: sha256= is of one file of weights, and {folder} has {len(files)}")
    if stated:
        checkpoints.check_digest(files[0], stated, owner)


def _files(folder: Path) -> list[Path]:
    kinds = {".json", ".txt", ".model", ".spm", ".vocab", ".bpe", ".tiktoken", ".safetensors", ".bin"}
    return sorted(path for path in folder.iterdir() if path.is_file() and path.suffix in kinds)


SOURCES.add(
    ModelSource(
        "transformers",
        "transformers:DIR_OR_ID[#image]",
        entry,
        options={"": _TEXT, "text": _TEXT, "image": IMAGE_OPTIONS | {"pool", "dim", "sha256"}},
        values={"pool": choice("pooler", "mean", "cls", "last")},
    )
)
