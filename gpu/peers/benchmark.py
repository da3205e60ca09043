"""PyTorch beside the GPU benchmarks: a server, so that its start is paid for once.

Reads jobs {network, task, batch, mode, kind, size, seconds}, a line of JSON each, and answers each with a line:
{ms, latencyMs, endToEndMs, peakMiB}, or {error}. Kinds are eager (channels_last, autocast), graph (the same captured
into a CUDA graph) and compile (torch.compile).
"""
import json
import statistics
import sys
import time
import warnings

import torch
import torch.nn.functional as F

from common import DEVICE, autocast, make, set_mode, synchronize

warnings.filterwarnings("ignore")
torch.backends.cudnn.benchmark = True
AUXILIARY = {"googlenet": 0.3, "inception_v3": 0.4}


def now():
    return 1000 * time.perf_counter()


def capture(body):
    """body as a CUDA graph."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            body()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = body()
    return graph, result


def inference(job, model, images):
    mode = job["mode"]
    model = model.eval()
    if job["kind"] == "compile":
        model = torch.compile(model, mode="reduce-overhead" if DEVICE == "cuda" else "default")

    def body():
        with torch.inference_mode(), autocast(mode):
            return model(images)

    return body


def training(job, model, images, labels):
    mode, network = job["mode"], job["network"]
    model = model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9, fused=DEVICE == "cuda")
    forward = torch.compile(model) if job["kind"] == "compile" else model
    weight = AUXILIARY.get(network, 0.0)
    # Does nothing where it is not enabled.
    scaler = torch.amp.GradScaler(DEVICE, enabled=mode == "f16")

    def body():
        # A graph writes gradients where it wrote them when it was captured.
        optimizer.zero_grad(set_to_none=True)
        with autocast(mode):
            out = forward(images)
            if weight:
                logits, *heads = (out.logits, *[h for h in out[1:]])
                loss = F.cross_entropy(logits, labels) + weight * sum(F.cross_entropy(h, labels) for h in heads)
            else:
                loss = F.cross_entropy(out, labels)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss

    return body


def measure(job):
    if DEVICE == "cpu" and job["kind"] != "eager":
        return {"error": "needs a GPU"}
    set_mode(job["mode"])
    torch.manual_seed(0)
    batch, size, span = job["batch"], job["size"], 1000 * job["seconds"]
    model = make(job["network"]).to(DEVICE, memory_format=torch.channels_last)
    host = torch.randn(batch, 3, size, size)
    images = host.to(DEVICE).to(memory_format=torch.channels_last)
    labels = torch.arange(batch, device=DEVICE) * 37 % 1000
    if DEVICE == "cuda":
        torch.cuda.reset_peak_memory_stats()
    is_training = job["task"] == "training"
    body = training(job, model, images, labels) if is_training else inference(job, model, images)
    if job["kind"] == "graph":
        graph, result = capture(body)

        def run():
            graph.replay()
            return result
    else:
        run = body

    def end_to_end():
        images.copy_(host)
        return run().cpu()

    for _ in range(5):
        run()
    synchronize()
    single, end = [], now() + span
    while now() < end and len(single) < 200:
        begin = now()
        run()
        synchronize()
        single.append(now() - begin)
    count = max(2, min(200, int(span / statistics.median(single))))
    begin = now()
    for _ in range(count):
        run()
    synchronize()
    queued = (now() - begin) / count
    end_to_end()
    whole = []
    end = now() + span
    while now() < end and len(whole) < 50:
        begin = now()
        end_to_end()
        whole.append(now() - begin)
    peak = torch.cuda.max_memory_allocated() / 2**20 if DEVICE == "cuda" else None
    return {
        "ms": queued,
        "latencyMs": statistics.median(single),
        "endToEndMs": statistics.median(whole),
        "peakMiB": peak,
    }


def main():
    version = torch.backends.cudnn.version()
    print(json.dumps({"ready": f"PyTorch {torch.__version__} cuDNN {version} on {DEVICE}"}), flush=True)
    for line in sys.stdin:
        try:
            answer = measure(json.loads(line))
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {str(error)[:300]}"}
        print(json.dumps(answer), flush=True)
        if DEVICE == "cuda":
            torch.compiler.reset()
            torch.cuda.empty_cache()


main()
