"""LeNet-5 (LeCun et al. 1998) in torch: the shapes of its parameters, and what it computes."""
import torch
import torch.nn.functional as F

TABLE = [[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5], [0, 4, 5], [0, 1, 5], [0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5],
         [0, 3, 4, 5], [0, 1, 4, 5], [0, 1, 2, 5], [0, 1, 3, 4], [1, 2, 4, 5], [0, 2, 3, 5], [0, 1, 2, 3, 4, 5]]
SHAPES = [("c1.weight", [6, 1, 5, 5], "conv"), ("c1.bias", [6], "bias"), ("s2.weight", [6], "bn_weight"),
          ("s2.bias", [6], "bias"), ("c3.weight", [60, 5, 5], "conv"), ("c3.bias", [16], "bias"),
          ("s4.weight", [16], "bn_weight"), ("s4.bias", [16], "bias"), ("c5.weight", [120, 16, 5, 5], "conv"),
          ("c5.bias", [120], "bias"), ("f6.weight", [84, 120], "linear"), ("f6.bias", [84], "bias"),
          ("output.weight", [10, 84], "linear"), ("output.bias", [10], "bias")]


def squash(x):
    return 1.7159 * torch.tanh(2 / 3 * x)


def subsample(x, w, b):
    total = 4 * F.avg_pool2d(x, 2)
    return total * w[:, None, None] + b[:, None, None]


def forward(p, x):
    indices = torch.tensor([output * 6 + source for output, sources in enumerate(TABLE) for source in sources])
    dense = torch.zeros(96, 5, 5, dtype=torch.float64).index_copy(0, indices, p["c3.weight"]).reshape(16, 6, 5, 5)
    x = squash(F.conv2d(x, p["c1.weight"], p["c1.bias"]))
    x = squash(subsample(x, p["s2.weight"], p["s2.bias"]))
    x = squash(F.conv2d(x, dense, p["c3.bias"]))
    x = squash(subsample(x, p["s4.weight"], p["s4.bias"]))
    x = squash(F.conv2d(x, p["c5.weight"], p["c5.bias"])).flatten(1)
    x = squash(F.linear(x, p["f6.weight"], p["f6.bias"]))
    return F.linear(x, p["output.weight"], p["output.bias"])
