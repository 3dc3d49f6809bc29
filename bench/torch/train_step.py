"""The bench's training step in PyTorch: the rival `torch`, started by bench/src/engines/torch.ts.

Arguments: the folder of the problem (problem.json and raw little-endian arrays, written by
bench/src/rows/train-step/torch.ts), the device (cpu or cuda), and what products are computed in (f32 or bf16). Then one
JSON request a line on standard input, one answer a line on standard output: {"run": n} -> {"seconds": s},
{"check": true} -> {"numbers": [...]}, {"memory": true} -> {"bytes": n} (of the device; none on the CPU).
"""
import json
import os
import sys
import time

import torch
import torch.nn.functional as F

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


rows, length, heads, head_dim = (problem[key] for key in ("rows", "length", "heads", "headDim"))
weights = {}
for weight in problem["weights"]:
    value = load("weight." + weight["path"])
    # Linear layers are [inputs, outputs] here; torch's own are [outputs, inputs].
    is_linear = value.dim() == 2 and weight["path"] != "tokenEmbedding"
    weights[weight["path"]] = (value.t().contiguous() if is_linear else value).requires_grad_()
tokens = load("tokens").long().reshape(rows, -1)
targets = load("targets").long().reshape(-1)
target_weights = load("targetWeights").reshape(-1)
mask = torch.where(load("visible") > 0, 0.0, float("-inf"))
cos, sin = load("cos").reshape(1, length, 1, -1), load("sin").reshape(1, length, 1, -1)
sinusoids, patches, noise = load("sinusoids"), load("patches"), load("noise")


def project(path, x):
    return F.linear(x, weights[path])


def linear(path, x):
    return F.linear(x, weights[path + ".weight"], weights[path + ".bias"])


def rms_norm(path, x):
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + problem["normEpsilon"]) * weights[path]


def rotate(x):
    first, second = x.chunk(2, -1)
    return torch.cat((first * cos - second * sin, first * sin + second * cos), -1)


def attention(q, k, v):
    # Fused where this version of PyTorch has it.
    if cuda and hasattr(F, "scaled_dot_product_attention"):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask.to(q.dtype))
    scores = torch.matmul(q * head_dim**-0.5, k.transpose(-1, -2)) + mask
    return torch.matmul(scores.softmax(-1).to(v.dtype), v)


def block(path, x):
    normed = rms_norm(path + ".attentionNorm", x)
    q, k, v = (
        project(f"{path}.attention.{name}", normed).view(rows, length, heads, head_dim)
        for name in ("query", "key", "value")
    )
    q, k, v = (t.transpose(1, 2) for t in (rotate(q), rotate(k), v))
    mixed = attention(q, k, v).transpose(1, 2).reshape(rows, length, heads * head_dim)
    x = x + project(path + ".attention.output", mixed)
    h = rms_norm(path + ".feedForwardNorm", x)
    gated = F.silu(project(path + ".feedForward.gate", h)) * project(path + ".feedForward.up", h)
    return x + project(path + ".feedForward.down", gated)


def losses():
    text = F.embedding(tokens, weights["tokenEmbedding"])
    time_vectors = linear("timestepEmbedding.second", F.silu(linear("timestepEmbedding.first", sinusoids)))
    image = (linear("patchIn", patches) + time_vectors[:, None]).reshape(rows, -1, text.shape[-1])
    per_image = patches.shape[1]
    parts = []
    for section in problem["sections"]:
        first, last = section["index"]
        if section["kind"] == "text":
            parts.append(text[:, first:last])
        else:
            parts.append(image[:, first * per_image : last * per_image])
    x = torch.cat(parts, 1)
    for layer in range(problem["layers"]):
        x = block(f"blocks.{layer}", x)
    hidden = rms_norm("norm", x)
    logits = project("languageHead", hidden).reshape(len(targets), -1)
    language = (F.cross_entropy(logits, targets, reduction="none") * target_weights).sum()
    images = [hidden[:, s["begin"] : s["end"]] for s in problem["sections"] if s["kind"] == "image"]
    prediction = linear("patchOut", torch.cat(images, 1).reshape(noise.shape[0], per_image, -1))
    return language, F.mse_loss(prediction, noise)


options = problem["optimizer"]
groups = [
    {
        "params": [weights[w["path"]] for w in problem["weights"] if w["decays"] == decays],
        "weight_decay": options["weightDecay"] if decays else 0.0,
    }
    for decays in (True, False)
]
optimizer = torch.optim.AdamW(
    groups, lr=problem["learningRate"], betas=(options["beta1"], options["beta2"]), eps=options["epsilon"], foreach=True
)
seen = []


def step():
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(device, dtype=torch.bfloat16, enabled=dtype == "bf16"):
        language, diffusion = losses()
    (language + problem["lambda"] * diffusion).backward()
    norm = torch.nn.utils.clip_grad_norm_(list(weights.values()), problem["maxGradientNorm"])
    optimizer.step()
    if len(seen) < problem["checkedNumbers"]:
        seen.extend((language.item(), diffusion.item(), norm.item()))


def seconds_of(count):
    begun = time.perf_counter()
    for _ in range(count):
        step()
    if cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - begun


def choose_threads():
    """The number of threads that is fastest here."""
    cores = os.cpu_count() or 1
    timed = {}
    for threads in sorted({1, max(1, cores // 2), cores}):
        torch.set_num_threads(threads)
        step()
        timed[threads] = seconds_of(2)
    torch.set_num_threads(min(timed, key=timed.get))


step()
step()
if not cuda:
    choose_threads()
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    if "check" in request:
        answer = {"numbers": seen}
    elif "memory" in request:
        answer = {"bytes": torch.cuda.max_memory_reserved()} if cuda else {}
    else:
        answer = {"seconds": seconds_of(request["run"])}
    print(json.dumps(answer), flush=True)
