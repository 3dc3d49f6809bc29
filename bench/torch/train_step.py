"""The bench's training step in PyTorch; the problem is written by bench/src/rows/train-step/torch.ts. See rival.py."""
import torch
import torch.nn.functional as F

from rival import answer_training, autocast, cuda, load, problem

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


def step():
    optimizer.zero_grad(set_to_none=True)
    with autocast():
        language, diffusion = losses()
    (language + problem["lambda"] * diffusion).backward()
    norm = torch.nn.utils.clip_grad_norm_(list(weights.values()), problem["maxGradientNorm"])
    optimizer.step()
    return lambda: [language.item(), diffusion.item(), norm.item()]


answer_training(step)
