"""What lies beside the pixels of a picture: how it is turned, palettes, alpha, more bits, more pictures."""

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from tfticket.data.formats import read
from tfticket.errors import InputError

BAR = np.zeros((4, 6, 3), np.uint8)
BAR[0] = 255, 40, 0  # a bar on top, as shown
BAR[:, 0] = 0, 90, 200

STORED = {  # EXIF orientation -> how a picture lies in its file
    1: lambda shown: shown,
    2: lambda shown: shown[:, ::-1],
    3: lambda shown: shown[::-1, ::-1],
    4: lambda shown: shown[::-1],
    5: lambda shown: shown.swapaxes(0, 1),
    6: lambda shown: np.rot90(shown),
    7: lambda shown: np.rot90(shown, 2).swapaxes(0, 1),
    8: lambda shown: np.rot90(shown, -1),
}


def folder(path, train, test=None):
    """An image folder of one class a picture; ``train`` is bytes, or pictures by name."""
    pictures = {"train": train, "test": train if test is None else test}
    for split, of_split in pictures.items():
        of_split = of_split if isinstance(of_split, dict) else {"0.png": of_split}
        for name, content in of_split.items():
            for label in "ab":
                (path / split / label).mkdir(parents=True, exist_ok=True)
                (path / split / label / name).write_bytes(content)
    return path


def saved(image, kind="PNG", **options):
    file = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(np.ascontiguousarray(image))
    image.save(file, kind, **options)
    return file.getvalue()


def refused(path, *parts):
    with pytest.raises(InputError) as caught:
        read(path)
    for part in (str(path), *parts):
        assert part in str(caught.value)


# EXIF


def turned(shown, orientation, kind):
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](shown)))
    exif = stored.getexif()
    exif[0x0112] = orientation
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}.get(kind, {})
    return saved(stored, kind, exif=exif.tobytes(), **options)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
@pytest.mark.parametrize("orientation", STORED)
def test_a_turned_picture_is_read_as_it_is_shown(orientation, kind, tmp_path):
    shown = np.repeat(np.repeat(BAR, 8, axis=0), 8, axis=1)
    content = turned(shown, orientation, kind)
    viewer = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB"))
    raw = read(folder(tmp_path, content))
    assert raw.x_train.shape == (2, 32, 48, 3)
    np.testing.assert_array_equal(raw.x_train[0], viewer)
    np.testing.assert_allclose(raw.x_train[0].astype(int), shown, atol=40 if kind == "JPEG" else 0)


def test_turned_and_upright_pictures_of_one_size_as_shown_go_together(tmp_path):
    raw = read(folder(tmp_path, {f"{number}.png": turned(BAR, number, "PNG") for number in STORED}))
    assert (raw.x_train == BAR).all()


def test_pictures_of_one_size_in_their_files_that_are_shown_in_two_are_refused(tmp_path):
    path = folder(tmp_path, {"0.png": saved(BAR), "1.png": turned(BAR.swapaxes(0, 1), 6, "PNG")})
    refused(path, "1.png has 4 x 6 pixels", "0.png 6 x 4, as they are shown")


@pytest.mark.parametrize("number", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_turns_nothing(number, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = number
    assert (read(folder(tmp_path, saved(BAR, exif=exif.tobytes()))).x_train == BAR).all()


def test_other_exif_data_turn_nothing(tmp_path):
    exif = Image.Exif()
    exif[0x010F] = "A camera"
    assert (read(folder(tmp_path, saved(BAR, exif=exif.tobytes()))).x_train == BAR).all()
    for exif in (b"", b"Exif\0\0"):
        assert (read(folder(tmp_path, saved(BAR, exif=exif))).x_train == BAR).all()


CUT = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("exif", [b"Exif\0\0garbage", CUT], ids=["garbage", "cut off"])
def test_exif_data_that_cannot_be_read_are_refused(exif, kind, tmp_path):
    path = folder(tmp_path, saved(BAR, kind, exif=exif))
    refused(path, "0.png has EXIF data that cannot be read", "save it again without them")


def test_the_previews_behind_a_cameras_photograph_do_not_count(tmp_path):
    photograph = Image.fromarray(np.full((8, 8), 90, np.uint8))
    preview = Image.fromarray(np.zeros((8, 8), np.uint8))
    raw = read(folder(tmp_path, saved(photograph, "MPO", save_all=True, append_images=[preview], quality=100)))
    assert (raw.x_train == 90).all()


# Several pictures


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_a_file_of_several_pictures_is_refused(kind, tmp_path):
    frames = [Image.fromarray(np.full((4, 6, 3), value, np.uint8)) for value in (10, 200, 90)]
    refused(folder(tmp_path, saved(frames[0], kind, save_all=True, append_images=frames[1:])), "holds 3 pictures")
    one = saved(frames[0], kind, **({"lossless": True} if kind == "WEBP" else {}))
    assert (read(folder(tmp_path, one)).x_train == 10).all()


# Palettes


def palette(colours, pixels, **options):
    image = Image.frombytes("P", (pixels.shape[1], pixels.shape[0]), pixels.astype(np.uint8).tobytes())
    image.putpalette([part for colour in colours for part in colour])
    return saved(image, **options)


PIXELS = np.arange(12).reshape(3, 4) % 3


def test_a_palette_of_greys_is_grey(tmp_path):
    raw = read(folder(tmp_path, palette([(200,) * 3, (7,) * 3, (90,) * 3], PIXELS)))
    assert raw.x_train.shape == (2, 3, 4, 1)
    np.testing.assert_array_equal(raw.x_train[0, ..., 0], np.array([200, 7, 90])[PIXELS])


def test_colours_of_a_palette_that_no_pixel_has_do_not_count(tmp_path):
    greys = [(200,) * 3, (7,) * 3, (90,) * 3]
    assert read(folder(tmp_path, palette([*greys, (255, 0, 0)], PIXELS))).x_train.shape == (2, 3, 4, 1)
    both = {"0.png": palette(greys, PIXELS), "1.png": palette([*greys[:2], (255, 0, 0)], PIXELS)}
    raw = read(folder(tmp_path, both))
    np.testing.assert_array_equal(raw.x_train[0], np.repeat(np.array([200, 7, 90])[PIXELS][..., None], 3, axis=-1))
    np.testing.assert_array_equal(raw.x_train[1], np.array([*greys[:2], (255, 0, 0)])[PIXELS])


def test_the_transparency_of_a_palette_counts_where_it_is_used(tmp_path):
    colours = [(200, 0, 0), (0, 7, 0), (0, 0, 90), (1, 2, 3)]
    refused(folder(tmp_path, palette(colours, PIXELS, transparency=1)), "transparent in parts")
    raw = read(folder(tmp_path, palette(colours, PIXELS, transparency=3)))
    np.testing.assert_array_equal(raw.x_train[0], np.array(colours)[PIXELS])


# Alpha

ALPHA = np.full((3, 4), 255, np.uint8)
PARTLY = np.where(PIXELS > 0, 255, 30).astype(np.uint8)
COLOUR = np.stack([PIXELS * 20, PIXELS * 9, PIXELS], axis=-1).astype(np.uint8)
WITH_ALPHA = {
    "RGBA": lambda alpha: saved(np.concatenate([COLOUR, alpha[..., None]], axis=-1)),
    "shape in alpha alone": lambda alpha: saved(np.concatenate([0 * COLOUR, alpha[..., None]], axis=-1)),
    "LA": lambda alpha: saved(np.stack([COLOUR[..., 0], alpha], axis=-1)),
    "WebP": lambda alpha: saved(np.concatenate([COLOUR, alpha[..., None]], axis=-1), "WEBP", lossless=True, exact=True),
}


@pytest.mark.parametrize("kind", WITH_ALPHA)
def test_what_is_transparent_in_parts_is_refused_and_the_same_alpha_everywhere_dropped(kind, tmp_path):
    make = WITH_ALPHA[kind]
    refused(folder(tmp_path, make(PARTLY)), "0.png is transparent in parts", "Image.alpha_composite")
    expected = 0 if kind.startswith("shape") else COLOUR[..., :1] if kind == "LA" else COLOUR
    for alpha in (255, 128):
        raw = read(folder(tmp_path, make(np.full_like(ALPHA, alpha))))
        assert raw.x_train.shape[-1] == (1 if kind == "LA" else 3)
        assert (raw.x_train == expected).all()


def test_the_advice_on_transparency_keeps_the_shape(tmp_path):
    image = Image.open(io.BytesIO(WITH_ALPHA["shape in alpha alone"](PARTLY)))
    image = image.convert("RGBA")
    image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    raw = read(folder(tmp_path, saved(image)))
    np.testing.assert_allclose(raw.x_train[0], 255 - np.repeat(PARTLY[..., None], 3, axis=-1), atol=1)


@pytest.mark.parametrize(("mode", "colour"), [("L", 40), ("RGB", (40, 18, 2))])
def test_a_colour_that_stands_for_transparent_is_transparent(mode, colour, tmp_path):
    image = Image.fromarray(COLOUR[..., 0] if mode == "L" else COLOUR)
    refused(folder(tmp_path, saved(image, transparency=colour)), "transparent in parts")


# More than 8 bits

DEEP = (np.arange(12).reshape(3, 4) * 5000).astype(np.uint16)


def png_16(channels, pixels):
    """A PNG of 16 bits a channel, which Pillow cannot write in colour."""
    import struct
    import zlib

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels.reshape(len(pixels), -1))
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 16, kind, 0, 0, 0)
    chunks = (b"IHDR" + header, b"IDAT" + zlib.compress(rows), b"IEND")
    parts = [struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_colours_of_16_bits_which_pillow_cuts_off_are_refused(channels, tmp_path):
    content = png_16(channels, np.repeat(DEEP[..., None], channels, axis=-1))
    assert Image.open(io.BytesIO(content)).mode in ("LA", "RGB", "RGBA")
    refused(folder(tmp_path, content), "has more than 8 bits a channel", "keeps the upper 8", "arrays of floats")
    (tmp_path / "again.png").write_bytes(content)
    Image.open(tmp_path / "again.png").save(tmp_path / "again.png")
    kept = np.asarray(Image.open(tmp_path / "again.png"))
    np.testing.assert_array_equal(kept[..., 0], DEEP >> 8)


PPM = {
    "P5": b"P5 2 1 65535\n" + bytes([1, 2, 30, 4]),
    "P5 of 12 bits": b"P5 2 1 4095\n" + bytes([1, 2, 3, 4]),
    "P2": b"P2 2 1 65535\n1 60000\n",
    "P6": b"P6 1 1 65535\n" + bytes([1, 2, 3, 4, 5, 6]),
    "P3": b"P3 1 1 4095\n1 2 3000\n",
    "floats": b"Pf 2 1\n-1.0\n" + np.array([0.5, 1], "<f4").tobytes(),
}


@pytest.mark.parametrize("kind", PPM)
def test_portable_maps_of_more_than_8_bits_are_refused(kind, tmp_path):
    refused(folder(tmp_path, {"0.ppm": PPM[kind]}), "0.ppm ", "8 bits a channel", "arrays of floats")


def test_portable_maps_of_up_to_8_bits_are_scaled(tmp_path):
    raw = read(folder(tmp_path, {"0.ppm": b"P5 3 1 4\n" + bytes([0, 1, 4])}))
    assert raw.x_train[0].ravel().tolist() == [0, 64, 255]


def test_the_advice_on_16_bits_keeps_the_picture(tmp_path):
    path = folder(tmp_path, saved(DEEP))
    refused(path, "is of mode I;16, with values from 0 to 55000", "np.asarray(image) / 257", "arrays of floats")
    image = Image.open(path / "train" / "a" / "0.png")
    raw = read(folder(tmp_path, saved(Image.fromarray((np.asarray(image) / 257).astype(np.uint8)))))
    assert len(np.unique(raw.x_train)) == 12
    np.testing.assert_allclose(raw.x_train[0, ..., 0] / 255, DEEP / 65535, atol=1 / 255)


# What stays


def test_pictures_of_several_modes_go_together(tmp_path):
    grey = Image.fromarray(COLOUR[..., 0])
    pictures = {"0.png": saved(grey), "1.png": saved(grey.convert("RGB")), "2.jpg": saved(grey.convert("CMYK"), "JPEG")}
    raw = read(folder(tmp_path, pictures))
    assert raw.x_train.shape == (6, 3, 4, 3)
    np.testing.assert_array_equal(raw.x_train[0], raw.x_train[1])


def test_half_a_picture_is_refused(tmp_path):
    for kind in ("PNG", "JPEG", "BMP", "WEBP"):
        content = saved(np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8), kind)
        refused(folder(tmp_path, content[: len(content) // 2]), "no image that can be decoded")


@pytest.mark.parametrize(
    ("kind", "saved_as"), [("TIFF", "TIFF"), ("JPEG 2000", "JPEG2000"), ("ICO", "ICO"), ("HEIF or AVIF", "AVIF")]
)
def test_whole_pictures_of_a_kind_that_is_not_read_are_not_called_damaged(kind, saved_as, tmp_path):
    with pytest.raises(InputError, match=rf"its kind is {kind}; expected PNG, JPEG, .*\. Save it as PNG\.") as caught:
        read(folder(tmp_path / "images", saved(np.arange(256, dtype=np.uint8).reshape(16, 16), saved_as)))
    assert "again" not in str(caught.value)


KINDS = {
    "JPEG XL": b"\xff\n",
    "PCX": b"\n\5\1\b",
    "DICOM": bytes(128) + b"DICM",
    "TGA": bytes(30) + b"TRUEVISION-XFILE.\0",
    "HEIF or AVIF": b"\0\0\0\x18ftypheic",
    "a film": b"\0\0\0\x18ftypisom",
}


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_that_are_not_read_are_told_by_their_first_bytes(kind, tmp_path):
    refused(folder(tmp_path, KINDS[kind] + bytes(40) * (kind != "TGA")), f"its kind is {kind}; expected PNG")
