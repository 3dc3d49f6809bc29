"""Converts the weights of LPIPS (VGG16) to the safetensors file that @transfusion/losses reads.

    python3 convert_lpips.py --vgg16 vgg16-397923af.pth --lpips vgg.pth --out lpips.safetensors

`--vgg16` is torchvision's state dict of VGG16 (https://download.pytorch.org/models/vgg16-397923af.pth), `--lpips` the
linear weights of the LPIPS repository (lpips/weights/v0.1/vgg.pth of https://github.com/richzhang/PerceptualSimilarity,
BSD 2-clause). Needs PyTorch, and nothing else.

The file holds, in f32: vgg16.features.N.weight [outputs, inputs, 3, 3] and vgg16.features.N.bias [outputs] for N = 0, 2, 5,
7, 10, 12, 14, 17, 19, 21, 24, 26, 28; and lin0.weight to lin4.weight [1, channels, 1, 1].
"""

import argparse
import json
import pathlib
import struct
import sys

import torch

LEVELS = [([0, 2], 64), ([5, 7], 128), ([10, 12, 14], 256), ([17, 19, 21], 512), ([24, 26, 28], 512)]


def take(state, name, shape, where):
    if name not in state:
        sys.exit(f"{where} has no {name}: expected {shape}. It has {', '.join(list(state)[:8])}, ...")
    if tuple(state[name].shape) != shape:
        sys.exit(f"{where}: {name} is {tuple(state[name].shape)}, expected {shape}")
    return state[name].detach().float().contiguous()


def convert(vgg16, lpips, where):
    tensors, inputs = {}, 3
    for level, (numbers, outputs) in enumerate(LEVELS):
        for n in numbers:
            tensors[f"vgg16.features.{n}.weight"] = take(vgg16, f"features.{n}.weight", (outputs, inputs, 3, 3), where[0])
            tensors[f"vgg16.features.{n}.bias"] = take(vgg16, f"features.{n}.bias", (outputs,), where[0])
            inputs = outputs
        # A dropout comes first there.
        tensors[f"lin{level}.weight"] = take(lpips, f"lin{level}.model.1.weight", (1, outputs, 1, 1), where[1])
    return tensors


def write_safetensors(path, tensors):
    header, blobs, at = {}, [], 0
    for name in sorted(tensors):
        blob = tensors[name].numpy().tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensors[name].shape), "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    partial = path.with_name(path.name + ".partial")
    with open(partial, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for blob in blobs:
            file.write(blob)
    partial.replace(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ["vgg16", "lpips", "out"]:
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True)
    options = parser.parse_args()
    states = [torch.load(path, map_location="cpu") for path in [options.vgg16, options.lpips]]
    write_safetensors(options.out, convert(*states, [options.vgg16, options.lpips]))
    print(f"{options.out}: {options.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
