"""The documents of golden_transfusion_step.py, and the batch that is packed of them.

Who sees whom is a matrix here, made of which document and image each position belongs to; the runs of keys that a packed
batch has are read off it.

A layout is a dictionary: `attention` within images, bidirectional or causal; `positions` of patches, 1d or 2d; the `context`
that what follows an image to denoise sees of it, noised or clean; the `sizes` of the batch.
"""

import math

import torch

F64 = torch.float64

SPECIAL = {"bos": 11, "eos": 12, "boi": 13, "eoi": 14, "pad": 15}
CHANNELS = 3  # of the latents
PATCH = 2


def sizes(length, square, narrow):
    grids = [{"height": 4, "width": 4, "slots": square}, {"height": 4, "width": 2, "slots": narrow}]
    return {"rows": 2, "sequenceLength": length, "grids": grids}


PAPER = {"attention": "bidirectional", "positions": "1d", "context": "noised", "sizes": sizes(28, 4, 3)}


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
    """One position of a row: a token, or a patch of an image (a dict with its place in the batch).

    `number` is its place in the sequence of its document, `rotary` what it is rotated by: its row and its column. A patch that
    is `apart` stands before the document with the number of the clean patch that it is the noised one of.
    """

    def __init__(self, document, number, rotary, token=None, image=None, patch=None, loss=True, apart=False):
        self.document, self.number, self.rotary = document, number, rotary
        self.token, self.image, self.patch, self.loss, self.apart = token, image, patch, loss, apart


def positions_of(index, parts, layout, images):
    """The sequence of a document: an image is BOI, its patches from left to right and top to bottom, EOI. Adds to `images`.

    With clean context, images are clean in it. Each that is to be denoised needs its noised patches right before a sequence:
    those of the last stand before the whole one, those of each other before a copy of what precedes it, without losses.
    """
    targets = [i for i, part in enumerate(parts) if part["kind"] == "image" and part["role"] == "target"]
    if layout["context"] == "noised":
        return sequence_of((index, "all"), parts, None, layout, images)
    whole = sequence_of((index, "all"), parts, targets[-1] if targets else None, layout, images)
    return sum([sequence_of((index, i), parts[: i + 1], i, layout, images) for i in targets[:-1]], whole)


def sequence_of(name, parts, noised, layout, images):
    """A sequence, the noised patches of `parts[noised]` before it. A copy ends with the BOI of that image."""
    sequence, before, is_copy = [], [], name[1] != "all"
    number, rotary = 0, 0

    def add_patches(image, start, apart, to):
        images.append(image)
        columns = image["width"] // PATCH
        for patch in range(image["height"] * columns // PATCH):
            flat = layout["positions"] == "1d"
            turned = (rotary + patch, rotary + patch) if flat else (rotary + patch // columns, rotary + patch % columns)
            to.append(Position(name, start + patch, turned, image=image, patch=patch, apart=apart))

    def add(token, loss):
        nonlocal number, rotary
        sequence.append(Position(name, number, (rotary, rotary), token=token, loss=loss and not is_copy))
        number, rotary = number + 1, rotary + 1

    for i, part in enumerate(parts):
        if part["kind"] == "text":
            for token in part["ids"]:
                add(token, part["loss"])
            continue
        add(SPECIAL["boi"], True)
        if i == noised:
            add_patches(part, number, True, before)
            if is_copy:
                break
        shown = part if layout["context"] == "noised" else {**part, "role": "context", "timestep": 0}
        add_patches(shown, number, False, sequence)
        rows, columns = part["height"] // PATCH, part["width"] // PATCH
        number, rotary = number + rows * columns, rotary + (rows * columns if layout["positions"] == "1d" else max(rows, columns))
        add(SPECIAL["eoi"], True)
    # Backwards, so that what a causal patch sees is one run.
    return before[::-1] + sequence


def fill_rows(documents, layout):
    """Each document into the first row with room for it; a row's rest is padding, each a document of its own. Rows and images."""
    length, images = layout["sizes"]["sequenceLength"], []
    rows = [[] for _ in range(layout["sizes"]["rows"])]
    for index, each in enumerate(documents):
        sequence = positions_of(index, each["parts"], layout, images)
        next(row for row in rows if len(row) + len(sequence) <= length).extend(sequence)
    for row in rows:
        while len(row) < length:
            row.append(Position(("padding", len(row)), 0, (0, 0), token=SPECIAL["pad"]))
    return rows, images


def sees(query, key, attention="bidirectional"):
    """Causal within a document, and both ways among the patches of one image (section 3.3), unless these are causal too."""
    if query.document != key.document:
        return False
    if query.image is not None and query.image is key.image:
        return attention == "bidirectional" or key.patch <= query.patch
    if key.apart:
        return False
    # What is before the image, but not the clean image.
    return key.number < query.number - query.patch if query.apart else key.number <= query.number


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


def give_slots(images, grids):
    """Images of one size are a group; each takes the next slot of its group."""
    schedule = signal_and_noise()
    used = [0 for _ in grids]
    for part in images:
        group = next(i for i, grid in enumerate(grids) if grid["height"] == part["height"] and grid["width"] == part["width"])
        part["group"], part["slot"] = group, used[group]
        used[group] += 1
        signal, noise = (rounded(value) for value in schedule[part["timestep"]])
        # Signal, noise, and what of both is to be predicted: the noise. An image to look at is clean, and predicted it is not.
        part["coefficients"] = (1, 0, 0, 0) if part["role"] == "context" else (signal, noise, 0, 1)


def batch_arrays(rows, images, layout):
    """The layout of a packed batch."""
    length = layout["sizes"]["sequenceLength"]
    names = ["tokens", "positions", "begin", "end", "targets"] + (["columns"] if layout["positions"] == "2d" else [])
    ints = {name: torch.zeros(len(rows), length, dtype=torch.int32) for name in names}
    groups = []
    for grid in layout["sizes"]["grids"]:
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
            seen = [k for k, key in enumerate(row) if sees(position, key, layout["attention"])]
            assert seen == list(range(seen[0], seen[-1] + 1))
            ints["begin"][r, t], ints["end"][r, t] = seen[0], seen[-1] + 1
            ints["tokens"][r, t] = -1 if position.token is None else position.token
            ints["positions"][r, t] = position.rotary[0]
            if "columns" in ints:
                ints["columns"][r, t] = position.rotary[1]
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
