"""What the rivals in PyTorch share: the problem's folder, and answering requests. Started by bench/src/engines/torch.ts.

Arguments of a script: the folder of the problem (problem.json and raw little-endian arrays, written by
bench/src/engines/torch-task.ts), the device (cpu or cuda), and what products are computed in (f32 or bf16). Then one JSON
request a line on standard input, one answer a line on standard output: {"run": n} -> {"seconds": s},
{"check": true} -> {"numbers": [...]}, {"memory": true} -> {"bytes": n} (of the device; none on the CPU).
"""
import json
import os
import sys
import time

import torch

folder, device, dtype = sys.argv[1:4]
cuda = device == "cuda"
if cuda:
    torch.backends.cuda.matmul.allow_tf32 = False
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


def answer_requests(step):
    """step() is a training step; it returns a function that gives the numbers to check."""
    seen = []

    def run():
        numbers = step()
        if len(seen) < problem["checkedSteps"]:
            seen.append(numbers())

    def seconds_of(count):
        begun = time.perf_counter()
        for _ in range(count):
            run()
        if cuda:
            torch.cuda.synchronize()
        return time.perf_counter() - begun

    for _ in range(problem["checkedSteps"]):
        run()
    if not cuda:
        choose_threads(seconds_of)
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if "check" in request:
            answer = {"numbers": sum(seen, [])}
        elif "memory" in request:
            answer = {"bytes": torch.cuda.max_memory_reserved()} if cuda else {}
        else:
            answer = {"seconds": seconds_of(request["run"])}
        print(json.dumps(answer), flush=True)


def choose_threads(seconds_of):
    """The number of threads that is fastest here."""
    cores = os.cpu_count() or 1
    timed = {}
    for threads in sorted({1, max(1, cores // 2), cores}):
        torch.set_num_threads(threads)
        seconds_of(1)
        timed[threads] = seconds_of(2)
    torch.set_num_threads(min(timed, key=timed.get))
