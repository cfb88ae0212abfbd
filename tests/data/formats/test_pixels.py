"""What lies beside the pixels of a picture: how it is turned, palettes, alpha, more bits, more pictures."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.data.writers import folder, png, raw_png
from tests.refusals import refused
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


def pictures(path, content):
    """An image folder of two classes with these pictures; bytes are a single one."""
    named = content if isinstance(content, dict) else {"0.png": content}
    splits = [(split, label) for split in ("train", "test") for label in "ab"]
    return folder({f"{split}/{label}/{name}": named[name] for split, label in splits for name in named}, path)


@pytest.fixture
def pixels(tmp_path):
    """Read training images of a folder of pictures."""
    return lambda content: read(pictures(tmp_path / str(len([*tmp_path.iterdir()])), content)).x_train


@pytest.fixture
def check(tmp_path):
    """Check that pictures are refused with these facts."""

    def check(content, *mentions):
        path = pictures(tmp_path / str(len([*tmp_path.iterdir()])), content)
        with refused(None, None, str(path), *mentions):
            read(path)

    return check


# EXIF


def turned(shown, orientation, kind="PNG"):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}.get(kind, {})
    return png(STORED[orientation](shown), format=kind, exif=exif.tobytes(), **options)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
def test_a_turned_picture_is_read_as_it_is_shown_and_exif_data_that_cannot_be_read_are_refused(kind, pixels, check):
    shown = np.repeat(np.repeat(BAR, 8, axis=0), 8, axis=1)
    for orientation in STORED if kind == "PNG" else (6,):
        content = turned(shown, orientation, kind)
        images = pixels(content)
        assert images.shape == (2, 32, 48, 3)
        np.testing.assert_allclose(images[0].astype(int), shown, atol=40 if kind == "JPEG" else 0)
    for exif in (b"Exif\0\0garbage", b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0"):
        check(png(BAR, format=kind, exif=exif), "0.png has EXIF data that cannot be read")


def test_turned_pictures_go_together_if_their_sizes_as_shown_are_equal_and_other_exif_data_turn_nothing(pixels, check):
    assert (pixels({f"{number}.png": turned(BAR, number) for number in STORED}) == BAR).all()
    check({"0.png": png(BAR), "1.png": turned(BAR.swapaxes(0, 1), 6)}, "1.png has 4 x 6 pixels", "0.png 6 x 4")
    for tag, value in ((0x0112, 9), (0x010F, "A camera")):
        exif = Image.Exif()
        exif[tag] = value
        assert (pixels(png(BAR, exif=exif.tobytes())) == BAR).all()
    assert (pixels(png(BAR, exif=b"Exif\0\0")) == BAR).all()


# Several pictures


def test_a_file_of_several_pictures_is_refused_but_for_the_previews_of_a_camera(pixels, check):
    first, *others = [Image.fromarray(np.full((8, 8, 3), value, np.uint8)) for value in (10, 200, 90)]
    for kind in ("GIF", "PNG", "WEBP"):
        check(png(first, format=kind, save_all=True, append_images=others), "holds 3 pictures")
    assert (pixels(png(first, format="MPO", save_all=True, append_images=others, quality=100)) == 10).all()


# Palettes and alpha

PIXELS = np.arange(12).reshape(3, 4) % 3
GREYS = [(200,) * 3, (7,) * 3, (90,) * 3]


def palette(colours, **options):
    image = Image.frombytes("P", (4, 3), PIXELS.astype(np.uint8).tobytes())
    image.putpalette([part for colour in colours for part in colour])
    return png(image, **options)


def test_a_palette_is_grey_or_transparent_if_the_colours_of_its_pixels_are(pixels, check):
    for colours in (GREYS, [*GREYS, (255, 0, 0)]):
        np.testing.assert_array_equal(pixels(palette(colours))[0], np.array([200, 7, 90])[PIXELS][..., None])
    images = pixels({"0.png": palette(GREYS), "1.png": palette([*GREYS[:2], (255, 0, 0)])})
    for image, colours in zip(images, (GREYS, [*GREYS[:2], (255, 0, 0)]), strict=False):
        np.testing.assert_array_equal(image, np.array(colours)[PIXELS])
    colours = [(200, 0, 0), (0, 7, 0), (0, 0, 90), (1, 2, 3)]
    check(palette(colours, transparency=1), "transparent in parts")
    np.testing.assert_array_equal(pixels(palette(colours, transparency=3))[0], np.array(colours)[PIXELS])


PARTLY = np.where(PIXELS > 0, 255, 30).astype(np.uint8)
COLOUR = np.stack([PIXELS * 20, PIXELS * 9, PIXELS], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("kind", ["RGBA", "LA", "WebP"])
def test_pictures_transparent_in_parts_are_refused_and_the_same_alpha_everywhere_is_dropped(kind, pixels, check):
    colour = COLOUR[..., :1] if kind == "LA" else COLOUR
    options = {"format": "WEBP", "lossless": True, "exact": True} if kind == "WebP" else {}

    def content(alpha):
        return png(np.concatenate([colour, alpha[..., None]], axis=-1), **options)

    check(content(PARTLY), "0.png is transparent in parts", "Image.alpha_composite")
    images = pixels(content(np.full_like(PARTLY, 128)))
    assert (images[0] == colour).all()
    assert images.shape[-1] == colour.shape[-1]
    check(png(COLOUR[..., 0], transparency=40), "transparent in parts")


# More than 8 bits

DEEP = (np.arange(12).reshape(3, 4) * 5000).astype(np.uint16)


def test_channels_of_16_bits_which_pillow_cuts_off_are_refused(check):
    for channels, kind in ((2, 4), (3, 2), (4, 6)):
        pixels = np.repeat(DEEP[..., None], channels, axis=-1).astype(">u2")
        content = raw_png(4, 3, 16, kind, b"".join(b"\0" + row.tobytes() for row in pixels))
        assert Image.open(io.BytesIO(content)).mode in ("LA", "RGB", "RGBA")
        check(content, "more than 8 bits a channel", "keeps the upper 8", "arrays of floats")
    check(png(DEEP), "I;16", "from 0 to 55000", "np.asarray(image) / 257")


def test_portable_maps_are_scaled_up_to_8_bits_and_refused_beyond(pixels, check):
    assert pixels({"0.ppm": b"P5 3 1 4\n" + bytes([0, 1, 4])})[0].ravel().tolist() == [0, 64, 255]
    floats = b"Pf 2 1\n-1.0\n" + np.array([0.5, 1], "<f4").tobytes()
    deep = b"P5 2 1 65535\n" + bytes([1, 2, 30, 4]), b"P2 2 1 65535\n1 60000\n", b"P3 1 1 4095\n1 2 3000\n"
    for content in (*deep, floats):
        check({"0.ppm": content}, "0.ppm ", "8 bits a channel", "arrays of floats")


# Modes and kinds


def test_pictures_of_several_modes_go_together_and_half_a_picture_is_refused(pixels, check):
    for kind in ("JPEG", "BMP", "WEBP"):
        content = png(np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8), format=kind)
        check(content[: len(content) // 2], "no image that can be decoded")
    grey = Image.fromarray(COLOUR[..., 0])
    np.testing.assert_array_equal(pixels(png(PARTLY > 99))[0, ..., 0], np.where(PARTLY > 99, 255, 0))
    cmyk = png(grey.convert("CMYK"), format="JPEG")
    images = pixels({"0.png": png(grey), "1.png": png(grey.convert("RGB")), "2.jpg": cmyk})
    assert images.shape == (6, 3, 4, 3)
    np.testing.assert_array_equal(images[0], images[1])


SQUARE = np.arange(256, dtype=np.uint8).reshape(16, 16)
KINDS = {
    "TIFF": png(SQUARE, format="TIFF"), "JPEG 2000": png(SQUARE, format="JPEG2000"), "ICO": png(SQUARE, format="ICO"),
    "HEIF or AVIF": png(SQUARE, format="AVIF"), "JPEG XL": b"\xff\n" + bytes(40), "PCX": b"\n\5\1\b" + bytes(40),
    "DICOM": bytes(128) + b"DICM" + bytes(40), "TGA": bytes(30) + b"TRUEVISION-XFILE.\0",
    "HEIF or AVIF ": b"\0\0\0\x18ftypheic" + bytes(40), "a film": b"\0\0\0\x18ftypisom" + bytes(40),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_that_are_not_read_are_named_and_not_called_damaged(kind, tmp_path):
    with pytest.raises(InputError, match=f"its kind is {kind.strip()}; ") as error:
        read(pictures(tmp_path / "images", KINDS[kind]))
    assert "again" not in str(error.value)
