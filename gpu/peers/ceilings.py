"""What the card can do at most: a large copy and large matrix products, by PyTorch."""
import time

import torch

from common import DEVICE, DTYPES, REDUCED, report, set_mode, synchronize

SIDE = 256 if REDUCED else 8192
BYTES = 2**20 if REDUCED else 2**32
REPEATS = 2 if REDUCED else 10


def seconds(body):
    for _ in range(3):
        body()
    synchronize()
    begin = time.perf_counter()
    for _ in range(REPEATS):
        body()
    synchronize()
    return (time.perf_counter() - begin) / REPEATS


def main():
    a, b = (torch.ones(BYTES // 4, dtype=torch.float32, device=DEVICE) for _ in range(2))
    spent = seconds(lambda: b.copy_(a))
    report(check="ceiling", name="copy", mode="", status="info", values={"GBps": 2e-9 * BYTES / spent})
    del a, b
    for mode in ("bf16", "f16", "TF32", "f32"):
        set_mode(mode)
        dtype = DTYPES.get(mode, torch.float32)
        a, b = (torch.randn(SIDE, SIDE, device=DEVICE).to(dtype) for _ in range(2))
        out = torch.empty_like(a)
        spent = seconds(lambda: torch.mm(a, b, out=out))
        report(check="ceiling", name="matrix product", mode=mode, status="info",
               values={"TFLOPs": 2e-12 * SIDE**3 / spent})


main()
