"""The options that mmbench adds to pytest: each name with its argparse settings. Imports nothing of mmbench."""

from __future__ import annotations

from typing import Any

OPTIONS: dict[str, dict[str, Any]] = {
    "--mmbench-lineup": {
        "metavar": "NAME|FILE",
        "help": "who plays each role: 'embedded' (default; runs offline on a CPU), 'paper', or a TOML file of yours",
    },
    "--mmbench-model": {
        "metavar": "ROLE=SPEC",
        "action": "append",
        "help": "bind a model role anew, e.g. clip=open_clip:RN50@file.pt or bit_m=timm:resnetv2_50x1_bit; repeatable",
    },
    "--mmbench-seeds": {
        "metavar": "[ROLE=]SPEC,SPEC",
        "action": "append",
        "help": "further trainings of the recipe that --mmbench-model binds: the gate compares means over seeds; "
        "ROLE may be left out where one role is bound; repeatable",
    },
    "--mmbench-dataset": {
        "metavar": "ROLE=SPEC",
        "action": "append",
        "help": "bind a dataset role anew, e.g. cub=imagefolder:/data/cub; repeatable",
    },
    "--mmbench-skip-bad-items": {
        "action": "store_true",
        "help": "leave out images that cannot be decoded, for every model, and name them; else the run stops at one",
    },
    "--mmbench-evidence": {
        "choices": ("published", "measured", "both"),
        "help": "judge on the papers' printed tables (seconds, no model), on measured cells, or on both (default)",
    },
    "--mmbench-store": {
        "metavar": "DIR",
        "help": "where features and scores are kept (default: the user's cache folder)",
    },
    "--mmbench-device": {"metavar": "DEVICE", "help": "torch device of encoders and probes (default: cpu)"},
    "--mmbench-precision": {
        "choices": ("float32", "bf16", "fp16"),
        "help": "precision of the encoders (default: float32)",
    },
    "--mmbench-report": {
        "metavar": "DIR",
        "help": "where the run's record and pages go (default: ROOTDIR/.mmbench)",
    },
    "--mmbench-offline": {
        "action": "store_true",
        "help": "fetch nothing; what is missing makes a claim unmeasured",
    },
    "--mmbench-strict": {
        "action": "store_true",
        "help": "an inconclusive claim fails instead of being expected to fail",
    },
    "--mmbench-gate": {
        "metavar": "BASELINE",
        "help": "fail the run unless its cells are no worse than this record's, paired",
    },
    "--mmbench-margin": {
        "metavar": "METRIC=VALUE",
        "action": "append",
        "help": "how much worse still passes the gate, in printed units, e.g. accuracy=2; repeatable",
    },
    "--mmbench-gate-inconclusive": {
        "choices": ("fail", "pass"),
        "help": "what an inconclusive gate does to the run (default: fail)",
    },
    "--mmbench-gate-allow-preprocessing": {
        "action": "store_true",
        "help": "gate a candidate with its own preprocessing",
    },
    "--mmbench-timings": {"action": "store_true", "help": "also run the timings against reference libraries"},
    "--mmbench-retime": {
        "action": "store_true",
        "help": "time every probe again, also where its scores are stored",
    },
}
