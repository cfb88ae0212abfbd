"""Decoding of a picture to pixels, with EXIF rotation and palettes applied. Lossy conversions are refused."""

import warnings

import numpy as np
from PIL import Image, ImageOps

from tfticket.data.formats.raw import error_line
from tfticket.errors import InputError

GREY = {"1", "L", "LA"}
PALETTE = {"P", "PA"}
COLOUR = {"RGB", "RGBA", "CMYK", "YCbCr"}
PHOTOGRAPH = "MPO"
"""Format of cameras: a JPEG followed by previews of itself."""
PNG = b"\x89PNG\r\n\x1a\n"
PNG_DEPTH = 24
"""Position of a PNG's byte with the bits per channel."""
START = PNG_DEPTH + 1


def decode(where: str, image: Image.Image, start: bytes) -> np.ndarray:
    """Decode an opened picture.

    Returns:
        uint8 [height, width] if it is grey, palettes of greys included, else [height, width, 3].
    """
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != PHOTOGRAPH:
        raise InputError(f"{where} holds {frames} pictures; expected one. Save the one you mean as PNG.")
    _check_depth(where, image, start)
    _turn(where, image)
    _check_opaque(where, image)
    mode = "L" if image.mode in GREY else "RGB"
    pixels = np.asarray(image if image.mode == mode else image.convert(mode))
    if mode == "L":
        return pixels
    grey = image.mode in PALETTE and (pixels == pixels[..., :1]).all()
    return pixels[..., 0] if grey else pixels


def _check_depth(where: str, image: Image.Image, start: bytes) -> None:
    """Check that no channel has more than 8 bits, which Pillow would clip or truncate silently."""
    if image.mode not in GREY | PALETTE | COLOUR:
        low, high = image.getextrema()
        raise InputError(
            f"{where} is of mode {image.mode}, with values from {low} to {high}; expected 8 bits a channel. Pillow's "
            "convert would clip them. Scale all pictures alike, for the whole range of 16 bits by "
            "Image.fromarray((np.asarray(image) / 257).astype(np.uint8)); or give their pixels as arrays of floats."
        )
    parts = [tile.args for tile in getattr(image, "tile", ()) if image.format == "PPM"]
    deep = any(isinstance(part, tuple) and part[-1] > 255 for part in parts)
    if deep or (start.startswith(PNG) and start[PNG_DEPTH] == 16):
        raise InputError(
            f"{where} has more than 8 bits a channel; expected 8. Image.open(path).save(path) keeps the upper 8; to "
            "keep all, give the pixels as arrays of floats."
        )


def _turn(where: str, image: Image.Image) -> None:
    """Rotate a picture according to its EXIF data."""
    try:
        if exif := image.info.get("exif"):
            with warnings.catch_warnings():
                warnings.simplefilter("error", UserWarning)
                Image.Exif().load(exif)
    except Exception as error:  # Pillow has no list of what it raises at damaged EXIF data
        raise InputError(
            f"{where} has EXIF data that cannot be read ({error_line(error)}), and they may say how it is turned. See "
            "how it is to be shown, and save it again without them: Image.open(path).save(path)."
        ) from None
    ImageOps.exif_transpose(image, in_place=True)


def _check_opaque(where: str, image: Image.Image) -> None:
    """Check that alpha is the same everywhere."""
    if not image.has_transparency_data:
        return
    low, high = image.convert("RGBA").getchannel("A").getextrema()
    if low != high:
        raise InputError(
            f"{where} is transparent in parts; expected none, for what lies behind would decide what it shows. Put it "
            "on a background: image = image.convert('RGBA'); "
            "Image.alpha_composite(Image.new('RGBA', image.size, 'white'), image).convert('RGB')."
        )
