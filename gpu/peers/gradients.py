"""How far PyTorch itself is from double precision in a mode: one training step of each network.

    python3 gradients.py MODE NETWORK...
"""
import json
import sys

import numpy as np
import torch
import torch.nn.functional as F

from common import DEVICE, REFERENCE, autocast, report, set_mode
from fixture_weights import image, levels
from generate import build

NO_GRADIENT = 1e-9
F16_SCALE = 1024.0


def relative(got, expected):
    expected = np.asarray(expected)
    return float(np.linalg.norm(got.detach().double().cpu().numpy() - expected) / np.linalg.norm(expected))


def errors(name, tensor, summary):
    l2, probe = summary
    a = tensor.detach().double().cpu().numpy().ravel()
    root = a.size**0.5
    got = float(a @ levels("probe/" + name, a.size)) / root
    return abs(float(np.linalg.norm(a)) - l2) / l2, abs(got - probe) / (l2 / root)


def step(network, mode, seed, train):
    model, _ = build(network, seed)
    for m in model.modules():
        if isinstance(m, torch.nn.Dropout):
            m.p = 0.0
        if hasattr(m, "drop_rate"):
            m.drop_rate = 0.0
    model = model.float().to(DEVICE, memory_format=torch.channels_last).train()
    x = torch.from_numpy(image("train", tuple(train["image"]["shape"]), seed)).to(DEVICE)
    x = x.to(memory_format=torch.channels_last).requires_grad_()
    t = torch.tensor(train["labels"], device=DEVICE)
    with autocast(mode):
        out = model(x)
    if network == "googlenet":
        heads = [out.logits, out.aux_logits1, out.aux_logits2]
    elif network == "inception_v3":
        heads = [out.logits, out.aux_logits]
    else:
        heads = [out]
    loss = sum((1.0 if i == 0 else train["aux_weight"]) * F.cross_entropy(h.float(), t) for i, h in enumerate(heads))
    scale = F16_SCALE if mode == "f16" else 1.0
    (loss * scale).backward()
    logits = max(relative(h.float(), e) for h, e in zip(heads, [train["logits"], *train["aux"]]))
    gradients = {k: p.grad / scale for k, p in model.named_parameters()} | {"input": x.grad / scale}
    expected = train["gradients"] | {"input": train["input_gradient"]}
    found = [errors(k, gradients[k], s) for k, s in expected.items() if s[0] > NO_GRADIENT]
    norm, probe = [sorted(e) for e in zip(*found)]
    middle = len(norm) // 2
    return {
        "logits": logits,
        "normWorst": norm[-1],
        "normMedian": norm[middle],
        "probeWorst": probe[-1],
        "probeMedian": probe[middle],
    }


def main():
    mode = sys.argv[1]
    set_mode(mode)
    for network in sys.argv[2:]:
        reference = json.loads((REFERENCE / "torchvision" / f"{network}.json").read_text())
        if "train" not in reference:
            continue
        values = step(network, mode, reference["seed"], reference["train"])
        report(check="PyTorch step", name=network, mode=mode, status="info", values=values)


main()
