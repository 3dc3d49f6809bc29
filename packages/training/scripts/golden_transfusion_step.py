"""Golden values of the whole training step of @transfusion/training.

    python3 packages/training/scripts/golden_transfusion_step.py [VARIANT]

Needs PyTorch (made with 1.13 on a CPU), and nothing else. Written from "Transfusion: Predict the Next Token and Diffuse
Images with One Multi-Modal Model" (arXiv 2408.11039) and from what the READMEs and declarations of the packages promise:
the names of parameters, the arrays of a packed batch. Nothing is shared with the TypeScript; clipping and AdamW are PyTorch's
own.

Weights, latents and noise are random; they and the noise coefficients are rounded to f32, everything is computed in f64.
`fixtures/transfusion-step.json` has the configurations, the documents and the settings of the optimizer,
`fixtures/transfusion-step.safetensors` the numbers; those of a VARIANT of the model are in `transfusion-step-VARIANT`:

    documents.D.parts.P   latents of an image of a document, [height, width, channels]
    batch.*               the packed batch, as `batchInputs` of @transfusion/training declares it, without the noise
    noise.G               noise of group G at each of the steps, [steps, images, height, width, channels]
    CASE/weights.*        before the first step; the moving average starts there too, the moments at zero
    CASE/logits           [rows, positions, vocabulary], with the first step's noise; padding included
    CASE/gradient.*       of the first step, before clipping
    CASE/numbers          of each step: language, diffusion and total loss, norm of the gradient
    CASE/after.*          parameters, m, v and ema after the last step
"""

import json
import math
import pathlib
import struct
import sys

import torch
from torch import nn

from golden_batch import (
    CHANNELS,
    DOCUMENTS,
    F64,
    PAPER,
    PATCH,
    SPECIAL,
    batch_arrays,
    fill_rows,
    give_slots,
    sizes,
)
from reference_transfusion import Transfusion, losses_of

FIXTURES = pathlib.Path(__file__).parent.parent / "fixtures"

MODEL = {
    **{"vocabularySize": 16, "layers": 2, "channels": 16, "heads": 4, "kvHeads": 2, "feedForward": 12},
    **{"patchSize": PATCH, "patchValues": PATCH * PATCH * CHANNELS, "maxPositions": 28, "timestepDimensions": 8},
    # So large that it matters.
    **{"ropeTheta": 100, "normEpsilon": 0.05, "qkNorm": False, "initializerStd": 0.1},
    **{"patcher": {"kind": "linear", "bottleneck": None}},
}

LAMBDA = 5
STEPS = 10
OPTIMIZER = {"beta1": 0.9, "beta2": 0.95, "epsilon": 1e-8, "weightDecay": 0.1, "maxGradientNorm": 1}
LEARNING_RATE = {"type": "cosine", "learningRate": 0.02, "finalLearningRate": 0.002, "warmupSteps": 3, "totalSteps": 12}
EMA = {"decay": 0.5, "warmup": True}

UNET = {
    **{"kind": "unet", "channels": [4, 6], "layersPerBlock": 2, "attention": [1]},
    **{"headDim": 2, "norm": "group", "groups": 2},
}


def two(**changes):
    """A model with other choices, and one with them and QK-norm."""
    return {
        "plain": {"model": {**MODEL, **changes}, "optimizer": OPTIMIZER},
        "qkNorm": {
            "model": {**MODEL, "heads": 2, "kvHeads": 1, "qkNorm": True, **changes},
            "optimizer": {**OPTIMIZER, "epsilon": 1e-3, "maxGradientNorm": 8},
        },
    }


# By variant of the model, "" being the paper's.
VARIANTS = {
    "": {
        "plain": {"model": MODEL, "optimizer": OPTIMIZER},
        # Here some steps are clipped and some are not, and AdamW's epsilon is so large that it matters.
        "qkNorm": {
            "model": {**MODEL, "heads": 2, "kvHeads": 1, "qkNorm": True},
            "optimizer": {**OPTIMIZER, "epsilon": 1e-3, "maxGradientNorm": 8},
        },
    },
    "unet": {
        "group": {"model": {**MODEL, "layers": 1, "patcher": UNET}, "optimizer": OPTIMIZER},
        "layer": {
            "model": {
                **{**MODEL, "layers": 1},
                "patcher": {**UNET, "channels": [6, 8], "layersPerBlock": 1, "attention": [0, 1], "norm": "layer"},
            },
            "optimizer": {**OPTIMIZER, "epsilon": 1e-3, "maxGradientNorm": 8},
        },
    },
    "modalities": two(feedForwards="per-modality", imagePositions="2d"),
    "clean": two(imageAttention="causal"),
}

# How the variants' images stand in their rows.
LAYOUTS = {
    "modalities": {**PAPER, "positions": "2d"},
    "clean": {**PAPER, "attention": "causal", "context": "clean", "sizes": sizes(40, 6, 5)},
}


def randomise(model, generator):
    """Nothing at zero, no gain at one; every value representable in f32."""
    with torch.no_grad():
        for name, each in model.named_parameters():
            value = torch.randn(each.shape, generator=generator, dtype=F64)
            vector = each.dim() == 1
            gain = vector and (name.lower().endswith("norm") or name.endswith(".weight"))
            # Matrices are [outputs, inputs], filters [height, width, inputs, outputs].
            inputs = each.shape[1] if each.dim() == 2 else math.prod(each.shape[:-1])
            value = 1 + 0.3 * value if gain else 0.3 * value if vector else value / inputs**0.5
            each.copy_(value.float())


def learning_rate(step):
    """Up in a straight line, down half a cosine. `step` from 1."""
    peak, end, warmup, total = (LEARNING_RATE[name] for name in ["learningRate", "finalLearningRate", "warmupSteps", "totalSteps"])
    if step <= warmup:
        return peak * step / warmup
    return end + (peak - end) * (1 + math.cos(math.pi * (step - warmup) / (total - warmup))) / 2


def train(case, rows, images, noise, generator):
    model, settings = Transfusion(case["model"]), case["optimizer"]
    randomise(model, generator)
    named = dict(model.named_parameters())
    found = {f"weights.{name}": each.detach().clone() for name, each in named.items()}
    average = {name: each.detach().clone() for name, each in named.items()}
    matrices = [each for each in named.values() if each.dim() > 1]
    vectors = [each for each in named.values() if each.dim() == 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": settings["weightDecay"]}, {"params": vectors, "weight_decay": 0.0}],
        betas=(settings["beta1"], settings["beta2"]),
        eps=settings["epsilon"],
    )
    numbers = []
    for step in range(1, STEPS + 1):
        optimizer.zero_grad()
        logits, language, diffusion, total = losses_of(model, rows, images, [group[step - 1] for group in noise], LAMBDA)
        total.backward()
        if step == 1:
            found["logits"] = logits.detach()
            found.update({f"gradient.{name}": each.grad.clone() for name, each in named.items()})
        norm = nn.utils.clip_grad_norm_(named.values(), settings["maxGradientNorm"])
        numbers.append([language.item(), diffusion.item(), total.item(), norm.item()])
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step)
        optimizer.step()
        decay = min(EMA["decay"], (1 + step) / (10 + step)) if EMA["warmup"] else EMA["decay"]
        for name, each in named.items():
            average[name] = decay * average[name] + (1 - decay) * each.detach()
    found["numbers"] = torch.tensor(numbers, dtype=F64)
    for name, each in named.items():
        found[f"after.parameters.{name}"] = each.detach()
        found[f"after.m.{name}"] = optimizer.state[each]["exp_avg"]
        found[f"after.v.{name}"] = optimizer.state[each]["exp_avg_sq"]
        found[f"after.ema.{name}"] = average[name]
    return found


def write_safetensors(path, tensors):
    header, blobs, at = {}, [], 0
    for name in sorted(tensors):
        tensor = tensors[name]
        if tensor.dtype == F64:
            tensor = tensor.float()
        blob = tensor.contiguous().numpy().tobytes()
        dtype = {torch.float32: "F32", torch.int32: "I32"}[tensor.dtype]
        header[name] = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def main(variant=""):
    cases = VARIANTS[variant]
    name = f"transfusion-step-{variant}" if variant else "transfusion-step"
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(20)
    layout = LAYOUTS.get(variant, PAPER)
    description = {
        **{"cases": cases, "batch": layout["sizes"], "special": SPECIAL, "lambda": LAMBDA, "steps": STEPS, "documents": DOCUMENTS},
        **{"learningRate": LEARNING_RATE, "ema": EMA},
        **({} if layout["context"] == "noised" else {"imageContext": layout["context"]}),
    }
    (FIXTURES / f"{name}.json").write_text(json.dumps(description, indent=2) + "\n")

    def normal(*shape):
        return torch.randn(shape, generator=generator, dtype=F64).float().double()

    tensors = {}
    for d, each in enumerate(DOCUMENTS):
        for p, part in enumerate(each["parts"]):
            if part["kind"] == "image":
                part["latents"] = tensors[f"documents.{d}.parts.{p}"] = normal(part["height"], part["width"], CHANNELS)
    rows, images = fill_rows(DOCUMENTS, layout)
    grids = layout["sizes"]["grids"]
    give_slots(images, grids)
    # Unused slots and images to look at have noise too: it must not matter.
    noise = [normal(STEPS, grid["slots"], grid["height"], grid["width"], CHANNELS) for grid in grids]
    tensors.update(batch_arrays(rows, images, layout))
    tensors.update({f"noise.{i}": each for i, each in enumerate(noise)})
    for label, case in cases.items():
        found = train(case, rows, images, noise, generator)
        tensors.update({f"{label}/{path}": value for path, value in found.items()})
        print(f"{label}: language, diffusion, total, norm of each step")
        for numbers in found["numbers"].tolist():
            print("  " + " ".join(f"{value:9.5f}" for value in numbers))
    path = FIXTURES / f"{name}.safetensors"
    write_safetensors(path, tensors)
    print(f"{path.stat().st_size} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
