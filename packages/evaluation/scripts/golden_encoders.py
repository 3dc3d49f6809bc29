"""Golden values of a step of both networks that judge pictures: a dual encoder (CLIP) and a classifier.

    python3 packages/evaluation/scripts/golden_encoders.py

Needs PyTorch (made with 1.13 on a CPU), and nothing else. Written from "Learning Transferable Visual Models From Natural Language
Supervision" (arXiv 2103.00020, Figure 3), from "An Image is Worth 16x16 Words" (arXiv 2010.11929) and from Llama's block, with what
the declarations of the package promise: the names of parameters, the arrays of a batch. Nothing is shared with the TypeScript.

Weights are random and rounded to f32, everything is computed in f64. `fixtures/encoders.json` has the configurations and the texts'
ids; `fixtures/encoders.safetensors` the numbers:

    images                [batch, side, side, 3]
    alsoTrue, labels      [batch, batch], [batch]
    dual/weights.*, classifier/weights.*
    dual/images, dual/texts       embeddings [batch, embedding]
    classifier/features, classifier/logits
    CASE/gradient.*, CASE/loss
"""

import json
import math
import pathlib
import struct

import torch
from torch import nn
from torch.nn import functional as F

FIXTURES = pathlib.Path(__file__).parent.parent / "fixtures"
F64 = torch.float64
EPSILON = 1e-5

VISION = {"imageSize": 8, "patchSize": 4, "channels": 12, "layers": 2, "heads": 3, "feedForward": 10}
TEXT = {"vocabularySize": 11, "maxTokens": 6, "channels": 8, "layers": 1, "heads": 2, "feedForward": 6}
CONFIGS = {
    "dual": {"model_type": "dual-encoder", "image": VISION, "text": TEXT, "embedding": 7},
    "classifier": {"model_type": "image-classifier", "image": {"imageSize": 8, "channels": [8, 16, 8]}, "classes": ["bag", "coat", "shirt"]},
}
# The end token is the last; the second and the fourth text are one.
TEXTS = [[3, 1, 10], [4, 10], [2, 5, 6, 7, 8, 10], [4, 10]]
BATCH = len(TEXTS)


def parameter(*shape):
    return nn.Parameter(torch.empty(shape, dtype=F64))


def rms(gain, x):
    return gain * x / torch.sqrt((x * x).mean(-1, keepdim=True) + EPSILON)


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        width = config["channels"]
        self.heads = config["heads"]
        self.query, self.key, self.value, self.output = (parameter(width, width) for _ in range(4))

    def forward(self, x):
        """x [positions, channels]: everything sees everything."""
        split = lambda weight: (x @ weight.T).reshape(len(x), self.heads, -1).transpose(0, 1)
        q, k, v = split(self.query), split(self.key), split(self.value)
        weights = (q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])).softmax(-1)
        return (weights @ v).transpose(0, 1).reshape(len(x), -1) @ self.output.T


class FeedForward(nn.Module):
    def __init__(self, config):
        super().__init__()
        width, hidden = config["channels"], config["feedForward"]
        self.gate, self.up, self.down = parameter(hidden, width), parameter(hidden, width), parameter(width, hidden)

    def forward(self, x):
        return (F.silu(x @ self.gate.T) * (x @ self.up.T)) @ self.down.T


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.attentionNorm, self.feedForwardNorm = parameter(config["channels"]), parameter(config["channels"])
        self.attention, self.feedForward = Attention(config), FeedForward(config)

    def forward(self, x):
        x = x + self.attention(rms(self.attentionNorm, x))
        return x + self.feedForward(rms(self.feedForwardNorm, x))


class Tower(nn.Module):
    def __init__(self, config, positions):
        super().__init__()
        self.positions = parameter(positions, config["channels"])
        self.blocks = nn.ModuleList([Block(config) for _ in range(config["layers"])])
        self.norm = parameter(config["channels"])

    def transform(self, x):
        x = x + self.positions[: len(x)]
        for block in self.blocks:
            x = block(x)
        return rms(self.norm, x)


class Vision(Tower):
    def __init__(self, config):
        super().__init__(config, (config["imageSize"] // config["patchSize"]) ** 2)
        self.config = config
        self.patchIn = nn.Linear(3 * config["patchSize"] ** 2, config["channels"], dtype=F64)

    def forward(self, picture):
        """[side, side, 3] -> the mean over patches, which stand row by row."""
        side, patch = self.config["imageSize"], self.config["patchSize"]
        steps = range(0, side, patch)
        patches = torch.stack([picture[y : y + patch, x : x + patch].flatten() for y in steps for x in steps])
        return self.transform(self.patchIn(patches)).mean(0)


class Text(Tower):
    def __init__(self, config):
        super().__init__(config, config["maxTokens"])
        self.tokenEmbedding = parameter(config["vocabularySize"], config["channels"])

    def forward(self, ids):
        """The vector of the last token. A text is alone: no padding."""
        return self.transform(self.tokenEmbedding[torch.tensor(ids)])[-1]


class DualEncoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.image, self.text = Vision(config["image"]), Text(config["text"])
        self.imageProjection = parameter(config["embedding"], config["image"]["channels"])
        self.textProjection = parameter(config["embedding"], config["text"]["channels"])
        self.logScale = parameter(1)

    def forward(self, pictures, texts):
        images = torch.stack([F.normalize(self.imageProjection @ self.image(each), dim=0) for each in pictures])
        captions = torch.stack([F.normalize(self.textProjection @ self.text(each), dim=0) for each in texts])
        return images, captions


class Filter(nn.Module):
    """3 x 3, stored [height, width, inputs, outputs]."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight, self.bias = parameter(3, 3, inputs, outputs), parameter(outputs)


class Level(nn.Module):
    def __init__(self, inputs, outputs, is_first):
        super().__init__()
        self.is_first = is_first
        if not is_first:
            self.norm = nn.GroupNorm(inputs // 8, inputs, dtype=F64)
        self.convolution = Filter(inputs, outputs)

    def forward(self, x):
        x = x if self.is_first else F.silu(self.norm(x))
        filters = self.convolution.weight.permute(3, 2, 0, 1)
        return F.conv2d(x, filters, self.convolution.bias, stride=1 if self.is_first else 2, padding=1)


class Convolutional(nn.Module):
    def __init__(self, channels):
        super().__init__()
        inputs = [3, *channels]
        self.levels = nn.ModuleList([Level(inputs[i], outputs, i == 0) for i, outputs in enumerate(channels)])

    def forward(self, picture):
        x = picture.permute(2, 0, 1)[None]
        for level in self.levels:
            x = level(x)
        return F.silu(x[0]).mean((1, 2))


class Classifier(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.image = Convolutional(config["image"]["channels"])
        self.head = nn.Linear(config["image"]["channels"][-1], len(config["classes"]), dtype=F64)

    def forward(self, pictures):
        features = torch.stack([self.image(each) for each in pictures])
        return features, self.head(features)


def contrastive(images, texts, log_scale, also_true):
    """Pair by pair: of each row, and of each column, those that are neither the own pair nor also true are what is wrong."""
    scale = torch.clamp(log_scale, max=math.log(100)).exp()
    total = 0
    for i in range(len(images)):
        others = [j for j in range(len(texts)) if j == i or not also_true[i, j]]
        row = torch.cat([scale * (images[i] @ texts[j]).reshape(1) for j in others])
        total = total + torch.logsumexp(row, 0) - scale * (images[i] @ texts[i])
        others = [j for j in range(len(images)) if j == i or not also_true[j, i]]
        column = torch.cat([scale * (images[j] @ texts[i]).reshape(1) for j in others])
        total = total + torch.logsumexp(column, 0) - scale * (images[i] @ texts[i])
    return total.sum() / (2 * len(images))


def randomise(model, generator):
    """Nothing at zero, no gain at one; every value representable in f32."""
    with torch.no_grad():
        for name, each in model.named_parameters():
            value = torch.randn(each.shape, generator=generator, dtype=F64)
            is_gain = each.dim() == 1 and name.lower().endswith(("norm", "norm.weight"))
            # Matrices are [outputs, inputs], filters [height, width, inputs, outputs].
            inputs = each.shape[1] if each.dim() == 2 else math.prod(each.shape[:-1])
            value = 1 + 0.3 * value if is_gain else 0.3 * value if each.dim() == 1 else value / inputs**0.5
            each.copy_((value + 1.5 if name == "logScale" else value).float())


def write_safetensors(path, tensors):
    header, blobs, at = {}, [], 0
    for name in sorted(tensors):
        tensor = tensors[name].detach().float()
        blob = tensor.contiguous().numpy().tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def values_of(model, loss):
    loss.backward()
    named = dict(model.named_parameters())
    return {
        **{f"weights.{name}": each for name, each in named.items()},
        **{f"gradient.{name}": each.grad for name, each in named.items()},
        "loss": loss.reshape(1),
    }


def main():
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(22)
    side = VISION["imageSize"]
    pictures = (2 * torch.rand(BATCH, side, side, 3, generator=generator, dtype=F64) - 1).float().double()
    also_true = torch.tensor([[i != j and TEXTS[i] == TEXTS[j] for j in range(BATCH)] for i in range(BATCH)])
    labels = torch.tensor([2, 0, 0, 1])
    dual, classifier = DualEncoder(CONFIGS["dual"]), Classifier(CONFIGS["classifier"])
    randomise(dual, generator)
    randomise(classifier, generator)
    images, texts = dual(pictures, TEXTS)
    features, logits = classifier(pictures)
    found = {
        "dual": {
            **values_of(dual, contrastive(images, texts, dual.logScale, also_true)),
            **{"images": images, "texts": texts},
        },
        "classifier": {
            **values_of(classifier, F.cross_entropy(logits, labels)),
            **{"features": features, "logits": logits},
        },
    }
    tensors = {"images": pictures, "alsoTrue": also_true, "labels": labels}
    for case, values in found.items():
        tensors.update({f"{case}/{name}": value for name, value in values.items()})
        print(f"{case}: loss {values['loss'].item():.6f}")
    FIXTURES.mkdir(exist_ok=True)
    (FIXTURES / "encoders.json").write_text(json.dumps({"configs": CONFIGS, "texts": TEXTS}, indent=2) + "\n")
    path = FIXTURES / "encoders.safetensors"
    write_safetensors(path, tensors)
    print(f"{path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
