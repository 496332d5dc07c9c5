"""WordLlama is what its wheel says: the mean of its tokens' vectors, which knows what sentences mean."""

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from mmbench.assets import WORDLLAMA, fetch
from mmbench.models import wordllama
from mmbench.models.specs import resolve
from mmbench.models.wheels import member

TEXTS = ["a photo of a kitten", "a picture of a cat", "quarterly tax report of a company", "", "Ünïcode ½ – 猫"]


@pytest.fixture(scope="module")
def encoder():
    return resolve("wordllama").load()


def test_a_text_is_the_mean_of_its_tokens_vectors(encoder):
    """The published recipe in numpy: no marks at the ends, no weights, no length one."""
    (table,) = load_file(fetch(member(WORDLLAMA, wordllama.WEIGHTS))).values()
    tokenizer = wordllama.tokenizer()
    with torch.inference_mode():
        found = encoder.forward(TEXTS).numpy()
    for text, row in zip(TEXTS, found, strict=True):
        tokens = tokenizer.encode(text, add_special_tokens=False).ids
        wanted = table[tokens].astype(np.float32).mean(axis=0) if tokens else np.zeros(256)
        np.testing.assert_allclose(row, wanted, atol=1e-4, err_msg=text)


def test_it_knows_what_sentences_mean_and_not_their_order(encoder):
    with torch.inference_mode():
        rows = torch.nn.functional.normalize(encoder.forward([*TEXTS[:3], "a cat of a picture"]), dim=1)
    near, far = float(rows[0] @ rows[1]), float(rows[0] @ rows[2])
    assert near > 0.5 > 0.2 > far
    assert float(rows[1] @ rows[3]) > 0.999


def test_a_batch_changes_no_row(encoder):
    with torch.inference_mode():
        together = encoder.forward(TEXTS)
        alone = torch.cat([encoder.forward([text]) for text in TEXTS])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)
