"""The U-Net between latents and positions, image by image, for any number of levels.

Written from what UNet2DModel of diffusers is (residual blocks with the timestep added after their first convolution, attention
after each of them, halving by a convolution with stride 2 padded below and to the right, doubling of pixels and a
convolution, what the way down left joined on the way up), with a transformer in its middle. Filters are
[height, width, inputs, outputs].
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

from golden_batch import CHANNELS, F64

EPSILON = 1e-5


def parameter(*shape):
    return nn.Parameter(torch.empty(shape, dtype=F64))


class Convolution(nn.Module):
    def __init__(self, inputs, outputs, kernel=3):
        super().__init__()
        self.weight, self.bias = parameter(kernel, kernel, inputs, outputs), parameter(outputs)

    def forward(self, x, **options):
        """x [channels, height, width]"""
        return F.conv2d(x[None], self.weight.permute(3, 2, 0, 1), self.bias, **options)[0]


class Norm(nn.Module):
    def __init__(self, channels, config):
        super().__init__()
        self.config = config
        self.weight, self.bias = parameter(channels), parameter(channels)

    def forward(self, x):
        if self.config["norm"] == "group":
            return F.group_norm(x[None], self.config["groups"], self.weight, self.bias, EPSILON)[0]
        return F.layer_norm(x.permute(1, 2, 0), (len(x),), self.weight, self.bias, EPSILON).permute(2, 0, 1)


class Resnet(nn.Module):
    def __init__(self, inputs, outputs, time, config):
        super().__init__()
        self.norm1, self.conv1 = Norm(inputs, config), Convolution(inputs, outputs)
        self.time_emb_proj = nn.Linear(time, outputs, dtype=F64)
        self.norm2, self.conv2 = Norm(outputs, config), Convolution(outputs, outputs)
        if inputs != outputs:
            self.conv_shortcut = Convolution(inputs, outputs, kernel=1)

    def forward(self, x, time):
        hidden = self.conv1(F.silu(self.norm1(x)), padding=1) + self.time_emb_proj(F.silu(time))[:, None, None]
        residual = self.conv2(F.silu(self.norm2(hidden)), padding=1)
        return residual + (self.conv_shortcut(x) if hasattr(self, "conv_shortcut") else x)


class Attention(nn.Module):
    def __init__(self, channels, config):
        super().__init__()
        self.head_dim = config["headDim"]
        self.group_norm = Norm(channels, config)
        self.to_q, self.to_k, self.to_v = (nn.Linear(channels, channels, dtype=F64) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(channels, channels, dtype=F64)])

    def forward(self, x):
        positions = self.group_norm(x).flatten(1).T  # [positions, channels]
        queries, keys, values = self.to_q(positions), self.to_k(positions), self.to_v(positions)
        mixed = []
        for first in range(0, len(x), self.head_dim):
            head = slice(first, first + self.head_dim)
            scores = queries[:, head] @ keys[:, head].T / math.sqrt(self.head_dim)
            mixed.append(scores.softmax(-1) @ values[:, head])
        return x + self.to_out[0](torch.cat(mixed, -1)).T.reshape(x.shape)


class Sampler(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = Convolution(channels, channels)


class Level(nn.Module):
    def __init__(self, inputs, width, attends, config, time):
        super().__init__()
        self.resnets = nn.ModuleList([Resnet(each, width, time, config) for each in inputs])
        if attends:
            self.attentions = nn.ModuleList([Attention(width, config) for _ in inputs])

    def step(self, i, x, time):
        x = self.resnets[i](x, time)
        return self.attentions[i](x) if hasattr(self, "attentions") else x


class Unet(nn.ModuleDict):
    def __init__(self, config, channels):
        widths, attention, layers = config["channels"], config["attention"], config["layersPerBlock"]
        down, left, at = [], [widths[0]], widths[0]  # `left`: widths of what the way down leaves
        for i, width in enumerate(widths):
            inputs = []
            for _ in range(layers):
                inputs.append(at)
                at = width
                left.append(at)
            down.append(Level(inputs, width, i in attention, config, channels))
            if i + 1 < len(widths):
                down[-1].downsamplers = nn.ModuleList([Sampler(width)])
                left.append(at)
        up = []
        for i, width in reversed(list(enumerate(widths))):
            inputs = []
            for _ in range(layers + 1):
                inputs.append(at + left.pop())
                at = width
            up.append(Level(inputs, width, i in attention, config, channels))
            if i > 0:
                up[-1].upsamplers = nn.ModuleList([Sampler(width)])
        into, out = nn.Module(), nn.Module()
        into.conv_in, into.down_blocks = Convolution(CHANNELS, widths[0]), nn.ModuleList(down)
        into.proj, out.proj = nn.Linear(widths[-1], channels, dtype=F64), nn.Linear(channels, widths[-1], dtype=F64)
        out.up_blocks, out.conv_norm_out = nn.ModuleList(up), Norm(widths[0], config)
        out.conv_out = Convolution(widths[0], CHANNELS)
        super().__init__({"in": into, "out": out})

    def before(self, picture, time):
        """[height, width, channels] to a vector per patch, and what the way up needs."""
        into = self["in"]
        x = into.conv_in(picture.permute(2, 0, 1), padding=1)
        left = [x]
        for level in into.down_blocks:
            for i in range(len(level.resnets)):
                x = level.step(i, x, time)
                left.append(x)
            if hasattr(level, "downsamplers"):
                x = level.downsamplers[0].conv(F.pad(x, (0, 1, 0, 1)), stride=2)
                left.append(x)
        return into.proj(x.flatten(1).T), left

    def after(self, hidden, time, left):
        """[patches, channels] of the transformer to [height, width, channels]."""
        out, left = self["out"], list(left)
        x = out.proj(hidden).T.reshape(-1, *left[-1].shape[1:])
        for level in out.up_blocks:
            for i in range(len(level.resnets)):
                x = level.step(i, torch.cat([x, left.pop()]), time)
            if hasattr(level, "upsamplers"):
                x = level.upsamplers[0].conv(F.interpolate(x[None], scale_factor=2, mode="nearest")[0], padding=1)
        assert not left
        return out.conv_out(F.silu(out.conv_norm_out(x)), padding=1).permute(1, 2, 0)
