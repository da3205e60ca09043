"""Writes lenet5_steps.json: losses and logits of LeNet-5 (LeCun et al. 1998) over a few steps of SGD, in float64.

    python lenet5_steps.py > lenet5_steps.json

Needs torch. The network is in lenet5.py; weights and images come from ../reference/fixture_weights.py.
"""
import json
import sys
from pathlib import Path

import torch
import torch.nn.functional as F

sys.path.append(str(Path(__file__).parent.parent / "reference"))
from fixture_weights import image, value  # noqa: E402
from lenet5 import SHAPES, forward  # noqa: E402

STEPS, BATCH, RATE, MOMENTUM, DECAY = 5, 8, 0.02, 0.9, 1e-3


def main():
    p = {n: torch.from_numpy(value(n, s, r)).double().requires_grad_() for n, s, r in SHAPES}
    x = torch.from_numpy(image("digits", (BATCH, 1, 32, 32), 0, 8)).double()
    labels = torch.tensor([(7 * i + 3) % 10 for i in range(BATCH)])
    optimizer = torch.optim.SGD(p.values(), lr=RATE, momentum=MOMENTUM, weight_decay=DECAY)
    before = forward(p, x).tolist()
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = F.cross_entropy(forward(p, x), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(json.dumps({"source": f"torch {torch.__version__} float64", "batch": BATCH, "lr": RATE, "momentum": MOMENTUM,
                      "weightDecay": DECAY, "parameters": SHAPES, "labels": labels.tolist(), "losses": losses,
                      "logits": {"before": before, "after": forward(p, x).tolist()}}))


main()
