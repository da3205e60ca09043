"""Learning rates of PyTorch's schedulers, for test/training/schedules.test.ts: python schedules.py > schedules.json"""

import json
import sys
import warnings

import torch
from torch.optim import lr_scheduler as s

warnings.filterwarnings("ignore")

EPOCHS, STEPS, LR = 12, 5, 0.4
TOTAL = EPOCHS * STEPS


def rates(make, per):
    """The rate before each step, the scheduler being told after each step or each epoch."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=LR)
    scheduler = make(optimizer)
    found = []
    for step in range(TOTAL):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if per == "steps" or (step + 1) % STEPS == 0:
            scheduler.step()
    return found


def plateau(accuracies, **options):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=LR)
    scheduler = s.ReduceLROnPlateau(optimizer, mode="max", threshold_mode="abs", min_lr=0, eps=0, **options)
    found = []
    for accuracy in accuracies:
        found.append(optimizer.param_groups[0]["lr"])
        scheduler.step(accuracy)
    return found + [optimizer.param_groups[0]["lr"]]


def chained(first, second):
    return lambda o: s.ChainedScheduler([first(o), second(o)])


ACCURACIES = [0.1, 0.3, 0.3004, 0.3, 0.29, 0.31, 0.31, 0.31, 0.31, 0.5, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.6]

CASES = [
    ({"kind": "constant"}, rates(lambda o: s.ConstantLR(o, 1.0), "epochs")),
    ({"kind": "step", "milestones": [3, 7, 10]}, rates(lambda o: s.MultiStepLR(o, [3, 7, 10], 0.1), "epochs")),
    (
        {"kind": "step", "milestones": [13, 31], "factor": 0.5, "unit": "steps"},
        rates(lambda o: s.MultiStepLR(o, [13, 31], 0.5), "steps"),
    ),
    ({"kind": "exponential", "factor": 0.94, "every": 2}, rates(lambda o: s.StepLR(o, 2, 0.94), "epochs")),
    (
        {"kind": "exponential", "factor": 0.9, "stairs": False},
        rates(lambda o: s.ExponentialLR(o, 0.9 ** (1 / STEPS)), "steps"),
    ),
    ({"kind": "polynomial", "power": 0.5}, rates(lambda o: s.PolynomialLR(o, TOTAL, 0.5), "steps")),
    ({"kind": "polynomial", "power": 2, "unit": "epochs"}, rates(lambda o: s.PolynomialLR(o, EPOCHS, 2), "epochs")),
    ({"kind": "cosine"}, rates(lambda o: s.CosineAnnealingLR(o, TOTAL), "steps")),
    (
        {"kind": "cosine", "end": 0.01, "unit": "epochs"},
        rates(lambda o: s.CosineAnnealingLR(o, EPOCHS, eta_min=0.01 * LR), "epochs"),
    ),
    (
        {"kind": "warmup", "length": 7, "from": 0.2, "then": {"kind": "cosine"}},
        rates(chained(lambda o: s.LinearLR(o, 0.2, 1.0, 7), lambda o: s.CosineAnnealingLR(o, TOTAL)), "steps"),
    ),
    (
        {"kind": "warmup", "length": 6, "shape": "constant", "then": {"kind": "step", "milestones": [20], "unit": "steps"}},
        rates(chained(lambda o: s.ConstantLR(o, 0.1, 6), lambda o: s.MultiStepLR(o, [20], 0.1)), "steps"),
    ),
    (
        {"kind": "warmup", "length": 2, "unit": "epochs", "from": 0.1, "then": {"kind": "constant"}},
        rates(lambda o: s.LinearLR(o, 0.1, 1.0, 2 * STEPS), "steps"),
    ),
]


def one_cycle(**options):
    """OneCycleLR refuses to be told once more than it has steps."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=LR, momentum=0.9)
    scheduler = s.OneCycleLR(optimizer, LR, total_steps=TOTAL, cycle_momentum=False, **options)
    found = []
    for step in range(TOTAL):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step + 1 < TOTAL:
            scheduler.step()
    return found


CASES.append(({"kind": "oneCycle"}, one_cycle()))
CASES.append(
    (
        {"kind": "oneCycle", "rise": 0.5, "start": 10, "end": 100},
        one_cycle(pct_start=0.5, div_factor=10, final_div_factor=100),
    )
)

json.dump(
    {
        "epochs": EPOCHS,
        "stepsPerEpoch": STEPS,
        "lr": LR,
        "cases": [{"schedule": schedule, "rates": found} for schedule, found in CASES],
        "plateaus": [
            {
                "schedule": {"kind": "plateau", "patience": patience, "factor": factor, "threshold": threshold},
                "accuracies": ACCURACIES,
                "rates": plateau(ACCURACIES, patience=patience, factor=factor, threshold=threshold),
            }
            for patience, factor, threshold in [(0, 0.1, 0.0005), (2, 0.1, 0.0005), (2, 0.5, 0.1), (5, 0.1, 0)]
        ],
    },
    sys.stdout,
    indent=1,
)
print()
