"""Text and vision encoders of transformers, from folders that the test makes: small, random, in the real layout."""

from __future__ import annotations

import json

import paper_text_files
import pytest
import torch
import transformers
from PIL import Image

from mmbench.errors import BadItem, BadSpec, CorruptAsset, MissingAsset
from mmbench.models.specs import resolve

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "cat", "dog", "big", "red"]
TEXTS = ["a cat", "a big red dog", "cat"]


@pytest.fixture
def quiet():
    level = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    yield
    transformers.utils.logging.enable_progress_bar()
    transformers.logging.set_verbosity(level)


@pytest.fixture
def bert(weights, quiet):
    """A BERT of two layers in ``weights/bert``, its tokenizer beside it."""
    folder = weights / "bert"
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=12,
    )  # fmt: skip
    model = transformers.BertModel(config).eval()
    model.save_pretrained(folder)
    vocabulary = weights / "vocab.txt"
    vocabulary.write_text("\n".join(WORDS))
    transformers.BertTokenizerFast(vocab=str(vocabulary)).save_pretrained(folder)
    return folder, model


def hidden(folder, model, texts, **options):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    batch = tokenizer(texts, return_tensors="pt", padding=True, **options)
    with torch.inference_mode():
        return model(**batch).last_hidden_state, batch["attention_mask"]


@pytest.mark.parametrize("pool", ["mean", "cls"])
def test_text_features_equal_transformers(bert, pool):
    folder, model = bert
    entry = resolve(f"transformers:bert?dim=16&pool={pool}")
    encoder = entry.load()
    with torch.inference_mode():
        found = encoder.forward(TEXTS)
    for text, row in zip(TEXTS, found, strict=True):  # one by one: no padding is there to be left out
        states, _ = hidden(folder, model, [text])
        wanted = states[0].mean(dim=0) if pool == "mean" else states[0, 0]
        torch.testing.assert_close(row, wanted, rtol=1e-4, atol=1e-5)
    assert (encoder.modality, encoder.dim, entry.modality) == ("text", 16, "text")


def test_a_class_token_that_is_only_named_is_not_taken(bert):
    """Without a template, the tokenizer has a class token and puts it nowhere: the first token is a word."""
    folder, _ = bert
    changes = {"tokenizer.json": {"post_processor": None}}
    changes["tokenizer_config.json"] = {"tokenizer_class": "PreTrainedTokenizerFast"}  # BERT's own makes its template
    for name, change in changes.items():
        (folder / name).write_text(json.dumps(json.loads((folder / name).read_text()) | change))
    with pytest.raises(BadSpec, match=r"puts no class token in front of a text; use \?pool=mean, last or pooler"):
        resolve("transformers:bert?pool=cls").load()
    resolve("transformers:bert?pool=mean").load()


@pytest.fixture
def t5(weights, quiet):
    """``t5(kind)``: a folder of the encoder alone, or of the whole model, and the encoder; as transformers saves it."""

    def make(kind="T5EncoderModel"):
        import tokenizers

        folder = weights / "t5"
        torch.manual_seed(0)
        sizes = {"d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 2, "num_heads": 2, "decoder_start_token_id": 0}
        config = getattr(transformers, f"{kind.partition('T5')[0]}T5Config")(vocab_size=len(WORDS), **sizes)
        whole = getattr(transformers, kind)(config).eval()
        whole.save_pretrained(folder)
        words = tokenizers.Tokenizer(tokenizers.models.WordLevel(dict(zip(WORDS, range(10), strict=True)), "[UNK]"))
        words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
        words.post_processor = tokenizers.processors.TemplateProcessing(
            single="$A [SEP]", special_tokens=[("[SEP]", 3)]
        )
        transformers.PreTrainedTokenizerFast(
            tokenizer_object=words, pad_token="[PAD]", eos_token="[SEP]", unk_token="[UNK]"
        ).save_pretrained(folder)
        return folder, whole.get_encoder()

    return make


@pytest.mark.parametrize("kind", ["T5EncoderModel", "T5Model", "T5ForConditionalGeneration", "UMT5EncoderModel"])
@pytest.mark.parametrize("pool", ["mean", "last"])
def test_the_encoder_of_a_t5_equals_transformers(t5, kind, pool):
    folder, model = t5(kind)
    encoder = resolve(f"transformers:t5?pool={pool}").load()
    with torch.inference_mode():
        found = encoder.forward(TEXTS)
    for text, row in zip(TEXTS, found, strict=True):
        states, _ = hidden(folder, model, [text])
        wanted = states[0].mean(dim=0) if pool == "mean" else states[0, -1]
        torch.testing.assert_close(row, wanted, rtol=1e-4, atol=1e-5)
    assert (encoder.modality, encoder.dim) == ("text", 16)
    assert type(encoder.module).__name__.endswith("EncoderModel")


def test_the_pooling_of_a_t5_must_be_named(t5):
    t5()
    with pytest.raises(BadSpec, match=r"is the encoder of a T5, which pools no text itself; name the pooling: \?pool="):
        resolve("transformers:t5").load()
    with pytest.raises(BadSpec, match=r"has no pooled output of its own; use \?pool=mean"):
        resolve("transformers:t5?pool=pooler").load()
    with pytest.raises(BadSpec, match="puts no class token in front of a text"):
        resolve("transformers:t5?pool=cls").load()
    assert resolve("transformers:t5?token=1").load().dim == 16


def test_an_encoder_of_a_t5_that_lacks_weights_is_refused(t5):
    from safetensors.torch import load_file, save_file

    folder, _ = t5()
    state = load_file(folder / "model.safetensors")
    lost = next(key for key in state if key.startswith("encoder.block.1."))
    save_file({k: v for k, v in state.items() if k != lost}, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CorruptAsset, match=r"lacks weights that its config.json asks for: encoder\.block\.1\."):
        resolve("transformers:t5?pool=mean").load()


@pytest.mark.parametrize("pool", ["", "?pool=cls", "?pool=pooler"])
def test_only_poolings_that_a_model_has_are_advised(weights, quiet, pool):
    vision_folder(weights)
    words = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = transformers.IJepaConfig(**words, image_size=32, patch_size=8)
    transformers.IJepaModel(config, add_pooling_layer=False).save_pretrained(weights / "vit")
    with pytest.raises(BadSpec, match=r"the model has no (class token, and no )?pooler.*; use \?pool=mean$"):
        resolve(f"transformers:vit{pool}#image").load()
    assert resolve("transformers:vit?pool=mean#image").load().dim == 16


def test_mean_is_the_default_and_unit_divides_by_the_length(bert):
    with torch.inference_mode():
        plain, unit = (resolve(f"transformers:bert{options}").load().forward(TEXTS) for options in ("", "?unit=1"))
        mean = resolve("transformers:bert?pool=mean").load().forward(TEXTS)
    assert torch.equal(plain, mean)
    torch.testing.assert_close(unit, plain / plain.norm(dim=1, keepdim=True))


def test_long_texts_are_cut(bert):
    with torch.inference_mode():
        encoder = resolve("transformers:bert?max_length=4").load()
        assert torch.equal(encoder.forward(["a big red dog"]), encoder.forward(["a big"]))
        encoder = resolve("transformers:bert").load()  # the config allows 12 tokens, two of them marks
        assert torch.equal(encoder.forward([" ".join(["cat"] * 40)]), encoder.forward([" ".join(["cat"] * 10)]))
    assert encoder.cuts(["", "a big red dog", *(" ".join(["cat"] * words) for words in (10, 11, 40))]) == [
        *(False, False, False),
        *(True, True),
    ]


def test_a_causal_model_without_a_padding_token(weights, quiet):
    folder = weights / "gpt"
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=12, n_embd=16, n_layer=1, n_head=2, n_positions=8, bos_token_id=0, eos_token_id=0
    )
    model = transformers.GPT2Model(config).eval()
    model.save_pretrained(folder)
    from tokenizers import Tokenizer, models, pre_tokenizers

    raw = Tokenizer(models.WordLevel({word: i for i, word in enumerate(["<eos>", *WORDS])}, unk_token="<eos>"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<eos>").save_pretrained(folder)
    with torch.inference_mode():
        last = resolve("transformers:gpt?pool=last").load().forward(TEXTS)
        alone = resolve("transformers:gpt?pool=last").load().forward(TEXTS[:1])
        wanted = model(input_ids=torch.tensor([[6, 7]])).last_hidden_state[:, -1]
    torch.testing.assert_close(last[:1], wanted, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(alone, wanted, rtol=1e-4, atol=1e-5)


class TestToken:
    """``token=N``: the text's N-th token without pooling (reading D-08b)."""

    @pytest.mark.parametrize("token", [0, 1])
    def test_is_counted_behind_the_marks_and_whatever_the_padding(self, bert, token):
        folder, model = bert
        texts = ["a cat", "a big red dog", "big dog"]
        with torch.inference_mode():
            found = resolve(f"transformers:bert?token={token}").load().forward(texts)
        wanted = torch.stack([hidden(folder, model, [text])[0][0, 1 + token] for text in texts])
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize("texts", [["a big red dog", "cat"], ["cat", "a big red dog"], ["cat"]])
    def test_a_text_that_ends_before_it_is_told(self, bert, texts):
        encoder = resolve("transformers:bert?token=2").load()
        with pytest.raises(BadItem, match=r"the text 'cat' has no token 2 \(from 0\): it is too short for \?token=2$"):
            encoder.forward(texts)

    def test_decides_the_identity(self, bert):
        identities = [resolve(f"transformers:bert{option}").identity() for option in ("", "?token=1", "?token=2")]
        assert len({(one.layer, one.architecture) for one in identities}) == 3

    def test_papers_layouts(self, weights, quiet):
        """BERT has marks around a text and GPT-2 none; both are at the label's first letter here."""
        paper_text_files.write_bert(weights / "b", 768, pretraining=True)
        paper_text_files.write_gpt2(weights / "g")
        for name, at in (("b", 5), ("g", 4)):
            model = transformers.AutoModel.from_pretrained(weights / name).eval()
            tokens = transformers.AutoTokenizer.from_pretrained(weights / name)
            with torch.inference_mode():
                found = resolve(f"transformers:{name}?token=4&dim=768").load().forward(["a photo of a tench"] * 2)
                wanted = model(**tokens("a photo of a tench", return_tensors="pt")).last_hidden_state[0]
            torch.testing.assert_close(found[1], wanted[at], rtol=1e-3, atol=1e-4)
            if name == "b":
                assert tokens.convert_ids_to_tokens(tokens("a photo of a tench").input_ids)[at] == "t"


def test_bert_under_its_old_names_is_read_whole(weights, quiet):
    """bert-base-uncased calls its norms' weights gamma and beta; left out, they would be silently new."""
    from safetensors.torch import load_file

    paper_text_files.write_bert(weights / "b", 768, pretraining=True)
    state = load_file(weights / "b" / "model.safetensors")
    assert "bert.embeddings.LayerNorm.gamma" in state
    module = resolve("transformers:b").load().module
    assert torch.equal(module.embeddings.LayerNorm.weight, state["bert.embeddings.LayerNorm.gamma"])
    assert torch.equal(module.embeddings.LayerNorm.bias, state["bert.embeddings.LayerNorm.beta"])


SMALL = {
    "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32, "image_size": 32,
    "patch_size": 8,
}  # fmt: skip
IMAGE_MODELS = {
    "ViT of ImageNet-21k": lambda: transformers.ViTModel(transformers.ViTConfig(**SMALL)),
    "ViT with a classifier": lambda: transformers.ViTForImageClassification(transformers.ViTConfig(**SMALL)),
    "DINO": lambda: transformers.ViTModel(transformers.ViTConfig(**SMALL), add_pooling_layer=False),
    "BEiT with its masked-image head": lambda: transformers.BeitForMaskedImageModeling(
        transformers.BeitConfig(**SMALL, use_relative_position_bias=True, vocab_size=20, use_mask_token=True)
    ),
    "BEiT with a classifier": lambda: transformers.BeitForImageClassification(
        transformers.BeitConfig(**SMALL, use_relative_position_bias=True, vocab_size=20)
    ),
}


@pytest.mark.parametrize("kind", IMAGE_MODELS)
def test_vision_checkpoints_with_their_heads(weights, quiet, pictures, kind):
    torch.manual_seed(0)
    model = IMAGE_MODELS[kind]().eval()
    model.save_pretrained(weights / "m")
    processor = {"size": {"height": 32, "width": 32}, "resample": 2, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (weights / "m" / "preprocessor_config.json").write_text(json.dumps(processor))
    encoder = resolve("transformers:m?dim=16#image").load()
    body = getattr(model, "vit", getattr(model, "beit", model))
    with torch.inference_mode():
        batch = torch.stack([encoder.prepare(picture) for picture in pictures])
        out = body(pixel_values=batch)
        wanted = out.last_hidden_state[:, 0] if out.pooler_output is None else out.pooler_output
        torch.testing.assert_close(encoder.forward(batch), wanted, rtol=1e-4, atol=1e-5)


def test_a_stated_digest_is_that_of_the_weights(bert):
    from mmbench.models.checkpoints import file_digest

    digest = file_digest(bert[0] / "model.safetensors")
    resolve(f"transformers:bert?sha256={digest}").load()
    with pytest.raises(CorruptAsset, match=r"states sha256=00000000, but .*model.safetensors has "):
        resolve("transformers:bert?sha256=00000000").load()
    (bert[0] / "model-2.safetensors").write_bytes(b"")
    with pytest.raises(BadSpec, match=r"sha256= is of one file of weights, and .* has 2"):
        resolve(f"transformers:bert?sha256={digest}").load()


def vision_folder(weights, **processor):
    folder = weights / "vit"
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, image_size=32, patch_size=8
    )
    model = transformers.ViTModel(config).eval()
    model.save_pretrained(folder)
    wanted = {"size": {"height": 32, "width": 32}, "resample": 2, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(wanted | processor))
    return model


@pytest.mark.parametrize("pool", ["cls", "mean"])
def test_vision_features_equal_transformers(weights, quiet, pictures, pool):
    model = vision_folder(weights)
    encoder = resolve(f"transformers:vit?pool={pool}#image").load()
    with torch.inference_mode():
        batch = torch.stack([encoder.prepare(picture) for picture in pictures])
        states = model(pixel_values=batch).last_hidden_state
        wanted = states[:, 0] if pool == "cls" else states[:, 1:].mean(dim=1)
        torch.testing.assert_close(encoder.forward(batch), wanted, rtol=1e-4, atol=1e-5)
    assert encoder.dim == 16
    resized = pictures[0].resize((32, 32), Image.Resampling.BILINEAR)
    assert torch.equal(batch[0], encoder.prepare(resized))  # a squash, as height and width ask for


def test_a_crop_is_read_from_the_processor(weights, quiet):
    vision_folder(
        weights, size={"shortest_edge": 40}, crop_size={"height": 32, "width": 32}, do_center_crop=True, resample=3
    )
    found = resolve("transformers:vit#image").load().prepare.preprocess
    assert (found.resize, found.size, found.fit, found.interpolation) == (40, 32, "crop", "bicubic")


def test_another_fit_is_refused(weights, quiet):
    vision_folder(weights, size={"longest_edge": 40})
    with pytest.raises(BadSpec, match=r"neither a centre crop nor a squash"):
        resolve("transformers:vit#image").load()


@pytest.mark.parametrize(("processor", "words"), [
    ({"image_mean": None}, r"normalises, with image_mean=None, image_std=\[0.5, 0.5, 0.5\]; give three"),
    ({"image_mean": 0.5}, r"normalises, with image_mean=0.5"),
    ({"image_mean": [0.5]}, r"cannot be followed: a Preprocess has mean=\(0.5,\); give a tuple of three numbers"),
    ({"image_mean": ["a", "b", "c"]}, r"cannot be followed: a Preprocess has mean=\('a', 'b', 'c'\)"),
    ({"image_std": [0.5, 0.0, 0.5]}, r"has std=\(0.5, 0.0, 0.5\); what pixels are divided by lies above 0"),
    ({"do_rescale": False}, r"scales bytes by 1; only 1/255, to pixels in \[0, 1\], is read"),
    ({"rescale_factor": 0.0078}, r"scales bytes by 0.0078; only 1/255"),
    ({"size": {"height": 32, "width": 64}}, r"neither a centre crop nor a squash to a square"),
    ({"size": {"shortest_edge": 40}, "crop_size": {"height": 32, "width": 16}, "do_center_crop": True}, r"crop_size="),
    ({"size": {"shortest_edge": 30}, "crop_size": 32, "do_center_crop": True}, r"resize=30, smaller than the crop of"),
    ({"do_resize": False}, r"resizes no image \(do_resize is false\), .*python:MODULE:NAME"),
    ({"resample": 1}, r"resizes with resample=1; only 2 and 3 are read"),
])  # fmt: skip
def test_a_wrong_normalisation_or_size_is_told(weights, quiet, processor, words):
    vision_folder(weights, **processor)
    with pytest.raises((BadSpec, CorruptAsset), match=rf"model 'transformers:vit#image': .*_config.json .*{words}"):
        resolve("transformers:vit#image").load()


@pytest.mark.parametrize(("content", "words"), [("{", "is no JSON"), ("[1]", "holds a list and no settings")])
def test_a_processor_that_cannot_be_read_is_told(weights, quiet, content, words):
    vision_folder(weights)
    (weights / "vit" / "preprocessor_config.json").write_text(content)
    with pytest.raises(CorruptAsset, match=rf"preprocessor_config.json {words}.*; fetch it again"):
        resolve("transformers:vit#image").load()


class TestIdentity:
    def test_follows_weights_and_tokenizer_and_not_the_folders_name(self, bert, weights):
        folder, _ = bert
        before = resolve("transformers:bert").identity()
        assert before.weights is not None
        folder.rename(weights / "other")
        assert resolve("transformers:other").identity() == before
        (weights / "other" / "tokenizer.json").write_text("{}")
        assert resolve("transformers:other").identity().weights != before.weights

    def test_follows_the_pooling(self, bert):
        assert resolve("transformers:bert?pool=cls").identity() != resolve("transformers:bert").identity()

    def test_is_unknown_without_weights(self, bert):
        folder, _ = bert
        (folder / "model.safetensors").unlink()
        assert resolve("transformers:bert").identity().weights is None


class TestRefusals:
    def rewrite(self, folder, change):
        from safetensors.torch import load_file, save_file

        save_file(change(load_file(folder / "model.safetensors")), folder / "model.safetensors", {"format": "pt"})

    def test_a_missing_folder_says_how_to_get_it(self, weights, monkeypatch):
        import huggingface_hub.constants

        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(weights / "hub"))
        with pytest.raises(MissingAsset, match=r"fetch it with: hf download bert-base-uncased, or name a folder"):
            resolve("transformers:bert-base-uncased").load()

    def test_missing_key(self, bert):
        key = "encoder.layer.0.output.dense.weight"
        self.rewrite(bert[0], lambda state: {k: v for k, v in state.items() if k != key})
        with pytest.raises(CorruptAsset, match=f"lacks weights that its config.json asks for: {key}$"):
            resolve("transformers:bert").load()

    def test_extra_key(self, bert):
        self.rewrite(bert[0], lambda state: state | {"encoder.layer.7.more": torch.zeros(1)})
        with pytest.raises(CorruptAsset, match=r"has weights that its config.json does not use: encoder.layer.7.more$"):
            resolve("transformers:bert").load()

    def test_a_pretraining_head_is_no_extra_key(self, bert):
        self.rewrite(bert[0], lambda state: state | {"cls.predictions.bias": torch.zeros(1)})
        resolve("transformers:bert").load()

    def test_another_architecture(self, bert):
        config = json.loads((bert[0] / "config.json").read_text())
        (bert[0] / "config.json").write_text(json.dumps(config | {"intermediate_size": 24}))
        with pytest.raises(BadSpec, match=r"does not fit its config.json: .*dense.* differ in shape"):
            resolve("transformers:bert").load()

    def test_damaged_weights(self, bert):
        (bert[0] / "model.safetensors").write_bytes(b"no weights")
        with pytest.raises(CorruptAsset, match=r"model.safetensors says that its table of names has [0-9,]+ bytes"):
            resolve("transformers:bert").load()
        (bert[0] / "model.safetensors").write_bytes(b"\x08" + bytes(7) + b"not JSON")
        with pytest.raises(CorruptAsset, match=r"model 'transformers:bert': transformers cannot read "):
            resolve("transformers:bert").load()

    @pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
    def test_a_page_in_place_of_weights(self, bert, name):
        (bert[0] / "model.safetensors").unlink()
        (bert[0] / name).write_bytes(b"<html>")
        with pytest.raises(CorruptAsset, match=rf"{name} is an HTML page and no checkpoint"):
            resolve("transformers:bert").load()

    def test_a_malicious_pickle_is_not_run(self, bert, tmp_path):
        import os

        class Boom:
            def __reduce__(self):
                return os.mkdir, (str(tmp_path / "was run"),)

        (bert[0] / "model.safetensors").unlink()
        torch.save({"embeddings": Boom()}, bert[0] / "pytorch_model.bin")
        with pytest.raises(CorruptAsset, match=r"holds objects other than tensors"):
            resolve("transformers:bert").load()
        assert not (tmp_path / "was run").exists()

    def test_code_of_the_repository_is_not_run(self, bert, tmp_path):
        config = json.loads((bert[0] / "config.json").read_text())
        remote = {"AutoModel": "evil.Evil", "AutoConfig": "evil.EvilConfig"}
        (bert[0] / "config.json").write_text(json.dumps(config | {"auto_map": remote, "model_type": "evil"}))
        (bert[0] / "evil.py").write_text(f"import pathlib\npathlib.Path({str(tmp_path / 'was run')!r}).mkdir()\n")
        with pytest.raises(BadSpec, match=r"asks for code of its own repository \(auto_map\), which is never run"):
            resolve("transformers:bert").load()
        assert not (tmp_path / "was run").exists()
