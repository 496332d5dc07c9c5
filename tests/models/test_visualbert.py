"""VisualBERT given text alone, as the role ``visualbert`` takes it: the mean of its last states, no image needed."""

import torch

from mmbench.models.specs import resolve

VOCABULARY = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh")


def test_a_text_without_an_image_has_the_mean_of_its_last_states(tmp_path):
    import transformers

    torch.manual_seed(0)
    config = transformers.VisualBertConfig(
        vocab_size=len(VOCABULARY), hidden_size=16, visual_embedding_dim=8, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32,
    )  # fmt: skip
    network = transformers.VisualBertForPreTraining(config).eval()  # as its checkpoints are: with heads on top
    network.save_pretrained(tmp_path)
    (tmp_path / "vocab.txt").write_text("\n".join(VOCABULARY), encoding="utf-8")
    tokenizer = transformers.BertTokenizerFast(str(tmp_path / "vocab.txt"))
    tokenizer.save_pretrained(tmp_path)
    encoder = resolve(f"transformers:{tmp_path}?dim=16").load()
    with torch.inference_mode():
        found = encoder.forward(["a b c", "d"])
        states = network.visual_bert(**tokenizer(["a b c"], return_tensors="pt")).last_hidden_state[0]
    torch.testing.assert_close(found[0], states.mean(dim=0), rtol=1e-4, atol=1e-5)
    assert found.shape == (2, 16)
