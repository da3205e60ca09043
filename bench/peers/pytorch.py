"""PyTorch on the CPU as a contender of bench/networks.ts: a torchvision network with random weights.

    python pytorch.py NETWORK inference|training BATCH THREADS default|channels_last

Says {"ready": ...} when it is set up; then each line "go N" on standard input makes it run N steps, which it answers
with {"milliseconds": [...], "peakMiB": ...}. Needs torch and torchvision.
"""
import json
import re
import sys
import time
import types
import warnings

import torch
import torch.nn.functional as F

warnings.filterwarnings("ignore")
try:
    import torchvision.models as zoo
except RuntimeError:  # a CUDA build of torchvision beside CPU torch: its C++ operations are not needed here
    for key in [k for k in sys.modules if k.startswith("torchvision")]:
        del sys.modules[key]
    sys.modules["torchvision._meta_registrations"] = types.ModuleType("torchvision._meta_registrations")
    import torchvision.models as zoo

AUXILIARY = {"googlenet": ("aux_logits1", "aux_logits2"), "inception_v3": ("aux_logits",)}


def say(**message):
    print(json.dumps(message), flush=True)


def peak_mib():
    """The usual ru_maxrss begins with what the process had resident that started this one."""
    with open("/proc/self/status") as status:
        return int(re.search(r"VmHWM:\s*(\d+) kB", status.read())[1]) / 1024


def main():
    network, mode, batch, threads, layout = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    heads = AUXILIARY.get(network, ())
    options = {"aux_logits": True, "init_weights": False} if heads else {}
    model = getattr(zoo, network)(weights=None, **options).train(mode == "training")
    size = 299 if network == "inception_v3" else 224
    images = torch.randn(batch, 3, size, size)
    labels = torch.randint(1000, (batch,))
    if layout == "channels_last":
        model = model.to(memory_format=torch.channels_last)
        images = images.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)

    def train():
        optimizer.zero_grad(set_to_none=True)
        output = model(images)
        loss = F.cross_entropy(output.logits if heads else output, labels)
        for head in heads:
            loss = loss + 0.3 * F.cross_entropy(getattr(output, head), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    def predict():
        with torch.inference_mode():
            return model(images)

    step = train if mode == "training" else predict
    say(ready=f"PyTorch {torch.__version__}", output=None)
    for line in sys.stdin:
        count = int(line.split()[1])
        times = []
        for _ in range(count):
            start = time.perf_counter()
            step()
            times.append(1000 * (time.perf_counter() - start))
        say(milliseconds=times, peakMiB=peak_mib())


main()
