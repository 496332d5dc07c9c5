"""Files that trainers, converters and strangers write: read right, or refused in one line that says what to do."""

from __future__ import annotations

import json
import os

import pytest
import timm
import torch
import transformers
from safetensors.torch import save_file

from mmbench.errors import BadSpec, CorruptAsset, MissingAsset, MMBenchError, NotFinite
from mmbench.models import checkpoints
from mmbench.models.configs import read_config
from mmbench.models.specs import resolve

NAME = "timm:test_resnet"


@pytest.fixture(scope="module")
def state():
    torch.manual_seed(0)
    return timm.create_model("test_resnet", num_classes=0).state_dict()


def features(spec):
    encoder = resolve(spec).load()
    with torch.inference_mode():
        return encoder.forward(torch.rand(2, 3, 160, 160, generator=torch.Generator().manual_seed(1)))


class TestPrefixes:
    @pytest.mark.parametrize("prefix", ["model.", "backbone.", "model.module.", "net.encoder."])
    def test_a_trainers_prefix_is_named_and_can_be_cut_off(self, weights, state, prefix):
        whole = {f"{prefix}{key}": value for key, value in state.items()} | {"head.weight": torch.ones(2, 2)}
        torch.save({"epoch": 3, "state_dict": whole, "optimizer_states": [{}]}, weights / "c.pt")
        with pytest.raises(BadSpec, match=rf"these are its names behind '{prefix}': add \?prefix={prefix}$"):
            resolve(f"{NAME}@c.pt").load()
        save_file(state, weights / "plain.safetensors")
        assert torch.equal(features(f"{NAME}@c.pt?prefix={prefix}"), features(f"{NAME}@plain.safetensors"))

    def test_nothing_is_advised_for_another_network(self, weights):
        torch.save({"model.a.weight": torch.ones(2, 2), "model.b.weight": torch.ones(2)}, weights / "c.pt")
        with pytest.raises(BadSpec) as caught:
            resolve(f"{NAME}@c.pt").load()
        assert "prefix" not in str(caught.value)


class TestSeveralSets:
    @pytest.mark.parametrize(
        ("one", "other"), [("state_dict", "state_dict_ema"), ("model", "model_ema"), ("student", "teacher")]
    )
    def test_an_averaged_copy_beside_the_weights_asks_which(self, weights, state, one, other):
        averaged = {key: value * 0.5 for key, value in state.items()}
        torch.save({one: state, other: averaged, "optimizer": {"state": {}}}, weights / "c.pt")
        words = rf"several sets of weights \({one}, {other}\).*say which with \?inside={one} or \?inside={other}$"
        with pytest.raises(BadSpec, match=words):
            resolve(f"{NAME}@c.pt").load()
        assert not torch.equal(features(f"{NAME}@c.pt?inside={one}"), features(f"{NAME}@c.pt?inside={other}"))

    @pytest.mark.parametrize(
        ("key", "part", "place"),
        [
            ("ema", lambda state: {"state_dict": state}, "ema.state_dict"),
            ("callbacks", lambda state: {"average": {"weights": state}}, "callbacks.average.weights"),
            ("ema", lambda state: {"decay": 0.99, **state}, "ema"),
            ("ema_state", lambda state: {"shadow_params": list(state.values())}, "ema_state.shadow_params"),
        ],
    )
    def test_an_averaged_copy_further_down_asks_too(self, weights, state, key, part, place):
        torch.save({"model": state, key: part(state)}, weights / "c.pt")
        with pytest.raises(
            BadSpec, match=rf"several sets of weights \(model, {place}\).*say which with \?inside=model"
        ):
            resolve(f"{NAME}@c.pt").load()
        resolve(f"{NAME}@c.pt?inside=model").load()

    def test_an_optimisers_tensors_are_none(self, weights, state):
        module = torch.nn.Linear(2, 2)
        optimiser = torch.optim.Adam(module.parameters())
        module(torch.ones(1, 2)).sum().backward()
        optimiser.step()
        named = {"state": {"weight": {"exp_avg": torch.ones(2, 2)}}}
        rest = {"optimizer": optimiser.state_dict(), "inner": {"state": optimiser.state_dict()}, "optim_state": named}
        torch.save({"state_dict": state, **rest}, weights / "c.pt")
        resolve(f"{NAME}@c.pt").load()
        torch.save({"state_dict": state, "scaler": {"scale": torch.tensor(1.0)}, "amp": {}}, weights / "c.pt")
        resolve(f"{NAME}@c.pt").load()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_no_numbers_are_refused(weights, state, value):
    key = "conv1.0.weight"
    broken = state[key].clone()
    broken.view(-1)[5] = value
    save_file(state | {key: broken}, weights / "c.safetensors")
    with pytest.raises(NotFinite, match=rf"weights that are no numbers \(NaN or infinite\): {key}; the training"):
        resolve(f"{NAME}@c.safetensors").load()


def test_weights_whose_sum_overflows_are_numbers(weights, state):
    save_file(state | {"conv1.0.weight": torch.full_like(state["conv1.0.weight"], 3e38)}, weights / "c.safetensors")
    resolve(f"{NAME}@c.safetensors").load()


@pytest.mark.parametrize(
    "change",
    [
        {"pretrained_cfg": [1, 2]},
        {"pretrained_cfg": "x"},
        {"model_args": [1]},
        {"model_args": {"no_such_word": 1}},
        {"pretrained_cfg": {"input_size": 160}},
        {"pretrained_cfg": {"crop_pct": "a"}},
        {"pretrained_cfg": {"crop_pct": 0}},
        {"pretrained_cfg": {"mean": 0.5}},
        {"pretrained_cfg": {"classifier": 5}},
    ],
    ids=str,
)
def test_settings_of_another_kind_beside_timms_weights_are_told(weights, state, change):
    save_file(state, weights / "model.safetensors")
    (weights / "config.json").write_text(json.dumps({"architecture": "test_resnet"} | change))
    with pytest.raises(BadSpec, match=r"config\.json has settings that timm cannot use \(.*\); fetch it again"):
        resolve(f"{NAME}@model.safetensors").load()


class TestReplacedFiles:
    def test_a_file_that_is_replaced_between_identity_and_load_is_refused(self, weights, state):
        save_file(state, weights / "c.safetensors")
        entry = resolve(f"{NAME}@c.safetensors")
        before = entry.identity()
        times = (weights / "c.safetensors").stat()
        save_file({key: value * 2 for key, value in state.items()}, weights / "c.safetensors")
        os.utime(weights / "c.safetensors", ns=(times.st_atime_ns, times.st_mtime_ns))  # same size, same time
        with pytest.raises(CorruptAsset, match=r"its files were replaced between the moment they were identified"):
            entry.load()
        again = resolve(f"{NAME}@c.safetensors")
        assert again.identity().weights != before.weights
        again.load()

    def test_a_hub_revision_that_moves_is_refused(self, weights, monkeypatch):
        for revision, seed in (("one", 0), ("two", 1)):
            torch.manual_seed(seed)
            config = transformers.BertConfig(
                vocab_size=5, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8
            )
            transformers.BertModel(config).save_pretrained(weights / revision)
            (weights / revision / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\na")
            transformers.BertTokenizerFast(vocab=str(weights / revision / "vocab.txt")).save_pretrained(
                weights / revision
            )
        now = ["one"]
        monkeypatch.setattr(checkpoints, "hub_file", lambda repo, names: weights / now[0] / "config.json")
        entry = resolve("transformers:org/name")
        entry.identity()
        entry.load()
        now[0] = "two"
        with pytest.raises(CorruptAsset, match=r"its files were replaced"):
            entry.load()


class TestConfigs:
    @pytest.mark.parametrize(("text", "words"), [
        ("[" * 100_000, "is no JSON"),
        ('{"a": ' + '{"a": ' * 3_000 + "1" + "}" * 3_001, "is no JSON"),
        ("[1]", "holds a list and no settings"),
        ('{"num_hidden_layers": 1000000000}', "asks for num_hidden_layers=1000000000; a model of at most 4,096 layers"),
        ('{"vision_config": {"depths": [2, 999999]}}', r"asks for depths=\[2, 999999\]"),
        (json.dumps({"x": "y" * 5_000_000}), "has more than 4,000,000 bytes"),
        ("1" * 5_000, "is no JSON"),
        ("\xff", "is no JSON"),
    ])  # fmt: skip
    def test_bounded(self, tmp_path, text, words):
        (tmp_path / "config.json").write_bytes(text.encode("latin-1"))
        with pytest.raises(MMBenchError, match=f"^me: .*config.json {words}") as caught:
            read_config(tmp_path / "config.json", "me")
        assert "\n" not in str(caught.value)

    def test_what_is_no_file_is_not_waited_for(self, tmp_path):
        os.mkfifo(tmp_path / "config.json")
        with pytest.raises(CorruptAsset, match=r"config.json is no plain file$"):
            read_config(tmp_path / "config.json", "me")

    def test_settings_that_only_sound_like_layers_are_read(self, tmp_path):
        fine = {"layer_norm_eps": 1e-5, "vocab_size_per_layer_input": 262144, "num_hidden_layers": 48}
        (tmp_path / "config.json").write_text(json.dumps(fine))
        assert read_config(tmp_path / "config.json", "me") == fine

    def test_a_table_of_names_of_99_megabytes_is_not_read(self, tmp_path):
        with (tmp_path / "m.safetensors").open("wb") as stream:
            stream.write((99_000_000).to_bytes(8, "little") + b"{")
            stream.truncate(99_000_100)
        with pytest.raises(CorruptAsset, match=r"m.safetensors says that its table of names has 99,000,000 bytes"):
            checkpoints.read_state_dict(tmp_path / "m.safetensors")


VISION = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8, "image_size": 16}
SQUARE = {"image_processor_type": "ViTImageProcessor", "size": {"height": 16, "width": 16}}


class TestRequestsOfTransformers:
    @pytest.fixture
    def folder(self, weights):
        transformers.ViTModel(transformers.ViTConfig(**VISION, patch_size=8)).save_pretrained(weights / "m")
        (weights / "m" / "preprocessor_config.json").write_text(json.dumps(SQUARE))
        resolve("transformers:m#image").load()
        return weights / "m"

    @pytest.mark.parametrize(("file", "change", "words"), [
        ("config.json", {"quantization_config": {"quant_method": "bitsandbytes"}}, r"asks for quantised weights"),
        ("config.json", {"_attn_implementation": "kernels-community/attn"}, r"asks for code from the hub \(_attn"),
        ("config.json", {"auto_map": {"AutoModel": "a.B"}}, r"asks for code of its own repository \(auto_map\)"),
        ("preprocessor_config.json", {"auto_map": {"AutoImageProcessor": "a.B"}}, r"asks for code of its own"),
        ("config.json", {"vision_config": {"quantization_config": {"bits": 4}}}, r"asks for quantised weights"),
        ("config.json", {"num_hidden_layers": 10**9}, r"a model of at most 4,096 layers is built"),
        ("config.json", {"model_type": "nobody_has_this"}, r"transformers cannot read "),
        ("preprocessor_config.json", {"size": {"height": 10**9, "width": 10**9}}, r"up to 8,000"),
        ("preprocessor_config.json", {"image_processor_type": "Nobody"}, r"transformers cannot read "),
    ])  # fmt: skip
    def test_foreign_requests_are_refused_in_one_line(self, folder, file, change, words):
        config = json.loads((folder / file).read_text())
        (folder / file).write_text(json.dumps(config | change))
        with pytest.raises(MMBenchError, match=rf"^model 'transformers:m#image': .*{words}") as caught:
            resolve("transformers:m#image").load()
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin", "tokenizer.json"])
    def test_what_is_no_file_is_not_waited_for(self, folder, name):
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)
        with pytest.raises(CorruptAsset, match=rf"{name} is no plain file"):
            resolve("transformers:m#image").load()

    def test_a_processor_that_does_more_than_its_settings_say_is_refused(self, folder):
        flipped = {"image_processor_type": "MobileViTImageProcessor", "size": {"shortest_edge": 16}, "crop_size": 16}
        (folder / "preprocessor_config.json").write_text(json.dumps(flipped | {"do_center_crop": True}))
        with pytest.raises(
            BadSpec, match=r"of MobileViT\w+, which does more than its settings say: pixels differ by \d+"
        ):
            resolve("transformers:m#image").load()

    def test_a_whole_processors_config_is_read_too(self, folder):
        (folder / "preprocessor_config.json").unlink()
        (folder / "processor_config.json").write_text(json.dumps({"image_processor": SQUARE}))
        assert resolve("transformers:m#image").load().prepare.preprocess.size == 16
        (folder / "processor_config.json").unlink()
        with pytest.raises(
            MissingAsset, match=r"needs .*preprocessor_config.json, or processor_config.json with an image"
        ):
            resolve("transformers:m#image").load()

    @pytest.mark.parametrize(("kind", "pool", "words"), [
        ("SwinModel", "cls", r"has no class token; use \?pool=pooler or \?pool=mean$"),
        ("ViTModel", "last", r"pool=last is of texts"),
        ("ViTMAEModel", "", r"gives one image different features each time"),
        ("CLIPModel", "cls", r"gives get_image_features, its joint embedding; leave pool= out$"),
    ])  # fmt: skip
    def test_poolings_that_a_model_does_not_have(self, weights, folder, kind, pool, words):
        made = {
            "SwinModel": {"image_size": 16, "patch_size": 2, "embed_dim": 8, "depths": [1], "num_heads": [2]},
            "ViTModel": VISION | {"patch_size": 8},
            "ViTMAEModel": VISION
            | {
                "patch_size": 2,
                "decoder_hidden_size": 8,
                "decoder_num_attention_heads": 1,
                "decoder_num_hidden_layers": 1,
            },
            "CLIPModel": {"vision_config": VISION | {"patch_size": 8}, "text_config": {"num_hidden_layers": 1}},
        }[kind]
        config = getattr(transformers, kind.replace("Model", "Config"))(**made)
        getattr(transformers, kind)(config).save_pretrained(weights / "m")
        with pytest.raises(BadSpec, match=rf"^model .*{words}"):
            resolve(f"transformers:m{f'?pool={pool}' if pool else ''}#image").load()

    def test_a_tokenizer_of_another_model_is_refused(self, weights):
        config = transformers.BertConfig(
            vocab_size=5, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8
        )
        transformers.BertModel(config).save_pretrained(weights / "b")
        (weights / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\na\nb\nc")
        transformers.BertTokenizerFast(vocab=str(weights / "vocab.txt")).save_pretrained(weights / "b")
        encoder = resolve("transformers:b").load()
        encoder.forward(["a"])
        with pytest.raises(
            CorruptAsset, match=r"the tokenizer gives token 6, and the network knows 5; they are not of"
        ):
            encoder.forward(["a", "a c"])


class TestSizes:
    @pytest.mark.parametrize("spec", [
        "timm:test_vit?random=0&size=96", "timm:test_resnet?random=0&size=96",
        "open_clip:ViT-S-32-alt?random=0&size=96",
    ])  # fmt: skip
    def test_another_size_is_built_for(self, spec):
        encoder = resolve(spec).load()
        with torch.inference_mode():
            assert encoder.forward(torch.zeros(1, 3, 96, 96)).shape == (1, encoder.dim)

    def test_positions_of_weights_are_resized_as_timm_does(self, weights):
        torch.manual_seed(0)
        model = timm.create_model("test_vit", num_classes=0)
        save_file(model.state_dict(), weights / "m.safetensors")
        here = {"file": str(weights / "m.safetensors")}
        other = timm.create_model("test_vit", pretrained=True, pretrained_cfg_overlay=here, num_classes=0, img_size=96)
        pixels = torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
        encoder = resolve("timm:test_vit@m.safetensors?size=96").load()
        with torch.inference_mode():
            torch.testing.assert_close(encoder.forward(pixels), other.eval()(pixels), rtol=1e-4, atol=1e-5)

    def test_a_size_that_fits_no_patch_is_refused(self):
        with pytest.raises(BadSpec, match=r"\?random=0&size=97': (the network takes no images of|timm cannot build)"):
            resolve("timm:test_vit?random=0&size=97").load()

    def test_images_that_are_not_square_are_refused(self):
        module = timm.create_model("test_vit", num_classes=0)
        module.pretrained_cfg = {**module.pretrained_cfg, "input_size": (3, 1024, 768)}
        from mmbench.models.timm import preprocess_of

        with pytest.raises(BadSpec, match=r"only square images are read"):
            preprocess_of(module)

    @pytest.mark.parametrize("pool", ["avg", "token", "max"])
    def test_timms_poolings(self, weights, pool):
        torch.manual_seed(0)
        model = timm.create_model("test_vit", num_classes=0, global_pool=pool).eval()
        save_file(model.state_dict(), weights / "m.safetensors")
        encoder = resolve(f"timm:test_vit@m.safetensors?pool={pool}").load()
        pixels = torch.rand(2, 3, 160, 160, generator=torch.Generator().manual_seed(0))
        with torch.inference_mode():
            torch.testing.assert_close(encoder.forward(pixels), model(pixels), rtol=1e-4, atol=1e-5)


class TestConfigsBesideWeights:
    def test_a_config_of_another_timm_network_is_refused(self, weights, state):
        (weights / "d").mkdir()
        save_file(state, weights / "d" / "model.safetensors")
        (weights / "d" / "config.json").write_text(json.dumps({"architecture": "resnet18", "pretrained_cfg": {}}))
        with pytest.raises(
            BadSpec, match=r"describes resnet18, another network than test_resnet; write timm:local-dir:"
        ):
            resolve(f"{NAME}@d").load()

    def test_a_config_decides_the_identity(self, weights, state):
        (weights / "d").mkdir()
        save_file(state, weights / "d" / "model.safetensors")
        found = [resolve(f"{NAME}@d").identity()]
        for mean in (0.5, 0.4):
            config = {"architecture": "test_resnet", "pretrained_cfg": {"mean": [mean] * 3}}
            (weights / "d" / "config.json").write_text(json.dumps(config))
            found.append(resolve(f"{NAME}@d").identity())
        assert len({one.architecture for one in found}) == 3
        assert len({one.weights for one in found}) == 1

    def test_two_files_in_a_folder_ask_which(self, weights, state):
        (weights / "d").mkdir()
        with pytest.raises(MissingAsset, match=r"d holds no weights; they are called model.safetensors there$"):
            resolve(f"{NAME}@d").load()
        for name in ("a.safetensors", "b.pt"):
            (weights / "d" / name).write_bytes(b"")
        with pytest.raises(BadSpec, match=r"d holds a.safetensors, b.pt; name one: NAME@FILE$"):
            resolve(f"{NAME}@d").load()


def test_safetensors_under_another_name_are_read_by_their_content(tmp_path):
    weights = {"w": torch.arange(6.0).reshape(2, 3)}
    save_file(weights, tmp_path / "weights.bin")
    assert torch.equal(checkpoints.read_state_dict(tmp_path / "weights.bin")["w"], weights["w"])


@pytest.mark.parametrize(("spec", "mark"), [("timm:resnet10t@a#b/w.pt", "%23"), ("transformers:a@384#image", "%40")])
def test_marks_in_a_path_are_answered_with_the_way_to_write_them(spec, mark):
    with pytest.raises(BadSpec, match=mark):
        resolve(spec)
