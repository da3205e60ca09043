"""Makes pillow.json: the evaluation crops of test/data/images as Pillow (and so torchvision) cuts them.

Per photograph and preprocessing the SHA-256 of the crop's bytes, and its means over 8 x 8 blocks.
Needs Pillow and NumPy: python test/data-loading/pillow.py > test/data-loading/pillow.json
"""

import hashlib
import json
import pathlib

import numpy as np
from PIL import Image

IMAGES = pathlib.Path(__file__).parent.parent / 'data' / 'images'
CASES = {'bilinear 224': (256, 224, Image.BILINEAR), 'bilinear 299': (342, 299, Image.BILINEAR),
         'bicubic 224': (256, 224, Image.BICUBIC), 'lanczos3 224': (256, 224, Image.LANCZOS)}


def crop(name, shorter, size, kernel):
    image = Image.open(IMAGES / f'{name}.png').convert('RGB')
    w, h = image.size
    w, h = (shorter, int(shorter * h / w)) if w <= h else (int(shorter * w / h), shorter)
    left, top = int(round((w - size) / 2)), int(round((h - size) / 2))
    return np.array(image.resize((w, h), kernel))[top:top + size, left:left + size]


result = {}
for name in ['chelsea', 'coffee', 'red_panda']:
    result[name] = {}
    for case, (shorter, size, kernel) in CASES.items():
        pixels = crop(name, shorter, size, kernel)
        side = size // 8
        blocks = pixels[:8 * side, :8 * side].reshape(8, side, 8, side, 3).mean(axis=(1, 3))
        result[name][case] = {'sha256': hashlib.sha256(pixels.tobytes()).hexdigest(),
                              'blocks': np.round(blocks, 2).ravel().tolist()}
print(json.dumps(result))
