"""torch on the processor, after it has computed in parallel."""

import torch

PRODUCT = torch.ones(600, 600) @ torch.ones(600, 600)


def use():
    return float((torch.ones(600, 600) @ torch.ones(600, 600)).sum())
