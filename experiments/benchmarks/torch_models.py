"""Networks of the ``networks`` benchmark in PyTorch, as its users write them."""

import importlib
from typing import Any

torch: Any = importlib.import_module("torch")
nn: Any = torch.nn
Module: Any = nn.Module


def build(name: str) -> Any:
    """Build a network for 32x32x3 images and 10 classes, [rows, channels, height, width] -> logits."""
    if name == "resnet-20":
        return resnet((16, 32, 64), 3)
    if name == "resnet-18":
        return resnet((64, 128, 256, 512), 2)
    return {"conv-2": conv_2, "vgg-11": vgg_11, "vit-tiny": Transformer}[name]()


def conv_2() -> Any:
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(64, 64, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * 16 * 16, 256),
        nn.ReLU(),
        nn.Linear(256, 256),
        nn.ReLU(),
        nn.Linear(256, 10),
    )


class Block(Module):
    """Two convolutions and a shortcut."""

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv_1 = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        self.norm_1 = nn.BatchNorm2d(width)
        self.conv_2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norm_2 = nn.BatchNorm2d(width)
        self.shortcut = nn.Sequential()
        if stride != 1 or before != width:
            self.shortcut = nn.Sequential(nn.Conv2d(before, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Any) -> Any:
        y = torch.relu(self.norm_1(self.conv_1(x)))
        return torch.relu(self.norm_2(self.conv_2(y)) + self.shortcut(x))


def resnet(widths: tuple[int, ...], blocks: int) -> Any:
    parts = [nn.Conv2d(3, widths[0], 3, padding=1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()]
    before = widths[0]
    for stage, width in enumerate(widths):
        for number in range(blocks):
            parts.append(Block(before, width, 2 if stage and not number else 1))
            before = width
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 10))


def vgg_11() -> Any:
    parts: list[Any] = []
    before = 3
    for block, (depth, width) in enumerate(zip((1, 1, 2, 2, 2), (64, 128, 256, 512, 512), strict=True)):
        parts += [nn.MaxPool2d(2)] if block else []
        for _ in range(depth):
            parts += [nn.Conv2d(before, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            before = width
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))


class Transformer(Module):
    """ViT-tiny with patches of 4x4."""

    def __init__(self, width: int = 192, heads: int = 3, depth: int = 12) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 4, 4)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(0.02 * torch.randn(1, 65, width))
        block = nn.TransformerEncoderLayer(
            width, heads, 4 * width, 0.0, "gelu", 1e-6, batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(block, depth, nn.LayerNorm(width, 1e-6), enable_nested_tensor=False)
        self.head = nn.Linear(width, 10)

    def forward(self, images: Any) -> Any:
        x: Any = self.patches(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.positions
        return self.head(self.blocks(x)[:, 0])
