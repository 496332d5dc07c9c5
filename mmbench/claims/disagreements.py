"""Where the documents disagree with themselves or with each other, said once and taken from here by the claims."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Disagreement:
    """``what`` differs at ``where``; ``claims`` are the catalogue's ids that it touches, registered or not."""

    id: str
    where: str
    what: str
    claims: tuple[str, ...] = ()


DISAGREEMENTS = (
    Disagreement(
        "d01",
        "thesis Table 5.2, caption and cells",
        "the caption has every score fall under masks; 10 of 12 do, RN50 alone goes from 10.04 to 10.41 and "
        "RN50+CLIP-T from 57.20 to 57.26",
        ("bielawski2022-book-masks-lower-all",),
    ),
    Disagreement(
        "d02",
        "thesis Table 5.3, caption, cells and text",
        "CLIP's lead is untouched by masks in the caption and smaller in the text; the cells side with the text "
        "(image alone 0.111 to 0.077, smaller in all 7 comparisons)",
        ("bielawski2022-plotster-masking-leaves-advantage", "bielawski2022-plotster-vision-gap-shrinks-masked"),
    ),
    Disagreement(
        "d03",
        "thesis Table 5.1, caption and cells",
        "CLIP is named the one image partner that matters; it gives CLIP-T 0.98 points, less than the 1.83 that "
        "BiT-M takes away",
        ("bielawski2022-mvsa-text-models-similar",),
    ),
    Disagreement(
        "d04",
        "thesis 5.2, text on Table 5.2",
        "the lead on masked covers is called still high; over BiT-M it is a third of what it was (24.42 to 8.17)",
        ("bielawski2022-book-advantage-remains-masked",),
    ),
    Disagreement(
        "d05",
        "thesis 5.2, introduction and results",
        "new best results are announced for three tasks, but no earlier one is given for MVSA; on covers BiT-M "
        "(29.33) passes the earlier image mark (27.8) as well",
        ("bielawski2022-new-sota", "bielawski2022-book-sota"),
    ),
    Disagreement(
        "d06",
        "thesis 5.2, control on later films",
        "earlier exposure is ruled out, yet CLIP-T falls further (0.397 to 0.276) than either Bert, in F1 and in share",
        ("bielawski2022-plotster-recent-clip-top",),
    ),
    Disagreement(
        "d07",
        "thesis 5.2 summary and Devillers et al. 3.5",
        "the summary never has CLIP above another ResNet50; the paper has it level with some on digits and "
        "competitive on CUB",
        (
            "bielawski2022-standard-clip-never-better",
            "devillers2021-digits-clip-matches-some-vision",
            "devillers2021-cub-clip-only-competitive-multimodal",
        ),
    ),
    Disagreement(
        "d08",
        "thesis 5.2, four places",
        "Bert-base appears under the name Bert-small",
        ("bielawski2022-mvsa-best-combos", "bielawski2022-clip-pair-six-of-seven"),
    ),
    Disagreement(
        "d09",
        "thesis 5.2 and chapter 4",
        "BiT-M's training set is ImageNet-22K in one chapter and ImageNet-21K in the other",
        ("devillers2021-training-size-ordering",),
    ),
    Disagreement(
        "d10",
        "thesis Table 5.1, header",
        "the corner names rows Text and columns Vision; the contents are the other way about",
        ("bielawski2022-mvsa-vision-clip-best",),
    ),
    Disagreement(
        "d11",
        "thesis 6.2, architecture and results",
        "one set of training images counts 83K in one section and about 82K in the next",
        ("cyclegan2022-data-budget",),
    ),
    Disagreement(
        "d12",
        "thesis 6.2, abstract and architecture",
        "cycle consistency is the sole objective in the abstract; the architecture adds adversarial and identity terms",
        ("cyclegan2022-textualised-beats-direct",),
    ),
    Disagreement(
        "d13",
        "thesis 6.2 discussion and Fig. 3.23",
        "fine-tuned CLIP captions are put at the state of the art; ClipCap's CIDEr on COCO (113.08) is under "
        "BUTD (113.5), VLP (117.7) and Oscar (124.12)",
        ("cyclegan2022-clip-supervised-captioning-sota", "bielawski2022-clipcap-competitive"),
    ),
    Disagreement(
        "d14",
        "thesis Fig. 3.14, caption and table",
        "SimVLM is placed above the rest; its BLEU-4 (40.6) is under OSCAR's 41.7 and VinVL's 41.0, and without "
        "training examples it is far under BUTD on COCO",
        ("bielawski2022-simvlm-outperforms",),
    ),
    Disagreement(
        "d15",
        "thesis Fig. 3.14 and Fig. 3.23",
        "the COCO rows of the same models differ: BUTD 36.3 / 120.1 and 36.2 / 113.5, OSCAR 41.7 / 140.0 and "
        "36.58 / 124.12 in BLEU-4 / CIDEr; probably other training stages",
        ("bielawski2022-simvlm-outperforms", "bielawski2022-clipcap-competitive"),
    ),
    Disagreement(
        "d16",
        "thesis Fig. 3.14 caption and text",
        "NoCaps is taken for part of COCO, ClipCap is spelt ClipClap, TSM gets ICMLM's reference",
        ("bielawski2022-simvlm-outperforms",),
    ),
    Disagreement(
        "d17",
        "thesis 3.1 and 3.5",
        "DALL-E 2 counts among models with very little training data, and later has 400M pairs; SimVLM is listed "
        "with it",
    ),
    Disagreement(
        "d18",
        "thesis 7.1, 1.8 and chapter 4",
        "looking back, the first study is one of object detection; it classified images",
        ("devillers2021-headline-no-added-generalization",),
    ),
    Disagreement(
        "d19",
        "Devillers et al. 3.1 and 3.5",
        "natural images are the two CIFARs and CUB first, and Fashion-MNIST too later",
        ("devillers2021-fewshot-bitm-best-natural", "devillers2021-natural-vision-beats-multimodal"),
    ),
    Disagreement(
        "d20",
        "Devillers et al. 3.5, 6 and Fig. 6 caption",
        "robustness is judged for four multimodal models, of which the figure shows CLIP and VirTex",
        ("devillers2021-adv-multimodal-less-robust", "devillers2021-headline-no-added-generalization"),
    ),
    Disagreement(
        "d21",
        "Devillers et al. captions of Fig. 2 to 5 and 3.5",
        "multimodal models lose on every set and task in the captions; the text excepts CLIP on CUB, MNIST and SVHN",
        ("devillers2021-fewshot-multimodal-typically-worse", "devillers2021-average-multimodal-worse-all-tasks"),
    ),
    Disagreement(
        "d22",
        "Devillers et al. A.2 and A.5",
        "CUB-200-2011 is said to hold 6033 images, which is the size of the 2010 set; that of 2011 has 11,788",
    ),
    Disagreement(
        "d23",
        "Devillers et al. 3.5",
        "remarks on CLIP's objective and text-rich data carry the reference of the GPT-2 paper",
        ("devillers2021-digits-clip-matches-some-vision",),
    ),
    Disagreement(
        "d24",
        "Hu et al. 5 and 4.3",
        "CLIP is ahead in all intermediate layers in the conclusion, in lower layers only in the results",
        ("hu2022-mlp-clip-best-all-layers", "hu2022-mlp-clip-best-lower-layers"),
    ),
    Disagreement(
        "d25",
        "Hu et al. 4.4.1",
        "one sentence gives CLIP-T the best score overall and a score like BERT's; it leads in all layers but the last",
        ("hu2022-phrase-clip-best-overall",),
    ),
    Disagreement(
        "d26",
        "Hu et al. 4.5 and 4.4.1",
        "WiC is said to agree with phrase probing; on it BERT is 10.47 points above CLIP-T, in probing it trails",
        ("hu2022-wic-bert-large-margin", "hu2022-phrase-clip-above-bert-except-last"),
    ),
    Disagreement(
        "d27",
        "Hu et al. 3.3 and exhibits",
        "trained probes are called zero-shot, Fig. 8 is missing, and Table 1 misspells BoolQ",
    ),
    Disagreement(
        "d28",
        "Wu 5 and Radford et al. 3.4",
        "up to 75 % of errors disappear in the report; in the paper it is the gap between ImageNet and shifted sets",
        ("clip2021-shift-errors-75-misquote", "clip2021-robustness-gap-75"),
    ),
    Disagreement(
        "d29",
        "Wu 6 and Radford et al. 3.2",
        "fine-grained sets are a weakness in the report; in the paper they range from losses to gains above 20 points",
        ("clip2021-zs-cars-food-gain", "clip2021-zs-flowers-aircraft-loss"),
    ),
    Disagreement(
        "d30",
        "Radford et al. 3.2",
        "STL10 (99.3 %) is called the most improved set beside gains of over 20 points, which would need a ResNet50 "
        "probe under 79.3 %",
        ("clip2021-zs-stl10",),
    ),
    Disagreement(
        "d31",
        "Radford et al. 3.1 and Fig. 7",
        "on ImageNet zero-shot CLIP equals a ResNet50 in the one and a ResNet101 in the other",
        ("clip2021-imagenet-matches-rn50", "clip2021-robustness-matched-resnet101"),
    ),
    Disagreement(
        "d32",
        "Radford et al. 2.1",
        "100M photos are cut by a factor of 6 to 15M, which is 6.67; that is ImageNet's size only if it counts 14M, "
        "not 1.28M",
        ("clip2021-yfcc-filter",),
    ),
    Disagreement(
        "d33",
        "thesis 7.4 and French summary; Hu et al. Table 1",
        "that CLIP-T wins on ordinary text tasks is possible in English and likely in French; the table has it "
        "under BERT",
        ("bielawski2022-pred-clipt-standard-text",),
    ),
    Disagreement(
        "d34",
        "thesis 6.3 and 7.2",
        "translation between BERT and ViT did as well as the other pipeline in one place and failed in the other; "
        "neither has numbers",
        ("cyclegan2022-unimodal-spaces-fail",),
    ),
    Disagreement(
        "d35",
        "Radford et al. 3.3 and Devillers et al. 3.3",
        "linear probes put CLIP ahead in the one and behind in the other, with other backbones, optimisers and sets",
        ("clip2021-lp27-gain-grows", "devillers2021-transfer-multimodal-no-gain"),
    ),
    Disagreement(
        "d36",
        "Hu et al. 2.1, its conclusion, and Devillers et al.",
        "features aligned with language help vision a lot in the related work; neither study finds a gain within "
        "one modality",
        (
            "hu2022-cited-language-aligned-features-help",
            "hu2022-no-single-modal-gain",
            "devillers2021-average-multimodal-worse-all-tasks",
        ),
    ),
)


def disagreements_of(claim: str) -> tuple[str, ...]:
    """What is known to disagree about this claim, with the place in front."""
    return tuple(f"{entry.where}: {entry.what}" for entry in DISAGREEMENTS if claim in entry.claims)
