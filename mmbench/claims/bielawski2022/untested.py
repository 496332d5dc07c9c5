"""What the thesis predicts, supposes or cites from others: sentences that it does not test itself."""

from __future__ import annotations

from functools import partial

from mmbench.claims._common import CLIP_PAIR, LARGE_PCT, SLACK_PCT, STANDARD6, STANDARD_LANGUAGE, claim
from mmbench.claims.bielawski2022.across import CLIP_WITH_BERT
from mmbench.conditions import cell
from mmbench.forms import BY_BOTH, POOLED, Above, All, AtMost, Best, Better, On
from mmbench.probes.fusion import DUAL_FUSION, EARLY_FUSION, FUSIONS, LATE_FUSION
from mmbench.probes.item_cka import ITEM_CKA
from mmbench.probes.linear import LINEAR_PROBE
from mmbench.probes.logistic import LOGISTIC
from mmbench.probes.mlp import MLP_HEAD
from mmbench.probes.reconstruction import RECONSTRUCTION
from mmbench.probes.selectivity import SELECTIVITY
from mmbench.protocol import Roles

_predicted = partial(claim, status="predicted")
_cited = partial(claim, status="cited")
SUPERGLUE = ("boolq", "wic")
FUSED = Roles("bit_m", "bert_base")
SYNTAX = ("senteval_bshift", "senteval_treedepth", "senteval_topconst")

_predicted(
    "bielawski2022-mvsa-redundancy-hypothesis",
    "Bert may add more to CLIP than CLIP-T does because CLIP-T is similar to CLIP, or only because Bert is larger.",
    "5.2 Discussion",
    "Table 5.1",
    expect=Best(CLIP_PAIR, among=(CLIP_PAIR, *CLIP_WITH_BERT)),
    protocols=(ITEM_CKA,),
    datasets=("mvsa",),
    models=(CLIP_PAIR, *CLIP_WITH_BERT),
    leaves_open="how redundancy is measured; the gap to be explained is 0.45 points, within the spread; the second "
    "explanation, size, is not asked",
    ours="the premise of the first explanation alone: images under CLIP and their texts under CLIP-T are more similar "
    "than under CLIP and either Bert, by centred kernel alignment over at most 1,000 test items",
)
_predicted(
    "bielawski2022-backbone-independence",
    "With other backbones than ResNet50 the results on generalization should be the same.",
    "7.3",
    expect=All(
        (
            On(AtMost("clip_vitb32", "vit_unimodal", slack=SLACK_PCT), STANDARD6, (LINEAR_PROBE,)),
            On(
                Above("clip_vitb32", "vit_unimodal", each=BY_BOTH),
                ("mvsa", "book_covers", "plotster"),
                (MLP_HEAD,),
            ),
        )
    ),
    protocols=(LINEAR_PROBE, MLP_HEAD),
    datasets=(*STANDARD6, "mvsa", "book_covers", "plotster"),
    models=("clip_vitb32", "vit_unimodal"),
    ours="a Vision Transformer trained on images alone stands for the other backbones; not better: by a point at most",
)
_predicted(
    "bielawski2022-pred-clipt-standard-text",
    "CLIP-T may be the best on ordinary text tasks, which are not about objects.",
    "7.4; 1.8 Travaux futurs",
    expect=Best("clip_t"),
    protocols=(MLP_HEAD,),
    datasets=SUPERGLUE,
    models=("clip_t", *STANDARD_LANGUAGE),
    leaves_open="which tasks, which other models, and how the encoders are used",
    ours="the mean accuracy on BoolQ and WiC, above BERT and GPT-2, with the thesis's own head on frozen features of "
    "one text an item: the question before its passage, the word before its two sentences; CLIP-T sees 77 tokens",
)
_grammar = Above("bert", "clip_t")
_details = Better("rn50", "clip")
_predicted(
    "bielawski2022-hypothesis-information-loss",
    "CLIP may lose what the other modality does not contain: its text encoder grammar, its image encoder details not "
    "in captions.",
    "5.2 Discussion; 7.3",
    expect=All((On(_grammar, SYNTAX, (MLP_HEAD,)), On(_details, ("cifar100",), (RECONSTRUCTION,)))),
    protocols=(MLP_HEAD, RECONSTRUCTION),
    datasets=(*SYNTAX, "cifar100"),
    models=("clip_t", "bert", "clip", "rn50"),
    leaves_open="what is lost, and compared with which models; CLIP's features are narrower than RN50's, which alone "
    "makes a decoder's error larger",
    ours="grammar: the mean accuracy of three of SentEval's probing tasks is lower than with BERT; details: a linear "
    "decoder of the features makes a larger error on small photographs than one of RN50's",
)
_predicted(
    "bielawski2022-information-loss-word-order",
    "CLIP's text encoder may lose grammar, which images do not contain.",
    "5.2 Discussion; 7.3",
    expect=_grammar,
    protocols=(MLP_HEAD,),
    datasets=SYNTAX[:1],
    models=("clip_t", "bert"),
    beside="bielawski2022-hypothesis-information-loss",
    ours="grammar: whether two words of a sentence were exchanged is told less accurately from CLIP-T than from BERT",
)
_predicted(
    "bielawski2022-information-loss-image-details",
    "CLIP's image encoder may lose details that captions do not contain.",
    "5.2 Discussion; 7.3",
    expect=_details,
    protocols=(RECONSTRUCTION,),
    datasets=("cifar100",),
    models=("clip", "rn50"),
    beside="bielawski2022-hypothesis-information-loss",
    leaves_open="compared with which models; CLIP's features are narrower than RN50's",
    ours="details: a linear decoder of the features makes a larger error than one of RN50's",
)
_cited(
    "bielawski2022-fusion-models-suffer-unimodal",
    "Early-fusion models are worse with one modality alone; models with two coordinated encoders, like CLIP, do not "
    "need both.",
    "3.3 Early Fusion; 3.4",
    expect=Above("bert", "visualbert"),
    protocols=(MLP_HEAD,),
    datasets=SUPERGLUE,
    models=("visualbert", "bert"),
    leaves_open="all numbers and sources",
    ours="one model and one modality: on text alone, VisualBERT is below BERT, from which it was made, in mean "
    "accuracy on BoolQ and WiC (frozen features, the thesis's head); that CLIP needs only one modality is not asked",
)
_cited(
    "bielawski2022-cited-hippocampus",
    "Activity in the human hippocampus is more similar to multimodal networks than to RN50 and BiT-M.",
    "5.2 Discussion",
    waits_for="fMRI recordings of the hippocampus (Choksi et al. 2021): data; with them, dissimilarity matrices are "
    "correlated as in section 4",
)
_cited(
    "bielawski2022-cited-concept-neurons",
    "Some units of CLIP's image encoder respond to a concept as photo, drawing and word; units of vision networks do "
    "not.",
    "5.2 Discussion; 4.2 Introduction",
    expect=Above("clip", "rn50"),
    protocols=(SELECTIVITY,),
    datasets=("concept_forms",),
    models=("clip", "rn50"),
    leaves_open="which concepts, how many units, and when a unit responds",
    ours="in CLIP more of the concepts have a unit that tells them from the others in every form (area under the curve "
    "of 0.9 or more, the unit chosen on other images) than in RN50, at the output; that RN50 has none is not asked",
)
_late, *_others = (cell(protocol, FUSED, "book_covers") for protocol in (LATE_FUSION, EARLY_FUSION, DUAL_FUSION))
_cited(
    "bielawski2022-cited-book-late-fusion-best",
    "For cover and title, concatenating the two vectors before a classifier is better than early and dual fusion.",
    "3.3 Book Cover and Title Fusion Model",
    "Fig. 3.17",
    expect=All(tuple(Above(_late, other, each=POOLED) for other in _others)),
    protocols=FUSIONS,
    datasets=("book_covers",),
    models=(FUSED,),
    leaves_open="by how much; the accuracies of the three are in no document of ours",
    ours="on frozen encoders, of which none is trained as in Lucieri et al. 2020: the title's vector under Bert-base "
    "is joined with what BiT-M's first stage gives (early), with what its last layer gives (late), or with both (dual)",
)
_cited(
    "bielawski2022-cited-clip-reads-text",
    "CLIP's image encoder recognises words that are written in the image, which is why masks are used.",
    "5.2 Masking",
    expect=Best("clip", by=LARGE_PCT),
    protocols=(LOGISTIC,),
    datasets=("rendered_words",),
    models=("clip", "rn50", "bit_m"),
    ours="logistic regression names the word in typefaces of families that it was not fitted on, more than 5 points "
    "above RN50 and BiT-M (Goh et al. 2021 look at units)",
)
