"""The files of the paper lineup's text encoders: BERT, its sentence-transformers kin and GPT-2, made small."""

from __future__ import annotations

import json
import string
from pathlib import Path

from random_weights import random_state


def write_texts(folder: Path) -> None:
    write_bert(folder / "bert-base-uncased", 768, pretraining=True)
    write_gpt2(folder / "gpt2")
    for name, width in (("bert-base-nli-cls-token", 768), ("bert-large-nli-cls-token", 1024)):
        _sentence_bert(folder / "sentence-transformers" / name, width)


def write_bert(folder: Path, width: int, *, pretraining: bool) -> None:
    """bert-base-uncased as the hub has it: old names of the norms, and the heads of its pretraining."""
    import transformers
    from safetensors.torch import save_file

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "photo", "of"]
    letters = string.ascii_lowercase + string.digits + string.punctuation
    words += sorted({*letters, *(f"##{letter}" for letter in letters)} - {"a"})
    config = transformers.BertConfig(
        vocab_size=len(words), hidden_size=width, num_hidden_layers=1, num_attention_heads=width // 64,
        intermediate_size=64, architectures=["BertForMaskedLM" if pretraining else "BertModel"],
    )  # fmt: skip
    config.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(words))
    transformers.BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    model = transformers.BertForPreTraining if pretraining else transformers.BertModel
    state = random_state(lambda: model(config), 20 + width)
    state = {key: value for key, value in state.items() if key != "cls.predictions.decoder.weight"}
    if pretraining:
        old = (("LayerNorm.weight", "LayerNorm.gamma"), ("LayerNorm.bias", "LayerNorm.beta"))
        for new_name, old_name in old:
            state = {key.replace(new_name, old_name): value for key, value in state.items()}
    save_file({key: value.contiguous() for key, value in state.items()}, folder / "model.safetensors", {"format": "pt"})


def _sentence_bert(folder: Path, width: int) -> None:
    """A sentence-transformers repository: BERT at the top, and what its own library reads beside it."""
    write_bert(folder, width, pretraining=False)
    (folder / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": width, "pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    (folder / "modules.json").write_text(json.dumps([{"idx": 0, "name": "0", "path": ""}]))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 128}))


WHOLE = (
    "photo",
    "of",
    "a",
    "tench",
    "goldfish",
    "great",
    "tiger",
    "hammerhead",
)  # words that are one token, as in GPT-2


def write_gpt2(folder: Path) -> None:
    """gpt2 as the hub has it: no prefix, and the causal mask saved with each layer."""
    import torch
    import transformers
    from safetensors.torch import save_file
    from tokenizers.pre_tokenizers import ByteLevel

    folder.mkdir(parents=True)
    letters = [*sorted(ByteLevel.alphabet()), "<|endoftext|>"]
    merges = list(dict.fromkeys(("Ġ" + word[:end], word[end]) for word in WHOLE for end in range(len(word))))
    letters += ["".join(both) for both in merges]
    (folder / "vocab.json").write_text(json.dumps({letter: i for i, letter in enumerate(letters)}))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *map(" ".join, merges)]) + "\n")
    config = transformers.GPT2Config(
        vocab_size=len(letters), n_embd=768, n_layer=1, n_head=12, n_inner=64, n_positions=1024,
        bos_token_id=256, eos_token_id=256, architectures=["GPT2LMHeadModel"],
    )  # fmt: skip
    config.save_pretrained(folder)
    tokenizer = transformers.GPT2TokenizerFast(vocab=str(folder / "vocab.json"), merges=str(folder / "merges.txt"))
    tokenizer.save_pretrained(folder)
    state = random_state(lambda: transformers.GPT2Model(config), 30)
    state["h.0.attn.bias"] = torch.ones(1, 1, 1024, 1024).tril()
    save_file(state, folder / "model.safetensors", {"format": "pt"})
