"""The documents of golden_transfusion_step.py, and the batch that is packed of them.

Who sees whom is a matrix here, made of which document and image each position belongs to; the runs of keys that a packed
batch has are read off it.
"""

import math

import torch

F64 = torch.float64

SPECIAL = {"bos": 11, "eos": 12, "boi": 13, "eoi": 14, "pad": 15}
CHANNELS = 3  # of the latents
PATCH = 2
SIZES = {"rows": 2, "sequenceLength": 28, "grids": [{"height": 4, "width": 4, "slots": 4}, {"height": 4, "width": 2, "slots": 3}]}


def text(*ids, loss=True):
    return {"kind": "text", "ids": list(ids), "loss": loss}


def image(height, width, role="target", timestep=0):
    return {"kind": "image", "height": height, "width": width, "role": role, "timestep": timestep}


def document(*parts):
    return {"parts": [text(SPECIAL["bos"]), *parts, text(SPECIAL["eos"])]}


DOCUMENTS = [
    # An edit: what is asked for, without a loss; what the picture is of; the picture to look at; the picture to make.
    document(text(4, 7, loss=False), image(4, 4, "context"), text(1, 9), image(4, 2, timestep=640)),
    # A BOI that no image follows.
    document(text(3, SPECIAL["boi"], 8)),
    # Image first.
    document(image(4, 4, timestep=321), text(2, 2, 10)),
    # Caption first, of two images of two sizes that follow each other.
    document(text(5, 6), image(4, 2, timestep=87), image(4, 4, timestep=999)),
    # Finds room in the first row again; its first half is only read.
    document(text(7, 1, loss=False), text(8)),
]


def rounded(value):
    """To f32."""
    return torch.tensor(value, dtype=torch.float32).item()


class Position:
    """One position of a row: a token, or a patch of an image (a dict with its place in the batch)."""

    def __init__(self, document, number, token=None, image=None, patch=None, loss=True):
        self.document, self.number, self.token, self.image, self.patch, self.loss = document, number, token, image, patch, loss


def positions_of(index, parts):
    """The sequence of a document: an image is BOI, its patches from left to right and top to bottom, EOI."""
    sequence = []

    def add(**what):
        sequence.append(Position(index, len(sequence), **what))

    for part in parts:
        if part["kind"] == "text":
            for token in part["ids"]:
                add(token=token, loss=part["loss"])
            continue
        add(token=SPECIAL["boi"])
        for patch in range(part["height"] * part["width"] // PATCH**2):
            add(image=part, patch=patch)
        add(token=SPECIAL["eoi"])
    return sequence


def fill_rows(documents):
    """Each document into the first row with room for it; a row's rest is padding, each a document of its own."""
    rows = [[] for _ in range(SIZES["rows"])]
    for index, each in enumerate(documents):
        sequence = positions_of(index, each["parts"])
        next(row for row in rows if len(row) + len(sequence) <= SIZES["sequenceLength"]).extend(sequence)
    for row in rows:
        while len(row) < SIZES["sequenceLength"]:
            row.append(Position(("padding", len(row)), 0, token=SPECIAL["pad"]))
    return rows


def sees(query, key):
    """Causal within a document, and both ways among the patches of one image (section 3.3)."""
    if query.document != key.document:
        return False
    return key.number <= query.number or (query.image is not None and query.image is key.image)


def target_of(row, t):
    """The next token, where there is a language loss: none where the input is BOI or a patch."""
    here, after = row[t], row[t + 1] if t + 1 < len(row) else None
    if after is None or after.document != here.document or after.token is None or not after.loss:
        return -1
    return -1 if here.token in (None, SPECIAL["boi"]) else after.token


def signal_and_noise(timesteps=1000, s=0.008):
    """sqrt(abar) and sqrt(1 - abar) of the cosine schedule (Nichol and Dhariwal 2021), by index: 0 is the paper's t = 1."""

    def f(u):
        return math.cos((u + s) / (1 + s) * math.pi / 2) ** 2

    table, abar = [], 1.0
    for i in range(timesteps):
        abar *= 1 - min(1 - f((i + 1) / timesteps) / f(i / timesteps), 0.999)
        table.append((math.sqrt(abar), math.sqrt(1 - abar)))
    return table


def images_in_order(documents):
    return [part for each in documents for part in each["parts"] if part["kind"] == "image"]


def give_slots(documents):
    """Images of one size are a group; each takes the next slot of its group."""
    schedule = signal_and_noise()
    used = [0 for _ in SIZES["grids"]]
    for part in images_in_order(documents):
        group = next(i for i, grid in enumerate(SIZES["grids"]) if grid["height"] == part["height"] and grid["width"] == part["width"])
        part["group"], part["slot"] = group, used[group]
        used[group] += 1
        signal, noise = (rounded(value) for value in schedule[part["timestep"]])
        # Signal, noise, and what of both is to be predicted: the noise. An image to look at is clean, and predicted it is not.
        part["coefficients"] = (1, 0, 0, 0) if part["role"] == "context" else (signal, noise, 0, 1)


def batch_arrays(rows, images):
    """The layout of a packed batch."""
    length = SIZES["sequenceLength"]
    ints = {name: torch.zeros(len(rows), length, dtype=torch.int32) for name in ["tokens", "positions", "begin", "end", "targets"]}
    groups = []
    for grid in SIZES["grids"]:
        patches = grid["height"] * grid["width"] // PATCH**2
        clean_start = torch.tensor([*signal_and_noise()[0], 0, 1], dtype=F64)
        groups.append(
            {
                "latents": torch.zeros(grid["slots"], grid["height"], grid["width"], CHANNELS, dtype=F64),
                "patchIndex": torch.full((len(rows), length), -1, dtype=torch.int32),
                "patchPositions": torch.full((grid["slots"], patches), -1, dtype=torch.int32),
                "mask": torch.zeros(grid["slots"], dtype=F64),
                "timesteps": torch.zeros(grid["slots"], dtype=F64),
                "noiseCoefficients": clean_start.repeat(grid["slots"], 1),
            }
        )
    for part in images:
        group, slot = groups[part["group"]], part["slot"]
        group["latents"][slot] = part["latents"]
        group["mask"][slot] = 1 if part["role"] == "target" else 0
        group["timesteps"][slot] = part["timestep"]
        group["noiseCoefficients"][slot] = torch.tensor(part["coefficients"], dtype=F64)
    for r, row in enumerate(rows):
        for t, position in enumerate(row):
            seen = [k for k, key in enumerate(row) if sees(position, key)]
            assert seen == list(range(seen[0], seen[-1] + 1))
            ints["begin"][r, t], ints["end"][r, t] = seen[0], seen[-1] + 1
            ints["tokens"][r, t] = -1 if position.token is None else position.token
            ints["positions"][r, t] = position.number
            ints["targets"][r, t] = target_of(row, t)
            if position.image is not None:
                group, slot = groups[position.image["group"]], position.image["slot"]
                group["patchIndex"][r, t] = slot * group["patchPositions"].shape[1] + position.patch
                group["patchPositions"][slot, position.patch] = r * length + t
    counts = {
        "targetCount": (ints["targets"] >= 0).sum().reshape(1).to(F64),
        "imageCount": torch.tensor([sum(part["role"] == "target" for part in images)], dtype=F64),
    }
    named = {f"groups.{i}.{name}": value for i, group in enumerate(groups) for name, value in group.items()}
    return {f"batch.{name}": value for name, value in {**ints, **named, **counts}.items()}
