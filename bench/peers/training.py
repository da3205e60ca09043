"""One contender of bench/training.ts: training steps of a torchvision network in PyTorch on the CPU.

    python training.py NETWORK BATCH THREADS default|channels_last

Says {"ready": ...} when it is set up; then each line "go N" on standard input makes it run N steps, which it answers
with {"milliseconds": [...], "peakMiB": ...}. Needs torch and torchvision.
"""
import json
import resource
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


def say(**message):
    print(json.dumps(message), flush=True)


def main():
    network, batch, threads, layout = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    options = {"aux_logits": True, "init_weights": False} if network == "googlenet" else {}
    model = getattr(zoo, network)(weights=None, **options).train()
    images = torch.randn(batch, 3, 224, 224)
    labels = torch.randint(1000, (batch,))
    if layout == "channels_last":
        model = model.to(memory_format=torch.channels_last)
        images = images.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)

    def step():
        optimizer.zero_grad(set_to_none=True)
        output = model(images)
        if network == "googlenet":
            heads = (output.aux_logits1, output.aux_logits2)
            loss = F.cross_entropy(output.logits, labels) + 0.3 * sum(F.cross_entropy(head, labels) for head in heads)
        else:
            loss = F.cross_entropy(output, labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    say(ready=f"PyTorch {torch.__version__}")
    for line in sys.stdin:
        count = int(line.split()[1])
        times = []
        for _ in range(count):
            start = time.perf_counter()
            step()
            times.append(1000 * (time.perf_counter() - start))
        say(milliseconds=times, peakMiB=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


main()
