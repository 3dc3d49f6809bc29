"""The bench's 3x3 convolution in PyTorch, forward and both gradients; the problem is written by bench/src/rows/conv2d.ts.
See rival.py."""
import torch
import torch.nn.functional as F

from rival import answer_requests, load, problem

# Stored as [B, H, W, C] and [H, W, I, O].
images, gradients = (load(name).permute(0, 3, 1, 2) for name in ("x", "gradient"))
filters = load("weight").permute(3, 2, 0, 1)


def layer(memory_format):
    x, weight = (t.contiguous(memory_format=memory_format).requires_grad_() for t in (images, filters))
    gradient = gradients.contiguous(memory_format=memory_format)

    def work():
        y = F.conv2d(x, weight, padding=1)
        dx, d_weight = torch.autograd.grad(y, (x, weight), gradient)
        return y.detach(), dx, d_weight

    return work


def numbers(results):
    y, dx, d_weight = results
    stored = (y.permute(0, 2, 3, 1), dx.permute(0, 2, 3, 1), d_weight.permute(2, 3, 1, 0))
    return torch.cat([result.flatten()[: problem["checked"]] for result in stored]).tolist()


answer_requests([layer(torch.contiguous_format), layer(torch.channels_last)], numbers)
