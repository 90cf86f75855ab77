"""Files of all kinds: unusable ones with the reason, and usable but unusual pictures."""

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

Writer = Callable[[Path], None]


def scene(width: int = 48, height: int = 40, seed: int = 0) -> np.ndarray:
    """A picture with shapes in it, uint8 (height, width, 3); every seed gives another scene."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (5, 6, 3)).astype(np.uint8))
    return np.array(small.resize((width, height), Image.Resampling.BICUBIC))


def encoded(form: str, pixels: np.ndarray | None = None, mode: str | None = None, **options: object) -> bytes:
    picture = Image.fromarray(scene() if pixels is None else pixels)
    buffer = io.BytesIO()
    (picture.convert(mode) if mode else picture).save(buffer, form, **options)
    return buffer.getvalue()


def frames(form: str) -> bytes:
    pictures = [Image.fromarray(scene(seed=seed)) for seed in range(3)]
    buffer = io.BytesIO()
    pictures[0].save(buffer, form, save_all=True, append_images=pictures[1:])
    return buffer.getvalue()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(
    width: int, height: int, *, depth: int = 8, color: int = 2, data: bytes = b"", extra: bytes = b""
) -> bytes:
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
    body = png_chunk(b"IDAT", zlib.compress(data))
    return b"\x89PNG\r\n\x1a\n" + head + extra + body + png_chunk(b"IEND", b"")


def deep_png() -> bytes:
    """RGB with 16 bits a channel, which Pillow itself cannot write."""
    values = scene().astype(">u2") * 257
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    return png(48, 40, depth=16, data=rows)


def flipped(content: bytes, share: float, value: int = 0xFF) -> bytes:
    at = int(len(content) * share)
    return content[:at] + bytes([content[at] ^ value]) + content[at + 1 :]


def cut(content: bytes, share: float = 0.5) -> bytes:
    return content[: int(len(content) * share)]


def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("photo.jpg", encoded("JPEG"))
    return buffer.getvalue()


def text_bomb() -> bytes:
    """A PNG whose text is larger than Pillow allows when it is decompressed."""
    body = b"comment\0\0" + zlib.compress(b"a" * (80 << 20))
    rows = b"".join(b"\0" + row.tobytes() for row in scene())
    return png(48, 40, data=rows, extra=png_chunk(b"zTXt", body))


JPEG, PNG = encoded("JPEG", quality=95), encoded("PNG")
NOISE = np.random.default_rng(1).integers(0, 256, 4000).astype(np.uint8).tobytes()

# name -> (reason, content)
BAD: dict[str, tuple[str, bytes]] = {
    "empty.jpg": ("zero bytes", b""),
    "empty.png": ("zero bytes", b""),
    "text.jpg": ("not an image", b"I am a text, not a photograph.\n" * 30),
    "page.png": ("not an image", b"<!doctype html><html><body>404 Not Found</body></html>"),
    "table.jpeg": ("not an image", b"path,class\na.jpg,cat\n" * 20),
    "drawing.png": ("not an image", b'<svg xmlns="http://www.w3.org/2000/svg"><rect/></svg>'),
    "noise.jpg": ("not an image", NOISE),
    "nothing.bmp": ("not an image", bytes(4096)),
    "utf16.gif": ("not an image", "a text".encode("utf-16") * 50),
    "program.jpg": ("not an image", b"MZ" + NOISE),
    "elf.png": ("not an image", b"\x7fELF" + NOISE),
    "archive.jpg": ("not an image", archive()),
    "document.jpg": ("not an image", b"%PDF-1.7\n" + NOISE),
    "film.jpg": ("a video", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + NOISE),
    "sound.png": ("not an image", b"RIFF\x24\x08\0\0WAVEfmt " + NOISE),
    "pickle.jpg": ("not an image", b"\x80\x05\x95" + NOISE),
    "phone.heic": ("unsupported", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + NOISE),
    "phone.jpg": ("unsupported", b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + NOISE),
    "program.eps": ("unsupported", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n"),
    "disguised.jpg": ("unsupported", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n"),
    "float.tiff": ("unsupported", encoded("TIFF", np.linspace(0, 1, 1200, dtype=np.float32).reshape(30, 40))),
    "deepest.tiff": ("unsupported", encoded("TIFF", np.arange(1200, dtype=np.int32).reshape(30, 40) * 99999)),
    "lab.tiff": ("unsupported", encoded("TIFF", mode="LAB")),
    "half.jpg": ("truncated", cut(JPEG)),
    "almost.jpg": ("truncated", JPEG[:-30]),
    "half.png": ("truncated", cut(PNG)),
    "half.gif": ("truncated", cut(encoded("GIF"))),
    "half.bmp": ("truncated", cut(encoded("BMP"))),
    "half.tiff": ("truncated", cut(encoded("TIFF"), 0.9)),
    "half.ppm": ("truncated", cut(encoded("PPM"))),
    "half.webp": ("damaged", cut(encoded("WEBP", lossless=True))),
    "half.avif": ("damaged", cut(encoded("AVIF"))),
    "head.jpg": ("damaged", JPEG[:3]),
    "head.png": ("damaged", PNG[:12]),
    "begun.jpg": ("truncated", b"\xff\xd8\xff\xe0" + b"no photograph follows"),
    "head.gif": ("damaged", encoded("GIF")[:12]),
    "bits.png": ("damaged", flipped(PNG, 0.6)),
    "bits.webp": ("damaged", encoded("WEBP", lossless=True)[:60] + NOISE[:900]),
    "chunk.png": ("truncated", png(48, 40, data=b"too little")),
    "text_bomb.png": ("damaged", text_bomb()),
    "bomb.png": ("decompression bomb", png(30_000, 30_000, depth=1, color=0)),
    "wide.png": ("decompression bomb", png(2_000_000_000, 1, depth=8, color=0)),
    "bomb.gif": ("decompression bomb", b"GIF89a" + struct.pack("<HH", 65_000, 65_000) + encoded("GIF")[10:]),
    "dot.png": ("too small", encoded("PNG", scene(1, 1))),
    "strip.jpg": ("too small", encoded("JPEG", scene(200, 9))),
    "icon.gif": ("too small", encoded("GIF", scene(12, 12))),
    "moving.gif": ("animated", frames("GIF")),
    "moving.webp": ("animated", frames("WEBP")),
    "moving.png": ("animated", frames("PNG")),
    "pages.tiff": ("animated", frames("TIFF")),
}


def with_exif(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded("JPEG", scene(seed=20 + orientation), quality=95, exif=exif)


def transparent(mode: str) -> bytes:
    pixels = np.dstack([scene(seed=7), np.tile(np.linspace(0, 255, 48), (40, 1))]).astype(np.uint8)
    return encoded("PNG", pixels, mode=mode)


def palette_with_hole() -> bytes:
    return encoded("PNG", scene(seed=9), mode="P", transparency=3)


def stereo() -> bytes:
    """An MPO file: two photographs, as phones and stereo cameras write it."""
    buffer = io.BytesIO()
    first, second = (Image.fromarray(scene(seed=seed)) for seed in (40, 41))
    first.save(buffer, "MPO", save_all=True, append_images=[second], quality=95)
    return buffer.getvalue()


def png_turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded("PNG", scene(seed=19), exif=exif)


def commented() -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("comment", "a text")
    return encoded("PNG", scene(seed=42), pnginfo=info)


# name -> (whether the file can be used as it is, content)
GOOD: dict[str, tuple[bool, bytes]] = {
    "plain.jpg": (True, encoded("JPEG", scene(seed=1), quality=95)),
    "plain.png": (True, encoded("PNG", scene(seed=2))),
    "grey.jpg": (True, encoded("JPEG", scene(seed=3), mode="L", quality=95)),
    "grey.png": (True, encoded("PNG", scene(seed=4), mode="L")),
    "progressive.jpg": (True, encoded("JPEG", scene(seed=5), progressive=True, quality=95)),
    "comment.png": (True, commented()),
    "trailing.jpg": (True, encoded("JPEG", scene(seed=6), quality=95) + b"and some bytes more"),
    "full.jpg": (True, encoded("JPEG", scene(seed=8), subsampling=0, quality=95)),
    "exif1.jpg": (True, with_exif(1)),
    **{f"exif{turn}.jpg": (False, with_exif(turn)) for turn in range(2, 9)},
    "turned.png": (False, png_turned()),
    "cmyk.jpg": (False, encoded("JPEG", scene(seed=10), mode="CMYK", quality=95)),
    "palette.png": (False, encoded("PNG", scene(seed=11), mode="P")),
    "hole.png": (False, palette_with_hole()),
    "alpha.png": (False, transparent("RGBA")),
    "grey_alpha.png": (False, transparent("LA")),
    "bilevel.png": (False, encoded("PNG", scene(seed=12), mode="1")),
    "deep_grey.png": (False, encoded("PNG", scene(seed=13)[..., 0].astype(np.uint16) * 257)),
    "deep.png": (False, deep_png()),
    "deep.tiff": (False, encoded("TIFF", scene(seed=14)[..., 0].astype(np.uint16) * 257)),
    "stereo.jpg": (False, stereo()),
    "web.webp": (False, encoded("WEBP", scene(seed=15), lossless=True)),
    "web_alpha.webp": (
        False,
        encoded("WEBP", np.dstack([scene(seed=16), scene(seed=17)[..., 0]]), lossless=True),
    ),
    "still.gif": (False, encoded("GIF", scene(seed=18))),
    "old.bmp": (False, encoded("BMP", scene(seed=30))),
    "scan.tif": (False, encoded("TIFF", scene(seed=31), compression="tiff_lzw")),
    "new.avif": (False, encoded("AVIF", scene(seed=32))),
    "two_thousand.jp2": (False, encoded("JPEG2000", scene(seed=33))),
    "map.ppm": (False, encoded("PPM", scene(seed=34))),
    "LOUD.JPG": (True, encoded("JPEG", scene(seed=35), quality=95)),
    "LOUD.PNG": (True, encoded("PNG", scene(seed=36))),
    "long.JPEG": (True, encoded("JPEG", scene(seed=37), quality=95)),
    "a_png.jpg": (True, encoded("PNG", scene(seed=38))),
    "a_jpeg.png": (True, encoded("JPEG", scene(seed=39), quality=95)),
    "no_ending": (True, encoded("JPEG", scene(seed=43), quality=95)),
    "browser.jfif": (True, encoded("JPEG", scene(seed=44), quality=95)),
    "with space & <b>'quotes'.jpg": (True, encoded("JPEG", scene(seed=45), quality=95)),
    "Löwenzahn.jpg": (True, encoded("JPEG", scene(seed=46), quality=95)),
    "蒲公英 🌼.png": (True, encoded("PNG", scene(seed=47))),
    "одуванчик.webp": (False, encoded("WEBP", scene(seed=48), lossless=True)),
    "-rf.jpg": (True, encoded("JPEG", scene(seed=49), quality=95)),
    "new\nline.jpg": (True, encoded("JPEG", scene(seed=50), quality=95)),
    f"{'long' * 62}.jpg": (True, encoded("JPEG", scene(seed=51), quality=95)),
    f"{'語' * 80}.webp": (False, encoded("WEBP", scene(seed=52), lossless=True)),
    "Case.jpg": (True, encoded("JPEG", scene(seed=53), quality=95)),
    "case.jpg": (True, encoded("JPEG", scene(seed=54), quality=95)),
    "CASE.png": (True, encoded("PNG", scene(seed=55))),
    "CON.jpg": (True, encoded("JPEG", scene(seed=56), quality=95)),
}


def write_bad(folder: Path) -> dict[str, str]:
    """Write every bad file; return the reasons by name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (_, content) in BAD.items():
        (folder / name).write_bytes(content)
    os.mkfifo(folder / "pipe.jpg")
    (folder / "gone.jpg").symlink_to(folder / "nowhere.jpg")
    reasons = {name: reason for name, (reason, _) in BAD.items()}
    return reasons | {"pipe.jpg": "not a regular file", "gone.jpg": "missing"}


def write_good(folder: Path) -> None:
    """Write every good file, and one whose name is not UTF-8."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (_, content) in GOOD.items():
        (folder / name).write_bytes(content)
    strange = os.path.join(os.fsencode(folder), b"latin\xe9.jpg")  # noqa: PTH118
    with open(strange, "wb") as file:  # noqa: PTH123
        file.write(encoded("JPEG", scene(seed=60), quality=95))
