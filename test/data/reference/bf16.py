"""How far PyTorch's own training in bf16 is from float64: bf16.json, what fovea's bf16 is held against.

    python bf16.py [NETWORK ...]

Reads the expected values of torchvision/, runs the same training pass under torch.autocast on the CPU, and notes for
every network the relative L2 error of the logits, and the root mean square and the median over all gradients of two errors: of the
L2 norm, relative, and of the probe in units of l2 / sqrt(count). Written with torch 2.13.0.
"""
import json
import statistics
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from fixture_weights import image, levels
from generate import build

HERE = Path(__file__).parent


def errors(name, gradient, expected):
    l2, probe = expected
    g = gradient.double().numpy().ravel()
    root = np.sqrt(g.size)
    return abs(np.linalg.norm(g) - l2) / l2, abs(g @ levels("probe/" + name, g.size) / root - probe) / (l2 / root)


def spread(values):
    return {"rms": statistics.fmean(v * v for v in values) ** 0.5, "median": statistics.median_high(values)}


def measure(network):
    reference = json.loads((HERE / "torchvision" / f"{network}.json").read_text())
    train, seed = reference["train"], reference["seed"]
    model, _ = build(network, seed)
    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    x = torch.from_numpy(image(train["image"]["name"], tuple(train["image"]["shape"]), seed)).float().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = model(x)
    if isinstance(output, torch.Tensor):
        heads = [output]
    else:
        heads = [output.logits] + [output[i] for i in range(len(output) - 1, 0, -1)]
        if len(heads) > 2:  # GoogLeNet's fields are logits, aux_logits2, aux_logits1
            heads = [output.logits, output.aux_logits1, output.aux_logits2]
    labels = torch.tensor(train["labels"])
    losses = [F.cross_entropy(head.float(), labels) for head in heads]
    (losses[0] + train["aux_weight"] * sum(losses[1:])).backward()
    found = [errors(name, p.grad, train["gradients"][name]) for name, p in model.named_parameters() if train["gradients"][name][0] > 1e-9]
    found.append(errors("input", x.grad, train["input_gradient"]))
    logits = heads[0].detach().double().numpy()
    expected = np.array(train["logits"])
    return {
        "logits": float(np.linalg.norm(logits - expected) / np.linalg.norm(expected)),
        "norm": spread([float(n) for n, _ in found]),
        "probe": spread([float(p) for _, p in found]),
    }


if __name__ == "__main__":
    path = HERE / "bf16.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    names = sys.argv[1:] or sorted(p.stem for p in (HERE / "torchvision").glob("*.json"))
    for name in names:
        if json.loads((HERE / "torchvision" / f"{name}.json").read_text()).get("train"):
            results[name] = measure(name)
            path.write_text(json.dumps(results, indent=1) + "\n")
            print(name, results[name], flush=True)
