"""D-10 to D-24: the other studies against released code, and against the owners of a model or dataset."""

from __future__ import annotations

from mmbench.claims.ledger.entry import Entry

_THESIS = "bielawski2022"
_CYCLEGAN = "cyclegan2022"
_NO_TEXT_PROBE = "No protocol carries it yet: sentences on probing are not registered."
_NO_LIMBER = "No protocol carries it yet: no claim of this study is registered."
_TRANSLATOR = "section 6.2; code: Cycle_consistency_training.py"

ENTRIES = (
    Entry(
        "D-10",
        _THESIS,
        "normalisation of RN50's input",
        "section 5.2; code: create_features.py, create_feature_dataset.py",
        "RN50 is the pretrained network, and nothing else is said of its input",
        "the code leaves RN50's pixels between 0 and 1, without ImageNet's mean and standard deviation; this may be "
        "why RN50 scores only 10 % on covers and .09 on posters (our guess)",
        "The reading paper normalises; the reading code gives the role rn50 pixels between 0 and 1. A model without a "
        "variant for such pixels is unmeasured under the reading code.",
        "mlp",
        ("raw_input",),
    ),
    Entry(
        "D-11",
        _THESIS,
        "mean of F1",
        "section 5.2; code: stats.py, stats_loop_feat_classif.py",
        "F1 is averaged over the films of the test set",
        "the code averages over full batches of 50 films and leaves out the rest",
        "All films count in the reading paper; only full batches in the reading code.",
        "mlp",
        ("full_batches_only",),
    ),
    Entry(
        "D-12a",
        _THESIS,
        "threshold of the text detector",
        "section 5.2, masking; code: remove_text_from_posters.py",
        "regions above some threshold are masked; its value is not given",
        "the code takes 0.0001 on images of 320 x 320 pixels, far below the usual 0.5, so that it masks too much",
        "text_removed:DATASET?detector=east&weights=FILE takes the code's 0.0001, where EAST's file is given. Lineup "
        "paper reads masked images from a folder; the embedded lineup finds text with PP-OCRv4 at the thresholds of "
        "RapidOCR (0.3 for a pixel, 0.5 for a region).",
    ),
    Entry(
        "D-12b",
        _THESIS,
        "small white text",
        "section 5.2, masking; code: remove_text_from_posters.py",
        "a filter on saturation is one of the steps",
        "the code has no such filter and fills in larger areas",
        "text_removed:DATASET has the filter, at a saturation of 64 of 255, which is ours; with reading=code it has "
        "none. The embedded lineup has the filter; what can still be read is measured for both.",
    ),
    Entry(
        "D-13",
        _THESIS,
        "films of Plotster",
        "section 5.2; published lists of ids",
        "189,185 films for training and 18,717 for testing",
        "the lists hold 187,105 for training, 2,080 for validation and 18,717 for testing: the thesis adds the first "
        "two",
        "The claim on counts takes the printed numbers. Lineup paper reads the three lists and checks their sizes; "
        "heads stop early on the validation films. plotster:films?together=1 makes the first two one split.",
    ),
    Entry(
        "D-14a",
        _CYCLEGAN,
        "settings of the caption decoder",
        "Table A.1; code: train_captions.py",
        "20 epochs, a prefix of 40 and batches of 64",
        "the script's defaults are 30 epochs, a prefix of 10 and batches of 40",
        "The training caption_decoder has the table's settings, caption_decoder_code the script's. The embedded "
        "lineup trains a smaller mapper under both readings, with a shorter prefix in the reading code.",
        "written_captions",
        ("decoder",),
    ),
    Entry(
        "D-14b",
        _CYCLEGAN,
        "last layer of the translators",
        _TRANSLATOR,
        "four dense layers with Tanh",
        "the code has no Tanh after the last layer, so that its output is not limited to values from -1 to 1",
        "The training latent_cyclegan has a Tanh behind the last layer, latent_cyclegan_code has none.",
        "written_captions",
        ("translation",),
    ),
    Entry(
        "D-14c",
        _CYCLEGAN,
        "weights of the loss terms",
        _TRANSLATOR,
        "the thesis gives no weights",
        "in the code they are 1 and 2 (adversarial), 10 and 100 (cycle), 5 and 50 (identity), for text and image",
        "The reading paper takes the weights of the first CycleGAN (1, 10 and 5), the reading code those of the code.",
        "written_captions",
        ("translation",),
    ),
    Entry(
        "D-14d",
        _CYCLEGAN,
        "steps in which translators learn from the adversarial and cycle terms",
        _TRANSLATOR,
        "both terms train the translators throughout",
        "in the code their gradient reaches the translators in one step of twelve only, as we read it (not executed)",
        "Both terms train in every step in the reading paper, and in one step of twelve in the reading code.",
        "written_captions",
        ("translation",),
    ),
    Entry(
        "D-14e",
        _CYCLEGAN,
        "pairs in a batch",
        _TRANSLATOR,
        "images and captions are not paired",
        "each batch of the code holds images with their own captions; no loss term uses the pairing",
        "Images and captions are drawn independently in the reading paper; a batch of the reading code holds pairs. "
        "No loss term uses them.",
        "written_captions",
        ("translation",),
    ),
    Entry(
        "D-14f",
        _CYCLEGAN,
        "images of the evaluation",
        "section 6.2, results; code: coco_test.py",
        "captions are scored on the validation images of COCO",
        "the code gives an empty caption to small and grey images, and scores it",
        "All images are captioned in the reading paper; in the reading code small ones get an empty caption. The "
        "embedded lineup captions all of its drawings under both readings, since all are small.",
        "written_captions",
        ("blank_below",),
    ),
    Entry(
        "D-15",
        _CYCLEGAN,
        "public weights of ClipCap",
        "section 6.2; notebooks of ClipCap",
        "CLIP is the ViT-B/32 with 512 dimensions",
        "the public Transformer weights take RN50x4 features with 640 dimensions, and cannot be used with ViT-B/32",
        "A decoder is trained on the text vectors of the lineup's own encoder; public weights of ClipCap are not read.",
    ),
    Entry(
        "D-16a",
        "limber",
        "sampling of captions",
        "section 4; code: sampling",
        "the most likely tokens with a total probability of 0.9 are sampled",
        "the code keeps a total of 0.1, which is nearly the most likely token alone",
        _NO_LIMBER,
    ),
    Entry(
        "D-16b",
        "limber",
        "untrained image encoder",
        "section 4; code: loader of examples",
        "one NF-ResNet-50 has random weights",
        "the example loader combines it with the linear map that was trained for the pretrained encoder",
        _NO_LIMBER,
    ),
    Entry(
        "D-17",
        "clip2021",
        "regularisation and features of the linear classifier",
        "section 3.2 and appendix; code: README",
        "features before the projection, and a strength that is searched on validation data",
        "the README's example takes projected features and the fixed value C = 0.316",
        "The reading paper searches the strength, the reading code takes C = 0.316. The features are the output of the "
        "lineup's encoder in both readings.",
        "logistic",
        ("strengths",),
    ),
    Entry(
        "D-18a",
        "hu2022",
        "classes of sentence length",
        "section 3.4; SentEval data",
        "the classes are equally wide",
        "in the data they are 4, 4, 4, 4, 5 and 3 words wide",
        _NO_TEXT_PROBE,
    ),
    Entry(
        "D-18b",
        "hu2022",
        "clusters and samples of phrase clustering",
        "section 3.4.1; code of the method's authors (interpret_bert)",
        "there are as many clusters as phrase tags, and no sample size is given",
        "the code counts 'no phrase' as a tag too, fits on 3,000 spans and scores 500 others",
        _NO_TEXT_PROBE,
    ),
    Entry(
        "D-19",
        "limber",
        "similarity to reference captions in RefCLIPScore",
        "code: clipscore.py (the paper of CLIPScore was not read)",
        "the study gives no formula",
        "the code neither sets negative similarities to references to 0 nor multiplies them by 2.5, as it does for "
        "similarities to images",
        "The metric ref_clip_score sets negative similarities to references to 0, since a harmonic mean has no place "
        "for them, and does not multiply them.",
    ),
    Entry(
        "D-20",
        "devillers2021",
        "training data of TSM",
        "section 2; README of the model's authors",
        "TSM was trained on HowTo100M",
        "its authors say AudioSet and HowTo100M",
        "The printed number of clips is judged as printed; no form uses the name of the data.",
    ),
    Entry(
        "D-21",
        "devillers2021",
        "weights of the robust networks",
        "section 2; README of the robustness library, model hub",
        "the networks are those of the robustness library (57.9, 62.4 and 47.9 % on clean ImageNet)",
        "the files of the same names on the model hub are other networks (62.8, 63.9 and 54.5 %)",
        "Lineup paper takes the library's files, lineup paper_hub_robust the hub's. They are not mixed.",
    ),
    Entry(
        "D-22",
        _THESIS,
        "name of the smaller Bert",
        "section 5.2; code: folder bert_cls",
        "one model is called both Bert-base and Bert-small",
        "the code has one folder, with vectors of 768 dimensions",
        "Its role is bert_base everywhere. See also T-08.",
    ),
    Entry(
        "D-23",
        _THESIS,
        "distance of nearest neighbours",
        "section 5.2, few-shot learning; scikit-learn's KNeighborsClassifier",
        "the nearest of all samples decides, by scikit-learn's classifier; its distance is not given, and no code is "
        "released",
        "the classifier takes the Euclidean distance unless told otherwise",
        "The reading paper takes cosine similarity, which is ours; the reading code the library's Euclidean distance.",
        "neighbours",
        ("metric",),
    ),
    Entry(
        "D-24",
        "devillers2021",
        "amount of TSM's training data",
        "section 2, Fig. 1; code of the figure",
        "TSM was trained on 120 million video clips",
        "the code that draws the figure counts 32 frames a clip, 3.8 billion images, so that TSM has more than CLIP",
        "Clips are counted as printed. No form but the order of the sizes rests on it: TSM is among the six models "
        "with the most data either way.",
    ),
)
