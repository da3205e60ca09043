"""Writes optimizers.json: losses of LeNet-5 (LeCun et al. 1998) over 20 steps of every optimizer and loss, in float64.

    python optimizers.py > optimizers.json

Needs torch. The network is in lenet5.py; weights and images come from ../reference/fixture_weights.py. Two batches
take turns.
"""
import json
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

sys.path.append(str(Path(__file__).parent.parent / "reference"))
from fixture_weights import image, levels, value  # noqa: E402
from lenet5 import SHAPES, forward, squash  # noqa: E402

# With radial basis units: 84 outputs, which are held against ten centres.
RBF_SHAPES = SHAPES[:-2] + [("output.weight", [84, 84], "linear"), ("output.bias", [84], "bias"),
                            ("centres", [10, 84], "linear")]
STEPS, BATCH, CLASSES = 20, 8, 10
KEPT = ["c1.bias", "s4.bias", "f6.bias", "output.bias"]

IMAGES = [torch.from_numpy(image("digits", (BATCH, 1, 32, 32), seed, 8)).double() for seed in (0, 1)]
LABELS = [torch.tensor([(7 * i + 3) % CLASSES for i in range(BATCH)]),
          torch.tensor([(3 * i + 1) % CLASSES for i in range(BATCH)])]
# As float32 has them. Soft labels: the share of the right class is between 0.6 and 1, the next one has the rest.
SHARES = [[np.float32(0.8 + 0.2 * u) for u in levels("share", BATCH, seed)] for seed in (0, 1)]
TARGETS = [torch.from_numpy(levels("target", BATCH * CLASSES, seed).astype(np.float32)).double()
           .reshape(BATCH, CLASSES) for seed in (0, 1)]


def soft_labels(turn):
    soft = torch.zeros(BATCH, CLASSES, dtype=torch.float64)
    for i, label in enumerate(LABELS[turn].tolist()):
        soft[i, label] = float(SHARES[turn][i])
        soft[i, (label + 1) % CLASSES] = float(np.float32(1) - SHARES[turn][i])
    return soft


def outputs(p, x):
    x = forward(p, x)
    if "centres" in p:
        x = 0.2 * squash(x)
        x = ((x[:, None, :] - p["centres"]) ** 2).sum(2)
    return x


def cross_entropy(y, turn):
    return F.cross_entropy(y, LABELS[turn])


def smoothed(y, turn):
    return F.cross_entropy(y, LABELS[turn], label_smoothing=0.1)


def soft(y, turn):
    return F.cross_entropy(y, soft_labels(turn))


def squared(y, turn):
    return F.mse_loss(y, TARGETS[turn])


def radial_basis(y, turn, j=0.1):
    right = y.gather(1, LABELS[turn][:, None])[:, 0]
    return (right + torch.log(np.exp(-j) + torch.exp(-y).sum(1))).mean()


class TensorFlowRmsProp:
    """Written out from the definition of tf.compat.v1.train.RMSPropOptimizer."""

    def __init__(self, parameters, lr, decay=0.9, momentum=0.0, eps=1e-10):
        self.parameters, self.lr, self.decay, self.momentum, self.eps = list(parameters), lr, decay, momentum, eps
        self.squares = [torch.ones_like(p) for p in self.parameters]
        self.velocities = [torch.zeros_like(p) for p in self.parameters]

    def zero_grad(self):
        for p in self.parameters:
            p.grad = None

    @torch.no_grad()
    def step(self):
        for p, s, v in zip(self.parameters, self.squares, self.velocities):
            s.copy_(self.decay * s + (1 - self.decay) * p.grad ** 2)
            v.copy_(self.momentum * v + self.lr * p.grad / torch.sqrt(s + self.eps))
            p.sub_(v)


def run(make, loss_of=cross_entropy, shapes=SHAPES, frozen=(), clip=None, accumulate=1, average=None):
    p = {n: torch.from_numpy(value(n, s, r)).double().requires_grad_(n not in frozen) for n, s, r in shapes}
    learning = {n: t for n, t in p.items() if n not in frozen}
    averages = {n: t.detach().clone() for n, t in learning.items()}
    optimizer = make(learning)
    losses, norms = [], []
    optimizer.zero_grad()
    for step in range(STEPS):
        loss = loss_of(outputs(p, IMAGES[step % 2]), step % 2)
        (loss / accumulate).backward()
        losses.append(loss.item())
        if (step + 1) % accumulate:
            continue
        limit = float("inf") if clip is None else clip
        norms.append(torch.nn.utils.clip_grad_norm_(learning.values(), limit).item())
        optimizer.step()
        optimizer.zero_grad()
        if average is not None:
            for n, t in learning.items():
                averages[n] = average * averages[n] + (1 - average) * t.detach()
    result = {"losses": losses, "norms": norms, "weights": {n: p[n].flatten().tolist() for n in KEPT}}
    if average is not None:
        result["averages"] = {n: averages[n].flatten().tolist() for n in KEPT}
    return result


def sgd(**options):
    return lambda p: torch.optim.SGD(p.values(), **options)


def is_weight(name):
    return name.endswith("weight") and not name.startswith("s")


def grouped(p):
    groups = [{"params": [t], "lr": 0.02 * (0.1 if n.startswith("c1.") else 2 if n == "output.weight" else 1),
               "weight_decay": 0 if n.endswith("bias") and not n.startswith("c1.") else 0.05} for n, t in p.items()]
    return torch.optim.SGD(groups, lr=0.02, momentum=0.9)


def weights_only(p):
    return torch.optim.SGD([{"params": [t], "weight_decay": 0.1 if is_weight(n) else 0} for n, t in p.items()],
                           lr=0.02, momentum=0.9)


RUNS = {
    "sgd": lambda: run(sgd(lr=0.05)),
    "momentum": lambda: run(sgd(lr=0.02, momentum=0.9)),
    "nesterov": lambda: run(sgd(lr=0.02, momentum=0.9, nesterov=True)),
    "weightDecay": lambda: run(sgd(lr=0.02, momentum=0.9, weight_decay=0.05)),
    "nesterovDecay": lambda: run(sgd(lr=0.02, momentum=0.8, nesterov=True, weight_decay=0.05)),
    "rmsProp": lambda: run(lambda p: torch.optim.RMSprop(p.values(), lr=2e-4, alpha=0.9, eps=1e-6)),
    "rmsPropMomentum": lambda: run(
        lambda p: torch.optim.RMSprop(p.values(), lr=1e-4, alpha=0.95, eps=1e-6, momentum=0.9, weight_decay=0.05)),
    "rmsPropTensorFlow": lambda: run(lambda p: TensorFlowRmsProp(p.values(), lr=0.02, eps=1e-3)),
    "rmsPropTensorFlowMomentum": lambda: run(
        lambda p: TensorFlowRmsProp(p.values(), lr=0.005, momentum=0.9, eps=0.1)),
    "adam": lambda: run(lambda p: torch.optim.Adam(p.values(), lr=5e-4, eps=1e-6)),
    "adamDecay": lambda: run(
        lambda p: torch.optim.Adam(p.values(), lr=5e-4, betas=(0.8, 0.99), eps=1e-6, weight_decay=0.05)),
    "adamW": lambda: run(lambda p: torch.optim.AdamW(p.values(), lr=5e-4, eps=1e-6, weight_decay=0.5)),
    "clipped": lambda: run(sgd(lr=0.02, momentum=0.9), clip=1.0),
    "accumulated": lambda: run(sgd(lr=0.02, momentum=0.9), accumulate=2),
    "accumulatedClipped": lambda: run(sgd(lr=0.02, momentum=0.9), accumulate=2, clip=1.0),
    "averaged": lambda: run(sgd(lr=0.02, momentum=0.9), average=0.9),
    "groups": lambda: run(grouped),
    "weightsOnly": lambda: run(weights_only),
    "frozen": lambda: run(sgd(lr=0.02, momentum=0.9), frozen=("c1.weight", "c1.bias", "s2.weight", "s2.bias",
                                                               "f6.bias")),
    "labelSmoothing": lambda: run(sgd(lr=0.02, momentum=0.9), smoothed),
    "softLabels": lambda: run(sgd(lr=0.02, momentum=0.9), soft),
    "meanSquaredError": lambda: run(sgd(lr=0.05, momentum=0.9), squared),
    "radialBasis": lambda: run(sgd(lr=0.02, momentum=0.9), radial_basis, RBF_SHAPES),
}


def rounded(x):
    """Ten digits are far more than float32 has."""
    if isinstance(x, float):
        return float(f"{x:.10g}")
    if isinstance(x, list):
        return [rounded(item) for item in x]
    return {key: rounded(item) for key, item in x.items()}


def main():
    runs = {name: rounded(body()) for name, body in RUNS.items()}
    print(json.dumps({"source": f"torch {torch.__version__} float64", "batch": BATCH, "parameters": SHAPES,
                      "radialBasisParameters": RBF_SHAPES, "labels": [labels.tolist() for labels in LABELS],
                      "runs": runs}))


main()
