"""Hashes of crops that Pillow resized, for geometry.test.ts. Made with Pillow 12.3.0."""

import hashlib
import pathlib

from PIL import Image

photograph = pathlib.Path(__file__).parent / '../data/images/chelsea.png'
image = Image.open(photograph).convert('RGB')
for box, size, kernel in [
    ((37, 20, 337, 270), (224, 224), Image.BILINEAR),
    ((5, 7, 405, 107), (224, 160), Image.BICUBIC),
    ((0, 0, 451, 300), (200, 100), Image.LANCZOS),
]:
    print(hashlib.sha256(image.crop(box).resize(size, kernel).tobytes()).hexdigest())
