"""Makes transforms.json: what torchvision makes of small images, with its random draws.

Run with torch and torchvision (0.29 was used); prints the file.
"""

import json

import torch
from torchvision.transforms import transforms as T
from torchvision.transforms import InterpolationMode as M


def image(channels, height, width, kind):
    torch.manual_seed(channels * 100 + height * 10 + width)
    picture = torch.randint(0, 256, (channels, height, width), dtype=torch.uint8)
    return picture if kind == "u8" else picture.float() / 255


CASES = [
    ("to_tensor_normalize", T.Compose([T.ConvertImageDtype(torch.float32), T.Normalize([0.4, 0.5, 0.6], [0.2, 0.25, 0.3])]), ["u8"], 1),
    ("random_crop_padding", T.RandomCrop(6, padding=2), ["u8", "f32"], 4),
    ("random_crop_reflect", T.RandomCrop([4, 8], padding=[3, 1], padding_mode="reflect"), ["u8"], 3),
    ("random_crop_if_needed", T.RandomCrop([12, 14], pad_if_needed=True, fill=7), ["u8"], 3),
    ("horizontal_flip", T.RandomHorizontalFlip(), ["u8"], 4),
    ("vertical_flip", T.RandomVerticalFlip(0.4), ["u8", "f32"], 4),
    ("rotation_nearest", T.RandomRotation(37), ["u8", "f32"], 4),
    ("rotation_bilinear_fill", T.RandomRotation([-70, 10], interpolation=M.BILINEAR, fill=[9.0, 60.0, 200.0]), ["u8"], 3),
    ("rotation_expand", T.RandomRotation(80, expand=True, interpolation=M.BILINEAR), ["f32"], 3),
    ("rotation_center", T.RandomRotation(45, center=[2, 3]), ["u8"], 2),
    ("affine", T.RandomAffine(15, translate=[0.2, 0.3], scale=[0.7, 1.4], shear=[-10, 10, -5, 20]), ["u8", "f32"], 4),
    ("affine_bilinear", T.RandomAffine(25, shear=12, interpolation=M.BILINEAR, fill=0.5), ["f32"], 3),
    ("resize", T.Resize([5, 12], antialias=True), ["u8", "f32"], 1),
    ("resize_shorter", T.Resize(4), ["u8", "f32"], 1),
    ("resize_max", T.Resize(6, max_size=7), ["f32"], 1),
    ("resize_plain", T.Resize([5, 12], antialias=False), ["u8", "f32"], 1),
    ("resize_nearest", T.Resize([5, 12], interpolation=M.NEAREST), ["u8"], 1),
    ("resize_bicubic", T.Resize([5, 12], interpolation=M.BICUBIC), ["u8", "f32"], 1),
    ("resize_bicubic_plain", T.Resize([17, 4], interpolation=M.BICUBIC, antialias=False), ["f32"], 1),
    ("resized_crop", T.RandomResizedCrop(6), ["u8", "f32"], 4),
    ("center_crop", T.CenterCrop([5, 4]), ["u8"], 1),
    ("center_crop_larger", T.CenterCrop([11, 6]), ["u8"], 1),
    ("pad", T.Pad([1, 2, 3, 0], fill=5), ["u8", "f32"], 1),
    ("pad_edge", T.Pad([2, 1], padding_mode="edge"), ["u8"], 1),
    ("pad_reflect", T.Pad(3, padding_mode="reflect"), ["u8"], 1),
    ("pad_symmetric", T.Pad(3, padding_mode="symmetric"), ["u8"], 1),
    ("grayscale", T.Grayscale(), ["u8", "f32"], 1),
    ("random_grayscale", T.RandomGrayscale(0.5), ["u8"], 4),
    ("jitter", T.ColorJitter(0.4, 0.5, 0.6, 0.3), ["u8", "f32"], 4),
    ("jitter_hue", T.ColorJitter(hue=[0.1, 0.5]), ["f32"], 2),
    ("erasing", T.RandomErasing(0.7), ["u8", "f32"], 4),
    ("erasing_random", T.RandomErasing(1.0, value="random"), ["f32"], 2),
    ("apply", T.RandomApply([T.RandomHorizontalFlip(1.0), T.ColorJitter(brightness=0.5)], p=0.6), ["u8"], 4),
]

records = []
for name, transform, kinds, seeds in CASES:
    for kind in kinds:
        x = image(3, 9, 8, kind)
        for seed in range(seeds):
            torch.manual_seed(seed)
            y = transform(x)
            values = y.flatten().tolist()
            records.append({
                "case": name, "kind": kind, "seed": seed, "shape": list(y.shape),
                "values": values if kind == "u8" and y.dtype == torch.uint8 else [float(f"{v:.7g}") for v in values],
            })
inputs = image(3, 9, 8, "u8").flatten().tolist()
print('{"input": ' + json.dumps(inputs, separators=(",", ":")) + ', "records": [')
print(",\n".join(json.dumps(r, separators=(",", ":")) for r in records))
print("]}")
