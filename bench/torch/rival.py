"""What the rivals in PyTorch share: the problem's folder, and answering requests. Started by bench/src/engines/torch.ts.

Arguments of a script: the folder of the problem (problem.json and raw little-endian arrays, written by
bench/src/engines/torch-task.ts), the device (cpu or cuda), and what products are computed in (f32, tf32 or bf16). Then one JSON
request a line on standard input, one answer a line on standard output: {"run": n} -> {"seconds": s},
{"check": true} -> {"numbers": [...]}, {"memory": true} -> {"bytes": n} (of the device; none on the CPU).
"""
import json
import os
import statistics
import sys
import time

import torch

# How long each way to do the work is tried for.
TRIAL_SECONDS = 0.3

folder, device, dtype = sys.argv[1:4]
cuda = device == "cuda"
if cuda:
    torch.backends.cuda.matmul.allow_tf32 = dtype == "tf32"
    torch.backends.cudnn.allow_tf32 = dtype == "tf32"
with open(os.path.join(folder, "problem.json")) as file:
    problem = json.load(file)


def load(name):
    entry = problem["arrays"][name]
    dtype = {"f32": torch.float32, "i32": torch.int32}[entry["dtype"]]
    with open(os.path.join(folder, entry["file"]), "rb") as file:
        data = torch.frombuffer(bytearray(file.read()), dtype=dtype)
    return data.reshape(entry["shape"]).clone().to(device)


def autocast():
    return torch.autocast(device, dtype=torch.bfloat16, enabled=dtype == "bf16")


def answer_training(step):
    """step() is a training step; it returns a function that gives the numbers to check: those of the first steps count."""
    seen = []

    def run():
        numbers = step()
        if len(seen) < problem["checkedSteps"]:
            seen.append(numbers())

    for _ in range(problem["checkedSteps"]):
        run()
    answer_requests([run], lambda _: sum(seen, []))


def answer_requests(ways, numbers):
    """ways: functions that do the work; the fastest is taken. numbers(result): what is to be checked of its last result."""
    run = ways[0] if cuda else fastest(ways)
    result = run()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if "check" in request:
            answer = {"numbers": numbers(result)}
        elif "memory" in request:
            answer = {"bytes": torch.cuda.max_memory_reserved()} if cuda else {}
        else:
            begun = time.perf_counter()
            for _ in range(request["run"]):
                result = run()
            if cuda:
                torch.cuda.synchronize()
            answer = {"seconds": time.perf_counter() - begun}
        print(json.dumps(answer), flush=True)


def fastest(ways):
    """The way that is fastest here, by trial; sets the number of threads that it is fastest with."""
    cores = os.cpu_count() or 1
    timed = {}
    for threads in sorted({1, max(1, cores // 2), cores}):
        torch.set_num_threads(threads)
        for way in ways:
            timed[way, threads] = median_seconds(way)
    way, threads = min(timed, key=timed.get)
    torch.set_num_threads(threads)
    return way


def median_seconds(way):
    """Of as many runs as take TRIAL_SECONDS, two at least."""
    way()
    seconds = []
    while len(seconds) < 2 or sum(seconds) < TRIAL_SECONDS:
        begun = time.perf_counter()
        way()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)
