"""D-01 to D-09: Devillers et al. 2021 against the code that its authors released."""

from __future__ import annotations

from mmbench.claims.ledger.entry import Entry

_STUDY = "devillers2021"
_FEW_SHOT = "section 3.1; code: tasks/few_shot.py"
_CLUSTERING = "section 3.2; code: tasks/unsupervised_clustering.py"
_PROBE = "section 3.3; code: tasks/transfer_learning.py"
_IMAGE_RDM = "section 4, equation 1; code: tasks/correlations_models.py"
_TEXT_RDM = "section 4; code: tasks/correlations_models.py"
_WORDS = "section 5; code: tasks/word2vec.py"
_WORD_VECTORS = "section 5; code: tasks/create_visual_word_embeddings.py"

ENTRIES = (
    Entry(
        "D-01",
        _STUDY,
        "size of the input images",
        "section 2; code: visiongeneralization/models.py",
        "the paper states no input size",
        "the code replaces the size that it is given: every network but CLIP gets 256 pixels, CLIP gets 224",
        "Lineup paper asks for size=256 for every network but CLIP. Lineup paper_224 has 224 pixels for all.",
    ),
    Entry(
        "D-02",
        _STUDY,
        "sizes of CUB and SVHN",
        "appendix A; code: datasets/datasets.py",
        "CUB has 6,033 images and SVHN 600,000",
        "the code reads CUB-200-2011 with 5,994 + 5,794 images, and SVHN with 73,257 + 26,032 (without its extra set)",
        "The datasets are read as in the code; 6,033 is the size of CUB-200-2010. See also T-22.",
    ),
    Entry(
        "D-03",
        _STUDY,
        "score of a prototype",
        _FEW_SHOT,
        "the paper names no measure of similarity between an image and a class",
        "the code takes the dot product with the mean of unit vectors, and does not scale that mean to length 1: broad "
        "classes score lower",
        "The reading paper scales the mean to length 1 (cosine similarity, our choice); the reading code does not.",
        "prototypes",
        ("renormalise",),
    ),
    Entry(
        "D-04a",
        _STUDY,
        "affinity for spectral clustering",
        _CLUSTERING,
        "the affinity is the cosine similarity",
        "the code takes its absolute value, so that opposite vectors count as similar",
        "The reading paper sets negative cosines to 0, since an affinity cannot be negative (our choice); the reading "
        "code takes the absolute value. Features that are never negative give the same result in both.",
        "spectral",
        ("affinity",),
    ),
    Entry(
        "D-04b",
        _STUDY,
        "labels of clusters",
        _CLUSTERING,
        "clusters and classes are matched one to one, the largest overlap first, until each cluster has a class",
        "the code lets several classes take the same cluster (the last one keeps it), and clusters that no class takes "
        "get class 0",
        "Both are implemented: one_to_one in the reading paper, class_first in the reading code.",
        "spectral",
        ("labelling",),
    ),
    Entry(
        "D-05a",
        _STUDY,
        "batch size of the linear probe",
        f"{_PROBE} and README",
        "the paper gives no batch size",
        "the script uses 60 by default, the README of the same code says 64",
        "64 in the reading paper, 60 in the reading code.",
        "linear",
        ("batch_size",),
    ),
    Entry(
        "D-05b",
        _STUDY,
        "augmentation and choice of the epoch in the linear probe",
        _PROBE,
        "the paper mentions neither",
        "the code crops and flips training images at random for every network but CLIP, and reports the test accuracy "
        "after the last epoch",
        "The last epoch is used in both readings. Crops and flips are not reproduced: every network encodes each "
        "image once, as it is.",
    ),
    Entry(
        "D-06",
        _STUDY,
        "normalisation of CLIP's input under attack",
        "section 3.4; code: tasks/adversarial_robustess.py",
        "the paper does not mention it",
        "the attack script gives CLIP images with the mean and standard deviation of ImageNet, not with CLIP's own",
        "Not reproduced: under attack each network has its own normalisation.",
    ),
    Entry(
        "D-07a",
        _STUDY,
        "length of image features in the dissimilarity matrix",
        _IMAGE_RDM,
        "the paper does not say whether features are scaled",
        "the code scales each image's feature to length 1 before it takes class means",
        "The reading paper takes features as they are; the reading code scales them.",
        "rdm",
        ("unit_length",),
    ),
    Entry(
        "D-07b",
        _STUDY,
        "standard deviation in the Welch distance",
        _IMAGE_RDM,
        "the equation reads as one standard deviation for each dimension",
        "the code computes one number for each class, over all images and dimensions together",
        "The reading paper divides each dimension by its own; the reading code has one number a class. Both divide the "
        "sum of squares by n, as the code does; the paper does not say.",
        "rdm",
        ("spread",),
    ),
    Entry(
        "D-07c",
        _STUDY,
        "dissimilarity matrix of TSM",
        _IMAGE_RDM,
        "TSM is treated as the other networks are",
        "the code reads TSM's vectors from a file that is not public, without scaling, and takes one standard "
        "deviation for each dimension plus 0.000001",
        "The reading paper treats TSM as the others; the reading code does as the code does, with features that are "
        "extracted like all others.",
        "rdm",
        ("left_raw",),
    ),
    Entry(
        "D-08a",
        _STUDY,
        "class name in a caption",
        _TEXT_RDM,
        "the caption holds the label",
        "the code writes an article and the first two WordNet names of the class, in small letters",
        "Both readings write an article and the name that the dataset gives, which for ImageNet is the first WordNet "
        "name: 'a photo of a tench.' The label's first token is then at position 4, as in the code (see D-08b).",
    ),
    Entry(
        "D-08b",
        _STUDY,
        "vector of a label in a text model",
        _TEXT_RDM,
        "the vector is that of the label within its caption",
        "the code takes the first token of the label only (position 4 of 'a photo of a tench')",
        "The reading paper takes the mean over the label's tokens, the reading code the first of them, found by the "
        "characters of the label. A text encoder that gives no vectors of single tokens is read as a whole (D-08c).",
        "rdm",
        ("label",),
    ),
    Entry(
        "D-08c",
        _STUDY,
        "vector of a label in CLIP's text encoder",
        _TEXT_RDM,
        "the same rule is implied for all text models",
        "the code takes CLIP-T's end-of-text vector in the joint space, which stands for the whole caption",
        "CLIP-T is always read at the end-of-text token, projected into the joint space.",
    ),
    Entry(
        "D-09a",
        _STUDY,
        "number of frozen words",
        _WORDS,
        "824 visual words are frozen",
        "the code loses the last word of the list and freezes 823",
        "The training word_vectors freezes all, word_vectors_code all but the last. The tests of word vectors take the "
        "one or the other.",
        "word_analogies",
        ("vectors",),
    ),
    Entry(
        "D-09b",
        _STUDY,
        "data of the principal component analysis",
        _WORD_VECTORS,
        "it is fitted on the features of all validation images of ImageNet",
        "the code fits it on the 824 word vectors",
        "Images for the reading paper and word vectors for the reading code, in the trainings and in the check of "
        "section 5.4. Features are scaled to length 1 first, as in the code.",
        "visual_words",
        ("fitted_on",),
    ),
    Entry(
        "D-09c",
        _STUDY,
        "learning rate of skip-gram",
        _WORDS,
        "the learning rate is 0.001",
        "the code leaves the library's default, which falls from 0.025 to 0.0001",
        "As stated, on a corpus that gives no rate of its own. The sample of lineup embedded is too small for either: "
        "it has one rate in both readings.",
        "word_analogies",
        ("vectors",),
    ),
    Entry(
        "D-09d",
        _STUDY,
        "negative samples and subsampling in skip-gram",
        _WORDS,
        "negatives are drawn in the standard way",
        "the code counts nearly every word once, so that negatives are drawn almost uniformly and frequent words are "
        "not dropped",
        "word_vectors counts the words of the corpus; word_vectors_code counts as the code does.",
        "word_pairs",
        ("vectors",),
    ),
    Entry(
        "D-09e",
        _STUDY,
        "features that check the visual words",
        "section 5.4; code: tasks/classification_perf_visual_word_embeddings.py",
        "images are classified as in section 3.1",
        "the code projects features that are not scaled by components that were fitted on means of scaled ones",
        "The reading paper scales images to length 1 before it projects them; the reading code does not.",
        "visual_words",
        ("raw",),
    ),
    Entry(
        "D-09f",
        _STUDY,
        "images that the visual words are checked on",
        "section 5.4; code: tasks/classification_perf_visual_word_embeddings.py",
        "the paper does not say whether prototypes are made of the images that are classified",
        "the code makes prototypes and tests of the same validation images, each a part of its own class's prototype",
        "The reading paper leaves each image out of its own class's prototype; the reading code does as the code does.",
        "visual_words",
        ("own_image",),
    ),
)
