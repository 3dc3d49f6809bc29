"""The model of the paper and its losses, plainly: row by row, head by head, image by image.

Llama's block (RMSNorm, SwiGLU, rotary positions), linear layers or a U-Net between patches and positions. Parameters have the names
and shapes that @transfusion/transformer declares.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

from golden_batch import F64, PATCH, sees, target_of
from reference_unet import Unet


class Norm(nn.Module):
    """RMSNorm without parameters of its own, so that the gain has the name of the norm."""

    def __init__(self, epsilon):
        super().__init__()
        self.epsilon = epsilon

    def forward(self, gain, x):
        return gain * x * torch.rsqrt((x * x).mean(-1, keepdim=True) + self.epsilon)


def parameter(*shape):
    return nn.Parameter(torch.empty(shape, dtype=F64))


def rotate(x, numbers, theta):
    """x [positions, heads, headDim]; neighbouring pairs are complex numbers (Llama), turned by row and by column in turn."""
    pairs = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2).contiguous())
    half = pairs.shape[-1]
    angles = numbers[:, torch.arange(half) % 2][:, None] * theta ** (-torch.arange(half, dtype=F64) / half)
    return torch.view_as_real(pairs * torch.polar(torch.ones_like(angles), angles)).reshape(x.shape)


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config, width = config, config["channels"]
        self.head_dim = width // config["heads"]
        self.query = parameter(width, width)
        self.key = parameter(config["kvHeads"] * self.head_dim, width)
        self.value = parameter(config["kvHeads"] * self.head_dim, width)
        self.output = parameter(width, width)
        if config["qkNorm"]:
            self.queryNorm, self.keyNorm = parameter(self.head_dim), parameter(self.head_dim)
        self.norm = Norm(config["normEpsilon"])

    def forward(self, x, numbers, mask):
        config = self.config

        def heads(weight, name):
            h = (x @ weight.T).reshape(len(x), -1, self.head_dim)
            if name == "value":
                return h
            if config["qkNorm"]:
                h = self.norm(getattr(self, f"{name}Norm"), h)
            return rotate(h, numbers, config["ropeTheta"])

        queries, keys, values = heads(self.query, "query"), heads(self.key, "key"), heads(self.value, "value")
        mixed = []
        for head in range(config["heads"]):
            shared = head * config["kvHeads"] // config["heads"]
            scores = queries[:, head] @ keys[:, shared].T / math.sqrt(self.head_dim)
            mixed.append(scores.masked_fill(~mask, -math.inf).softmax(-1) @ values[:, shared])
        return torch.cat(mixed, -1) @ self.output.T


class FeedForward(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.gate = parameter(config["feedForward"], config["channels"])
        self.up = parameter(config["feedForward"], config["channels"])
        self.down = parameter(config["channels"], config["feedForward"])

    def forward(self, x):
        return (F.silu(x @ self.gate.T) * (x @ self.up.T)) @ self.down.T


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.attentionNorm, self.feedForwardNorm = parameter(config["channels"]), parameter(config["channels"])
        self.attention, self.feedForward = Attention(config), FeedForward(config)
        if config.get("feedForwards") == "per-modality":
            self.imageFeedForward = FeedForward(config)
        self.rms = Norm(config["normEpsilon"])

    def forward(self, x, numbers, mask, is_patch):
        x = x + self.attention(self.rms(self.attentionNorm, x), numbers, mask)
        h = self.rms(self.feedForwardNorm, x)
        of_patches = getattr(self, "imageFeedForward", self.feedForward)
        return x + torch.stack([(of_patches if patch else self.feedForward)(each) for each, patch in zip(h, is_patch)])


class Timesteps(nn.Module):
    """Sinusoid (cosines, then sines), linear, SiLU, linear (as in DiT)."""

    def __init__(self, config):
        super().__init__()
        self.half = config["timestepDimensions"] // 2
        self.first = nn.Linear(2 * self.half, config["channels"], dtype=F64)
        self.second = nn.Linear(config["channels"], config["channels"], dtype=F64)

    def forward(self, timestep):
        angles = timestep * 10_000.0 ** (-torch.arange(self.half, dtype=F64) / self.half)
        return self.second(F.silu(self.first(torch.cat([angles.cos(), angles.sin()]))))


def corners(picture):
    """Top left of each patch, from left to right and top to bottom."""
    height, width = picture.shape[:2]
    return [(y, x) for y in range(0, height, PATCH) for x in range(0, width, PATCH)]


class Transfusion(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config, width = config, config["channels"]
        self.tokenEmbedding = parameter(config["vocabularySize"], width)
        self.timestepEmbedding = Timesteps(config)
        self.linear = config["patcher"]["kind"] == "linear"
        if self.linear:
            self.patchIn = nn.Linear(config["patchValues"], width, dtype=F64)
        else:
            self.unet = Unet(config["patcher"], width)
        self.blocks = nn.ModuleList([Block(config) for _ in range(config["layers"])])
        self.norm = parameter(width)
        self.languageHead = parameter(config["vocabularySize"], width)
        if self.linear:
            self.patchOut = nn.Linear(width, config["patchValues"], dtype=F64)
        self.rms = Norm(config["normEpsilon"])

    def before(self, image, picture):
        """A vector for each patch of a noised picture, and what a U-Net needs on the way out."""
        time = self.timestepEmbedding(image["timestep"])
        if not self.linear:
            return self.unet.before(picture, time)
        patches = [picture[y : y + PATCH, x : x + PATCH].reshape(-1) for y, x in corners(picture)]
        return [self.patchIn(values) + time for values in patches], None

    def after(self, image, hidden, left):
        """The prediction for an image, of the hidden states of its patches."""
        if not self.linear:
            return self.unet.after(torch.stack(hidden), self.timestepEmbedding(image["timestep"]), left)
        picture = torch.zeros_like(image["latents"])
        for (y, x), vector in zip(corners(picture), hidden):
            picture[y : y + PATCH, x : x + PATCH] = self.patchOut(vector).reshape(PATCH, PATCH, -1)
        return picture

    def forward(self, row, noised):
        """A row's logits, and the prediction for each of its images."""
        images = {id(position.image): position.image for position in row if position.image is not None}
        patches = {key: self.before(image, noised[key]) for key, image in images.items()}

        def embed(position):
            if position.image is None:
                return self.tokenEmbedding[position.token]
            return patches[id(position.image)][0][position.patch]

        x = torch.stack([embed(position) for position in row])
        numbers = torch.tensor([position.rotary for position in row], dtype=F64)
        attention = self.config.get("imageAttention", "bidirectional")
        mask = torch.tensor([[sees(query, key, attention) for key in row] for query in row])
        is_patch = [position.image is not None for position in row]
        for block in self.blocks:
            x = block(x, numbers, mask, is_patch)
        hidden = self.rms(self.norm, x)
        predictions = {}
        for key, image in images.items():
            own = sorted((position.patch, t) for t, position in enumerate(row) if position.image is image)
            predictions[key] = self.after(image, [hidden[t] for _, t in own], patches[key][1])
        return hidden @ self.languageHead.T, predictions


def losses_of(model, rows, images, noise, weight):
    """Logits; L_LM, L_DDPM, and L_LM + lambda L_DDPM (equation 4). `noise` by group, [images, height, width, channels]."""
    noised, goals = {}, {}
    for part in images:
        signal, scale, target_signal, target_noise = part["coefficients"]
        epsilon = noise[part["group"]][part["slot"]]
        noised[id(part)] = signal * part["latents"] + scale * epsilon
        goals[id(part)] = target_signal * part["latents"] + target_noise * epsilon
    logits, predictions = [], {}
    for row in rows:
        row_logits, row_predictions = model(row, noised)
        logits.append(row_logits)
        predictions.update(row_predictions)
    targets = torch.tensor([[target_of(row, t) for t in range(len(row))] for row in rows])
    logits = torch.stack(logits)
    language = F.cross_entropy(logits[targets >= 0], targets[targets >= 0])
    errors = [((predictions[id(part)] - goals[id(part)]) ** 2).mean() for part in images if part["role"] == "target"]
    diffusion = torch.stack(errors).mean()
    return logits, language, diffusion, language + weight * diffusion
