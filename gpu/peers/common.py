"""What the peers share: how they report, torchvision's networks, and the modes that numbers are computed in."""
import contextlib
import json
import os
import sys
from pathlib import Path

import torch

REFERENCE = Path(__file__).resolve().parents[2] / "dist/test/data/reference"
if not REFERENCE.exists():  # in the repository
    REFERENCE = Path(__file__).resolve().parents[2] / "test/data/reference"
sys.path.insert(0, str(REFERENCE))
from generate import zoo  # noqa: E402

REDUCED = os.environ.get("FOVEA_GPU_REHEARSAL", "") != ""
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
if DEVICE == "cpu" and not REDUCED:
    print("PyTorch sees no GPU", file=sys.stderr)
    sys.exit(3)
DTYPES = {"bf16": torch.bfloat16, "f16": torch.float16}


def report(**row):
    print("@row " + json.dumps(row), flush=True)


def set_mode(mode):
    """TF32 on or off, as fovea's modes have it."""
    torch.backends.cuda.matmul.allow_tf32 = mode == "TF32"
    torch.backends.cudnn.allow_tf32 = mode == "TF32"


def autocast(mode):
    if mode not in DTYPES:
        return contextlib.nullcontext()
    # Without a cache of casts, which a CUDA graph must not hold.
    return torch.autocast(DEVICE, dtype=DTYPES[mode], cache_enabled=False)


def synchronize():
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def make(network):
    auxiliary = network in ("googlenet", "inception_v3")
    options = {"aux_logits": True, "init_weights": False} if auxiliary else {}
    return getattr(zoo, network)(weights=None, **options)
