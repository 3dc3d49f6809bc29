"""The bench's training step of the KL autoencoder in PyTorch; the problem is written by
bench/src/rows/autoencoder-step/torch.ts. See rival.py. Layers and names are diffusers' AutoencoderKL."""
import math

import torch
import torch.nn.functional as F

from rival import answer_training, autocast, load, problem


weights = {path: load("weight." + path).requires_grad_() for path in problem["weights"]}
images, noise = load("images"), load("noise")
widths, layers = problem["widths"], problem["layersPerBlock"]


def parameters(path):
    return weights[path + ".weight"], weights[path + ".bias"]


def convolution(path, x, stride=1):
    weight, bias = parameters(path)
    return F.conv2d(x, weight, bias, stride, padding=weight.shape[2] // 2 if stride == 1 else 0)


def norm(path, x):
    return F.group_norm(x, problem["groups"], *parameters(path), eps=problem["normEpsilon"])


def norm_silu(path, x):
    return F.silu(norm(path, x))


def resnet(path, x):
    hidden = convolution(path + ".conv1", norm_silu(path + ".norm1", x))
    residual = convolution(path + ".conv2", norm_silu(path + ".norm2", hidden))
    shortcut = path + ".conv_shortcut"
    return (convolution(shortcut, x) if shortcut + ".weight" in weights else x) + residual


def attention(path, x):
    batch, channels, height, width = x.shape
    positions = norm(path + ".group_norm", x).reshape(batch, channels, height * width).transpose(1, 2)
    q, k, v = (F.linear(positions, *parameters(f"{path}.to_{name}")) for name in "qkv")
    mixed = torch.bmm(torch.bmm(q * channels**-0.5, k.transpose(1, 2)).softmax(-1), v)
    out = F.linear(mixed, *parameters(path + ".to_out.0"))
    return x + out.transpose(1, 2).reshape(x.shape)


def mid_block(path, x):
    x = attention(path + ".attentions.0", resnet(path + ".resnets.0", x))
    return resnet(path + ".resnets.1", x)


def convolve_last(path, x):
    return convolution(path + ".conv_out", norm_silu(path + ".conv_norm_out", x))


def encoder(x):
    x = convolution("encoder.conv_in", x)
    for level in range(len(widths)):
        path = f"encoder.down_blocks.{level}"
        for i in range(layers):
            x = resnet(f"{path}.resnets.{i}", x)
        if level < len(widths) - 1:
            x = convolution(path + ".downsamplers.0.conv", F.pad(x, (0, 1, 0, 1)), stride=2)
    return convolve_last("encoder", mid_block("encoder.mid_block", x))


def decoder(x):
    x = mid_block("decoder.mid_block", convolution("decoder.conv_in", x))
    for level in range(len(widths)):
        path = f"decoder.up_blocks.{level}"
        for i in range(layers + 1):
            x = resnet(f"{path}.resnets.{i}", x)
        if level < len(widths) - 1:
            x = convolution(path + ".upsamplers.0.conv", F.interpolate(x, scale_factor=2.0, mode="nearest"))
    return convolve_last("decoder", x)


def losses():
    mean, log_variance = convolution("quant_conv", encoder(images)).chunk(2, 1)
    log_variance = log_variance.clamp(-30, 20)
    latents = mean + torch.exp(0.5 * log_variance) * noise
    reconstruction = decoder(convolution("post_quant_conv", latents))
    divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum() / len(images)
    return F.l1_loss(reconstruction, images), problem["klWeight"] * divergence


options = problem["optimizer"]
optimizer = torch.optim.Adam(
    weights.values(),
    lr=problem["learningRate"],
    betas=(options["beta1"], options["beta2"]),
    eps=options["epsilon"],
    foreach=True,
)


def step():
    optimizer.zero_grad(set_to_none=True)
    with autocast():
        l1, kl = losses()
    (l1 + kl).backward()
    norm = torch.stack([weight.grad.square().sum() for weight in weights.values()]).sum().sqrt()
    optimizer.step()
    return lambda: [math.log(number.item()) for number in (l1, kl, norm)]


answer_training(step)
