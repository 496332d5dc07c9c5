"""MMV's TSM ResNet-50 written out from its description, step by step: what mmbench's fast one is compared with."""

from __future__ import annotations

import torch
from paper_files import TSM
from torch.nn import functional as F


def padded(x, kernel, stride, value=0.0):
    """TensorFlow's SAME: as many rows as divide the input by the stride, the odd one at the end."""
    for side in (-1, -2):
        size = x.shape[side]
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        around = (total // 2, total - total // 2)
        x = F.pad(x, around if side == -1 else (0, 0, *around), value=value)
    return x


def features(arrays, frames):
    """``frames`` ``[time, 3, side, side]`` of one clip to ``[2048]``; ``arrays`` as in the authors' pickle."""
    params, state = arrays["params"], arrays["state"]

    def conv(name, x, stride=1):
        kernel = torch.from_numpy(params[f"{TSM}/{name}"]["w"]).permute(3, 2, 0, 1)
        return F.conv2d(padded(x, kernel.shape[-1], stride), kernel, stride=stride)

    def norm(name, x):
        at = f"{TSM}/{name}"
        mean, var = (torch.from_numpy(state[f"{at}/~/{k}"]["average"]) for k in ("mean_ema", "var_ema"))
        scale, offset = (torch.from_numpy(params[at][k]) for k in ("scale", "offset"))
        mean, var, scale, offset = (a.reshape(1, -1, 1, 1) for a in (mean, var, scale, offset))
        return ((x - mean) / torch.sqrt(var + 1e-5) * scale + offset).clamp(min=0)

    def shifted(x):
        n = x.shape[1] // 8
        nothing = torch.zeros_like(x[:1, :n])
        later, earlier = torch.cat([x[1:, -n:], nothing]), torch.cat([nothing, x[:-1, :n]])
        return torch.cat([later, x[:, n:-n], earlier], dim=1)

    x = conv("tsm_resnet_stem", frames, 2)
    x = F.max_pool2d(padded(x, 3, 2, value=float("-inf")), 3, 2)
    for unit, blocks in enumerate((3, 4, 6, 3)):
        for block in range(blocks):
            at, stride = f"tsm_resnet_unit_{unit}/block_{block}", 2 if unit and not block else 1
            before = norm(f"{at}/__cross_replica_batch_norm", x)
            shortcut = x if block else conv(f"{at}/shortcut_conv", before, stride)
            inner = conv(f"{at}/conv_0", shifted(before))
            inner = conv(f"{at}/conv_1", norm(f"{at}/__cross_replica_batch_norm_1", inner), stride)
            x = shortcut + conv(f"{at}/conv_2", norm(f"{at}/__cross_replica_batch_norm_2", inner))
    return norm("__cross_replica_batch_norm", x).mean(dim=(0, 2, 3))
