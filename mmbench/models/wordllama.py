"""WordLlama out of a wheel of the package index: a text is the mean of trained vectors of its tokens, without context.

The vectors were made from the token embeddings of Llama 2 70B and other models with its vocabulary, reduced to 256
numbers and tuned on pairs of sentences by contrast. The wheel's code is neither installed nor run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmbench.assets import WORDLLAMA, fetch
from mmbench.errors import CorruptAsset, MissingExtra
from mmbench.models import checkpoints, encoders
from mmbench.models.entry import MODELS, Encoder, Identity, ModelEntry
from mmbench.models.wheels import member

if TYPE_CHECKING:
    import torch

WEIGHTS = "wordllama/weights/l2_supercat_256.safetensors"
TOKENIZER = "wordllama/tokenizers/l2_supercat_tokenizer_config.json"
WORDS, DIM = 32_000, 256


def tokenizer() -> Any:
    """The byte-pair tokenizer, without marks at the ends of a text and without a limit."""
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise MissingExtra("tokenizers", "embedded", "model 'wordllama'") from None
    found = Tokenizer.from_file(str(fetch(member(WORDLLAMA, TOKENIZER))))
    found.no_padding()
    found.no_truncation()
    return found


def load() -> Encoder:
    """The encoder; rows keep their length, and a text without a token is zero."""
    import torch

    path = fetch(member(WORDLLAMA, WEIGHTS))
    state = checkpoints.read_state_dict(path)
    shapes = {name: tuple(values.shape) for name, values in state.items()}
    if list(shapes.values()) != [(WORDS, DIM)]:
        raise CorruptAsset(f"model 'wordllama': expected one table of [{WORDS}, {DIM}] in {path}, found {shapes}")
    table = torch.nn.EmbeddingBag.from_pretrained(next(iter(state.values())).float(), mode="mean")
    own = tokenizer()

    def features(texts: list[str]) -> torch.Tensor:
        lines = [line.ids for line in own.encode_batch([str(text) for text in texts], add_special_tokens=False)]
        starts = [0]
        for line in lines[:-1]:
            starts.append(starts[-1] + len(line))
        where = encoders.device_of(table)
        tokens = torch.tensor([token for line in lines for token in line], dtype=torch.long, device=where)
        found: torch.Tensor = table(tokens, torch.tensor(starts, device=where))
        return found

    return encoders.text_encoder(table, DIM, features)


def _identity() -> Identity:
    known = dict(encoders.versions("tokenizers", "torch"))
    weights = WORDLLAMA.sha256  # of the whole wheel, for the tokenizer beside the weights counts too
    return Identity(weights, f"l2_supercat_{DIM}", "mean over tokens", None, known)


MODELS.add(
    ModelEntry(
        name="wordllama",
        modality="text",
        dim=DIM,
        load=load,
        identity=_identity,
        about="WordLlama l2_supercat, 8 M weights: the mean of one vector for each token, so the order of words does "
        "not count; rows keep their length.",
        source="wordllama 0.4.0.post1",
        licence=WORDLLAMA.licence,
        training="token embeddings of large language models, tuned on pairs of sentences by contrast",
        assets=(WORDLLAMA.name,),
    )
)
