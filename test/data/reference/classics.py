"""Writes the files in classics/: what PyTorch computes in float64 for networks and options that torchvision does
not have, and for images of odd sizes.

    python classics.py [NAME ...]

Needs torch alone (written with torch 2.13.0). Every network is written down once more here, as a function that
names its weights; the weights and images come from fixture_weights.py. Each file holds

    network, options   what createModel() takes
    image              {name, shape, block}
    logits             [N][classes]
"""
import json
import sys
from pathlib import Path

import torch
import torch.nn.functional as F

from fixture_weights import image, value

CONNECTIONS = ["012", "123", "234", "345", "045", "015", "0123", "1234", "2345", "0345", "0145", "0125", "0134", "1245", "0235", "012345"]


def weight(name, shape, role):
    return torch.from_numpy(value(name, shape, role)).double()


def conv(x, name, out, k, stride=1, pad=0, groups=1, bias=True):
    w = weight(name + ".weight", (out, x.shape[1] // groups, k, k), "conv")
    return F.conv2d(x, w, weight(name + ".bias", (out,), "bias") if bias else None, stride, pad, 1, groups)


def linear(x, name, out):
    return F.linear(x, weight(name + ".weight", (out, x.shape[1]), "linear"), weight(name + ".bias", (out,), "bias"))


def norm(x, name, eps=1e-5, role="bn_weight"):
    c = (x.shape[1],)
    return F.batch_norm(x, weight(name + ".running_mean", c, "running_mean"), weight(name + ".running_var", c, "running_var"),
                        weight(name + ".weight", c, role), weight(name + ".bias", c, "bn_bias"), False, 0.0, eps)


def lrn(x, k=2.0, alpha=5e-4):  # PyTorch divides alpha by 5
    return F.local_response_norm(x, 5, alpha, 0.75, k)


def mean(x):
    return x.mean((2, 3))


def lenet5(x, squash="scaledTanh"):
    f = torch.sigmoid if squash == "sigmoid" else lambda t: 1.7159 * torch.tanh(t * 2 / 3)

    def subsample(t, name):
        c = (t.shape[1],)
        four = t[:, :, ::2, ::2] + t[:, :, 1::2, ::2] + t[:, :, ::2, 1::2] + t[:, :, 1::2, 1::2]
        return four * weight(name + ".weight", c, "bn_weight")[:, None, None] + weight(name + ".bias", c, "bias")[:, None, None]

    x = f(subsample(f(conv(x, "c1", 6, 5)), "s2"))
    kernels, taken, maps = weight("c3.weight", (60, 5, 5), "conv"), 0, []
    for sources in CONNECTIONS:
        index = [int(s) for s in sources]
        maps.append(F.conv2d(x[:, index], kernels[None, taken:taken + len(index)]))
        taken += len(index)
    x = f(torch.cat(maps, 1) + weight("c3.bias", (16,), "bias")[:, None, None])
    x = f(conv(f(subsample(x, "s4")), "c5", 120, 5))
    return linear(f(linear(x.flatten(1), "f6", 84)), "output", 10)


def lenet5_modern(x):
    x = F.max_pool2d(F.relu(conv(x, "features.0", 20, 5, 1, 2)), 2)
    x = F.max_pool2d(F.relu(conv(x, "features.3", 50, 5, 1, 2)), 2)
    return linear(F.relu(linear(x.flatten(1), "classifier.0", 500)), "classifier.2", 10)


def alexnet(x):
    x = F.max_pool2d(F.relu(conv(x, "features.0", 64, 11, 4, 2)), 3, 2)
    x = F.max_pool2d(F.relu(conv(x, "features.3", 192, 5, 1, 2)), 3, 2)
    x = F.relu(conv(x, "features.6", 384, 3, 1, 1))
    x = F.relu(conv(x, "features.8", 256, 3, 1, 1))
    x = F.max_pool2d(F.relu(conv(x, "features.10", 256, 3, 1, 1)), 3, 2)
    x = F.adaptive_avg_pool2d(x, 6).flatten(1)
    return linear(F.relu(linear(F.relu(linear(x, "classifier.1", 4096)), "classifier.4", 4096)), "classifier.6", 1000)


def alexnet_original(x, groups=2, caffe=False):
    def pool(t):
        return lrn(F.max_pool2d(t, 3, 2), 1.0, 1e-4) if caffe else F.max_pool2d(lrn(t), 3, 2)

    x = pool(F.relu(conv(x, "conv1", 96, 11, 4)))
    x = pool(F.relu(conv(x, "conv2", 256, 5, 1, 2, groups)))
    x = F.relu(conv(x, "conv3", 384, 3, 1, 1))
    x = F.relu(conv(x, "conv4", 384, 3, 1, 1, groups))
    x = F.max_pool2d(F.relu(conv(x, "conv5", 256, 3, 1, 1, groups)), 3, 2).flatten(1)
    return linear(F.relu(linear(F.relu(linear(x, "fc6", 4096)), "fc7", 4096)), "fc8", 1000)


def caffenet(x):
    return alexnet_original(x, caffe=True)


def vgg(columns):
    def network(x, pooling="7x7"):
        i = 0
        for stage, count in enumerate(columns):
            for _ in range(count):
                x = F.relu(conv(x, f"features.{i}", min(64 << stage, 512), 3, 1, 1))
                i += 2
            x = F.max_pool2d(x, 2)
            i += 1
        x = F.adaptive_avg_pool2d(x, 1 if pooling == "global" else 7).flatten(1)
        return linear(F.relu(linear(F.relu(linear(x, "classifier.0", 4096)), "classifier.3", 4096)), "classifier.6", 1000)
    return network


INCEPTIONS = {
    "3a": (64, 96, 128, 16, 32, 32), "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64), "4b": (160, 112, 224, 24, 64, 64), "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64), "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128), "5b": (384, 192, 384, 48, 128, 128),
}


def googlenet(x, transformInput=False, original=False):
    def unit(t, name, out, k, stride=1):
        t = conv(t, name + ".conv", out, k, stride, k // 2, bias=original)
        return F.relu(t if original else norm(t, name + ".bn", 1e-3))

    def pool(t, k=3):
        return F.max_pool2d(t, k, 2, ceil_mode=True)

    def local(t):
        return lrn(t, 1.0, 1e-4) if original else t

    if transformInput:
        m, d = torch.tensor([.485, .456, .406]).double(), torch.tensor([.229, .224, .225]).double()
        x = ((x * d[:, None, None] + m[:, None, None]) - .5) / .5
    x = local(pool(unit(x, "conv1", 64, 7, 2)))
    x = pool(local(unit(unit(x, "conv2", 64, 1), "conv3", 192, 3)))
    for name, (c1, r3, c3, r5, c5, p) in INCEPTIONS.items():
        n = "inception" + name
        x = torch.cat([
            unit(x, n + ".branch1", c1, 1),
            unit(unit(x, n + ".branch2.0", r3, 1), n + ".branch2.1", c3, 3),
            unit(unit(x, n + ".branch3.0", r5, 1), n + ".branch3.1", c5, 5 if original else 3),
            unit(F.max_pool2d(x, 3, 1, 1), n + ".branch4.1", p, 1),
        ], 1)
        if name == "3b":
            x = pool(x)
        if name == "4e":
            x = pool(x, 3 if original else 2)
    return linear(mean(x), "fc", 1000)


def googlenet_original(x):
    return googlenet(x, original=True)


def resnet(blocks, bottleneck):
    def network(x, version="v1.5", bias=False, eps=1e-5, residual=True):
        last = "bn_weight_residual" if residual else "bn_weight"
        x = F.max_pool2d(F.relu(norm(conv(x, "conv1", 64, 7, 2, 3, bias=bias), "bn1", eps)), 3, 2, 1)
        for i, count in enumerate(blocks):
            width, out = 64 << i, (256 if bottleneck else 64) << i
            for j in range(count):
                n, s = f"layer{i + 1}.{j}", 2 if i > 0 and j == 0 else 1
                if bottleneck:
                    s1, s2 = (s, 1) if version == "v1" else (1, s)
                    y = F.relu(norm(conv(x, n + ".conv1", width, 1, s1, bias=bias), n + ".bn1", eps))
                    y = F.relu(norm(conv(y, n + ".conv2", width, 3, s2, 1, bias=bias), n + ".bn2", eps))
                    y = norm(conv(y, n + ".conv3", out, 1, bias=bias), n + ".bn3", eps, last)
                else:
                    y = F.relu(norm(conv(x, n + ".conv1", width, 3, s, 1, bias=bias), n + ".bn1", eps))
                    y = norm(conv(y, n + ".conv2", width, 3, 1, 1, bias=bias), n + ".bn2", eps, last)
                if residual:
                    shape = x.shape[1] != out or s != 1
                    y = y + (norm(conv(x, n + ".downsample.0", out, 1, s, bias=bias), n + ".downsample.1", eps) if shape else x)
                x = F.relu(y)
        return linear(mean(x), "fc", 1000)
    return network


def resnet_cifar(depth):
    def network(x, shortcut="A", residual=True):
        last = "bn_weight_residual" if residual else "bn_weight"
        x = F.relu(norm(conv(x, "conv1", 16, 3, 1, 1, bias=False), "bn1"))
        for i in range(3):
            width = 16 << i
            for j in range((depth - 2) // 6):
                n, s = f"layer{i + 1}.{j}", 2 if i > 0 and j == 0 else 1
                y = F.relu(norm(conv(x, n + ".conv1", width, 3, s, 1, bias=False), n + ".bn1"))
                y = norm(conv(y, n + ".conv2", width, 3, 1, 1, bias=False), n + ".bn2", role=last)
                if residual and s == 2 and shortcut == "A":
                    x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, width // 4, width // 4))
                elif residual and s == 2:
                    x = norm(conv(x, n + ".shortcut.0", width, 1, 2, bias=False), n + ".shortcut.1")
                x = F.relu(y + x if residual else y)
        return linear(mean(x), "linear", 10)
    return network


def plain_cifar(depth):
    return lambda x: resnet_cifar(depth)(x, residual=False)


def dense_layer(x, n, growth):
    y = conv(F.relu(norm(x, n + ".norm1")), n + ".conv1", 4 * growth, 1, bias=False)
    return conv(F.relu(norm(y, n + ".norm2")), n + ".conv2", growth, 3, 1, 1, bias=False)


def dense_blocks(x, blocks, growth, classes):
    for i, count in enumerate(blocks):
        for j in range(count):
            x = torch.cat([x, dense_layer(x, f"features.denseblock{i + 1}.denselayer{j + 1}", growth)], 1)
        if i < len(blocks) - 1:
            n = f"features.transition{i + 1}"
            x = F.avg_pool2d(conv(F.relu(norm(x, n + ".norm")), n + ".conv", x.shape[1] // 2, 1, bias=False), 2)
    return linear(mean(F.relu(norm(x, f"features.norm{len(blocks) + 1}"))), "classifier", classes)


def densenet(blocks):
    def network(x, growth=32):
        x = F.relu(norm(conv(x, "features.conv0", 2 * growth, 7, 2, 3, bias=False), "features.norm0"))
        return dense_blocks(F.max_pool2d(x, 3, 2, 1), blocks, growth, 1000)
    return network


def densenet_bc(x, depth=100, growth=12):
    return dense_blocks(conv(x, "features.conv0", 2 * growth, 3, 1, 1, bias=False), [(depth - 4) // 6] * 3, growth, 10)


NETWORKS = {
    "lenet5": lenet5, "lenet5_modern": lenet5_modern,
    "alexnet": alexnet, "alexnet_original": alexnet_original, "caffenet": caffenet,
    "vgg11": vgg([1, 1, 2, 2, 2]), "vgg16": vgg([2, 2, 3, 3, 3]),
    "googlenet": googlenet, "googlenet_original": googlenet_original,
    "resnet18": resnet([2, 2, 2, 2], False), "resnet50": resnet([3, 4, 6, 3], True),
    "resnet20": resnet_cifar(20), "resnet110": resnet_cifar(110), "plain20": plain_cifar(20),
    "densenet121": densenet([6, 12, 24, 16]), "densenet264": densenet([6, 12, 64, 48]), "densenet_bc": densenet_bc,
}

CASES = {  # file name -> (network, options, image shape, side of the image's blocks)
    "lenet5": ("lenet5", {}, (3, 1, 32, 32), 8),
    "lenet5-sigmoid": ("lenet5", {"squash": "sigmoid"}, (3, 1, 32, 32), 8),
    "lenet5_modern": ("lenet5_modern", {}, (3, 1, 32, 32), 8),
    "alexnet-190x261": ("alexnet", {}, (2, 3, 190, 261), 32),
    "alexnet_original": ("alexnet_original", {}, (2, 3, 227, 227), 32),
    "alexnet_original-one-group": ("alexnet_original", {"groups": 1}, (2, 3, 227, 227), 32),
    "caffenet": ("caffenet", {}, (2, 3, 227, 227), 32),
    "vgg11-64x100": ("vgg11", {}, (3, 3, 64, 100), 16),
    "vgg16-global": ("vgg16", {"pooling": "global"}, (2, 3, 224, 224), 32),
    "googlenet-97x131": ("googlenet", {}, (3, 3, 97, 131), 16),
    "googlenet-transform": ("googlenet", {"transformInput": True}, (2, 3, 224, 224), 32),
    "googlenet_original": ("googlenet_original", {}, (2, 3, 224, 224), 32),
    "resnet18-plain": ("resnet18", {"residual": False}, (2, 3, 224, 224), 32),
    "resnet18-97x131": ("resnet18", {}, (5, 3, 97, 131), 16),
    "resnet50-v1-bias": ("resnet50", {"version": "v1", "bias": True, "eps": 1.001e-5}, (2, 3, 224, 224), 32),
    "resnet20": ("resnet20", {}, (4, 3, 32, 32), 8),
    "resnet20-b": ("resnet20", {"shortcut": "B"}, (4, 3, 32, 32), 8),
    "resnet20-25x41": ("resnet20", {}, (4, 3, 25, 41), 8),
    "resnet110": ("resnet110", {}, (2, 3, 32, 32), 8),
    "plain20": ("plain20", {}, (4, 3, 32, 32), 8),
    "densenet121-100x75": ("densenet121", {}, (3, 3, 100, 75), 16),
    "densenet264": ("densenet264", {}, (2, 3, 224, 224), 32),
    "densenet_bc": ("densenet_bc", {}, (2, 3, 32, 32), 8),
    "densenet_bc-40-k24": ("densenet_bc", {"depth": 40, "growth": 24}, (2, 3, 32, 32), 8),
}

with torch.inference_mode():
    for name in sys.argv[1:] or CASES:
        network, options, shape, block = CASES[name]
        x = torch.from_numpy(image("image", shape, 0, block)).double()
        logits = [[float(f"{v:.9g}") for v in row] for row in NETWORKS[network](x, **options).tolist()]
        result = {"network": network, "options": options, "source": f"torch {torch.__version__} float64",
                  "image": {"name": "image", "shape": shape, "block": block}, "logits": logits}
        (Path(__file__).parent / "classics" / f"{name}.json").write_text(json.dumps(result))
        print(name, "ok", flush=True)
