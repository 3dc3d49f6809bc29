"""Golden values of a step of the paper's rival, Chameleon: images as tokens, one cross-entropy.

    python3 packages/training/scripts/golden_chameleon_step.py

Needs PyTorch (made with 1.13 on a CPU), and nothing else. Written from "Chameleon: Mixed-Modal Early-Fusion Foundation Models"
(arXiv 2405.09818, section 2.3: QK-norm, the norms' place, z-loss), from sections 4.1 and 4.2 of Transfusion's paper, and from what
the READMEs and declarations of the packages promise: the names of parameters, the arrays of a packed batch. Attention and the
feed-forward are those of reference_transfusion.py, nothing is shared with the TypeScript.

Weights are random and rounded to f32, everything is computed in f64. `fixtures/chameleon-step.json` has the configurations and the
documents, with the codes of their images; `fixtures/chameleon-step.safetensors` the numbers:

    batch.*               tokens, positions, begin, end, targets [rows, positions]; targetCount, imageCount
    CASE/weights.*
    CASE/logits           [rows, positions, vocabulary], padding included
    CASE/gradient.*       of the total
    CASE/numbers          mean cross-entropy of text, of images, mean of log^2 Z, total
"""

import json
import pathlib

import torch
from torch import nn
from torch.nn import functional as F

from golden_batch import F64
from golden_transfusion_step import randomise, write_safetensors
from reference_transfusion import Attention, FeedForward, Norm, parameter

FIXTURES = pathlib.Path(__file__).parent.parent / "fixtures"

SPECIAL = {"bos": 11, "eos": 12, "boi": 13, "eoi": 14, "pad": 15}
# Ids of text, control tokens among them, and after them the codes.
TEXT, CODES = 16, 7
BATCH = {"rows": 2, "sequenceLength": 24}

MODEL = {
    **{"vocabularySize": TEXT + CODES, "layers": 2, "channels": 16, "heads": 4, "kvHeads": 2, "feedForward": 12},
    **{"images": "tokens", "patchSize": 1, "patchValues": 1, "maxPositions": 24, "timestepDimensions": 8},
    # So large that it matters.
    **{"ropeTheta": 100, "normEpsilon": 0.05, "initializerStd": 0.1},
}

CASES = {
    # All that Chameleon does for stability. The weight of log^2 Z is so large that it matters.
    "chameleon": {"model": {**MODEL, "norm": "post", "qkNorm": True}, "zLoss": 0.05},
    # The paper's own block.
    "llama": {"model": {**MODEL, "norm": "pre", "qkNorm": False}, "zLoss": 0},
}


def text(*ids, loss=True):
    return {"kind": "text", "ids": list(ids), "loss": loss}


def image(height, width, *codes, role="target"):
    return {"kind": "image", "height": height, "width": width, "codes": list(codes), "role": role}


def document(*parts):
    return {"parts": [text(SPECIAL["bos"]), *parts, text(SPECIAL["eos"])]}


DOCUMENTS = [
    # Caption first.
    document(text(5, 6, 9), image(2, 3, 0, 6, 3, 3, 1, 5)),
    # An edit: what is asked for, without a loss; the picture to look at; the picture to make, of another size.
    document(text(4, 7, loss=False), image(2, 2, 2, 4, 4, 0, role="context"), text(1), image(1, 2, 6, 2)),
    # Image first; finds room in the first row again.
    document(image(1, 3, 1, 0, 5), text(2, 10)),
    # Text alone.
    document(text(3, 8)),
]


def sequence_of(parts):
    """Ids, and whether each is learned: an image is BOI, its codes, EOI. BOI is always learned, the rest as the image's role says."""
    sequence = []
    for part in parts:
        if part["kind"] == "text":
            sequence += [(token, part["loss"]) for token in part["ids"]]
            continue
        is_learned = part["role"] == "target"
        inner = [TEXT + code for code in part["codes"]] + [SPECIAL["eoi"]]
        sequence += [(SPECIAL["boi"], True)] + [(token, is_learned) for token in inner]
    return sequence


def fill_rows():
    """Each document into the first row with room for it. Of a position: its document, number in it, id, and whether it is learned."""
    rows = [[] for _ in range(BATCH["rows"])]
    for index, each in enumerate(DOCUMENTS):
        sequence = sequence_of(each["parts"])
        row = next(row for row in rows if len(row) + len(sequence) <= BATCH["sequenceLength"])
        row.extend((index, number, token, learned) for number, (token, learned) in enumerate(sequence))
    for row in rows:
        while len(row) < BATCH["sequenceLength"]:
            row.append((("padding", len(row)), 0, SPECIAL["pad"], False))
    return rows


def targets_of(row):
    """One loss over all tokens: every position predicts what follows it in its document, BOI and codes too."""
    following = row[1:] + [(None, 0, 0, False)]
    return [after[2] if after[0] == here[0] and after[3] else -1 for here, after in zip(row, following)]


def mask_of(row):
    """Causal everywhere, within a document."""
    return torch.tensor([[key[0] == query[0] and key[1] <= query[1] for key in row] for query in row])


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.is_post = config["norm"] == "post"
        self.attentionNorm, self.feedForwardNorm = parameter(config["channels"]), parameter(config["channels"])
        self.attention, self.feedForward = Attention(config), FeedForward(config)
        self.rms = Norm(config["normEpsilon"])

    def forward(self, x, numbers, mask):
        if self.is_post:
            h = x + self.rms(self.attentionNorm, self.attention(x, numbers, mask))
            return h + self.rms(self.feedForwardNorm, self.feedForward(h))
        h = x + self.attention(self.rms(self.attentionNorm, x), numbers, mask)
        return h + self.feedForward(self.rms(self.feedForwardNorm, h))


class Chameleon(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.tokenEmbedding = parameter(config["vocabularySize"], config["channels"])
        self.blocks = nn.ModuleList([Block(config) for _ in range(config["layers"])])
        self.norm = parameter(config["channels"])
        self.languageHead = parameter(config["vocabularySize"], config["channels"])
        self.rms = Norm(config["normEpsilon"])

    def forward(self, row):
        x = torch.stack([self.tokenEmbedding[token] for _, _, token, _ in row])
        numbers = torch.tensor([number for _, number, _, _ in row], dtype=F64)
        for block in self.blocks:
            x = block(x, numbers, mask_of(row))
        return self.rms(self.norm, x) @ self.languageHead.T


def step(case, rows, generator):
    model = Chameleon(case["model"])
    randomise(model, generator)
    named = dict(model.named_parameters())
    logits = torch.stack([model(row) for row in rows])
    targets = torch.tensor([targets_of(row) for row in rows])
    is_learned = targets >= 0
    each = F.cross_entropy(logits[is_learned], targets[is_learned], reduction="none")
    of_images = (targets[is_learned] >= TEXT) | (targets[is_learned] == SPECIAL["eoi"])
    z = (torch.logsumexp(logits[is_learned], -1) ** 2).mean()
    total = each.mean() + case["zLoss"] * z
    total.backward()
    return {
        **{f"weights.{name}": value.detach() for name, value in named.items()},
        **{f"gradient.{name}": value.grad for name, value in named.items()},
        "logits": logits.detach(),
        "numbers": torch.stack([each[~of_images].mean(), each[of_images].mean(), z, total]).detach(),
    }


def batch_arrays(rows):
    shape = (len(rows), BATCH["sequenceLength"])
    arrays = {name: torch.zeros(shape, dtype=torch.int32) for name in ["tokens", "positions", "begin", "end", "targets"]}
    for r, row in enumerate(rows):
        arrays["targets"][r] = torch.tensor(targets_of(row))
        for t, (_, number, token, _) in enumerate(row):
            seen = mask_of(row)[t].nonzero().flatten().tolist()
            assert seen == list(range(seen[0], t + 1))
            arrays["begin"][r, t], arrays["end"][r, t] = seen[0], t + 1
            arrays["tokens"][r, t], arrays["positions"][r, t] = token, number
    targets = arrays["targets"]
    counts = {
        "targetCount": (targets >= 0).sum().reshape(1).to(F64),
        "imageCount": ((targets >= TEXT) | (targets == SPECIAL["eoi"])).sum().reshape(1).to(F64),
    }
    return {f"batch.{name}": value for name, value in {**arrays, **counts}.items()}


def main():
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(21)
    description = {
        **{"cases": CASES, "batch": BATCH, "special": SPECIAL, "codes": {"first": TEXT, "count": CODES}},
        "documents": DOCUMENTS,
    }
    (FIXTURES / "chameleon-step.json").write_text(json.dumps(description, indent=2) + "\n")
    rows = fill_rows()
    tensors = batch_arrays(rows)
    for name, case in CASES.items():
        found = step(case, rows, generator)
        tensors.update({f"{name}/{path}": value for path, value in found.items()})
        print(f"{name}: text, images, log^2 Z, total: " + " ".join(f"{value:.5f}" for value in found["numbers"].tolist()))
    path = FIXTURES / "chameleon-step.safetensors"
    write_safetensors(path, tensors)
    print(f"{path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
