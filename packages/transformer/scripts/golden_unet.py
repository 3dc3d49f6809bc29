"""Golden values of the U-Net patcher alone: three levels, images that are not square, with PyTorch.

    python3 packages/transformer/scripts/golden_unet.py

The network is that of packages/training/scripts/reference_unet.py. Weights and inputs follow from a formula (`wave`), so that
`src/fixtures/unet.json` has the results alone.
"""

import json
import pathlib
import sys

import torch

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent.parent / "training" / "scripts"))
sys.dont_write_bytecode = True

from golden_batch import F64  # noqa: E402
from reference_unet import Unet  # noqa: E402

CHANNELS = 6  # of the transformer
PATCHER = {
    **{"kind": "unet", "channels": [4, 8, 6], "layersPerBlock": 2, "attention": [0, 2]},
    **{"headDim": 2, "norm": "group", "groups": 2},
}
HEIGHT, WIDTH, PATCH = 8, 4, 4


def wave(seed, *shape):
    """Numbers between -1/2 and 1/2, the same everywhere to f64's precision."""
    count = torch.Size(shape).numel()
    return (0.5 * torch.sin(1.7 * torch.arange(count, dtype=F64) + seed)).reshape(shape)


def main():
    model = Unet(PATCHER, CHANNELS)
    with torch.no_grad():
        for seed, (_, each) in enumerate(sorted(model.named_parameters())):
            each.copy_(wave(seed, *each.shape))
    time = wave(-1, CHANNELS)
    vectors, left = model.before(wave(-2, HEIGHT, WIDTH, 3), time)
    patches = HEIGHT * WIDTH // PATCH**2
    prediction = model.after(wave(-3, patches, CHANNELS), time, left)
    found = {
        **{"channels": CHANNELS, "patcher": PATCHER, "height": HEIGHT, "width": WIDTH, "patchSize": PATCH},
        **{"vectors": vectors.flatten().tolist(), "prediction": prediction.flatten().tolist()},
    }
    (HERE.parent / "src" / "fixtures" / "unet.json").write_text(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
