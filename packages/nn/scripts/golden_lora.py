"""Writes fixtures/lora.json: a linear layer with a LoRA as PEFT computes it, forward and backward, in f64 by PyTorch."""

import json
from pathlib import Path

import torch

torch.manual_seed(5)
F64 = torch.float64
rows, inputs, outputs, rank, alpha = 4, 10, 8, 3, 6


def array(*shape):
    """Numbers that f32 holds exactly."""
    return torch.randn(*shape).to(F64)


w, x, g = array(outputs, inputs), array(rows, inputs), array(rows, outputs)
lora_a = torch.nn.Linear(inputs, rank, bias=False, dtype=F64)
lora_b = torch.nn.Linear(rank, outputs, bias=False, dtype=F64)
base = torch.nn.Linear(inputs, outputs, bias=False, dtype=F64)
with torch.no_grad():
    base.weight.copy_(w)
    lora_a.weight.copy_(array(rank, inputs))
    lora_b.weight.copy_(array(outputs, rank))
base.weight.requires_grad_(False)
x.requires_grad_(True)

scaling = alpha / rank
y = base(x) + lora_b(lora_a(x)) * scaling
(torch.tanh(y) * g).sum().backward()


def flat(tensor):
    return tensor.detach().flatten().tolist()


arrays = {"x": x, "w": w, "g": g, "a0": lora_a.weight, "b0": lora_b.weight}
expected = {"y": y, "x": x.grad, "a0": lora_a.weight.grad, "b0": lora_b.weight.grad}
out = {
    "sizes": {"rows": rows, "inputs": inputs, "outputs": outputs, "ranks": [rank], "scales": [scaling]},
    "arrays": {name: flat(tensor) for name, tensor in arrays.items()},
    "expected": {name: [round(value, 12) for value in flat(tensor)] for name, tensor in expected.items()},
}
path = Path(__file__).parent.parent / "fixtures" / "lora.json"
path.write_text(json.dumps(out) + "\n")
