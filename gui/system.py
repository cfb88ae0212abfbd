"""System requirements of the window, checked before Qt is imported."""

import ctypes
import os
import sys
from collections.abc import Mapping

# Library -> Debian package. Qt itself needs the first table, its platform plugin one of the others.
_ALWAYS = {
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libfontconfig.so.1": "libfontconfig1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libglib-2.0.so.0": "libglib2.0-0",
}
_ON_WAYLAND = {"libwayland-client.so.0": "libwayland-client0", "libwayland-cursor.so.0": "libwayland-cursor0"}
_ON_X11 = {
    "libX11-xcb.so.1": "libx11-xcb1",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}


def missing_requirement(environment: Mapping[str, str] = os.environ) -> str | None:
    """Return why no window can open in this environment and how to mend it; None if it can."""
    if not sys.platform.startswith("linux"):
        return None
    platform = environment.get("QT_QPA_PLATFORM", "")
    headless = platform in ("offscreen", "minimal", "vnc")
    wayland = platform.startswith("wayland") or (not platform and bool(environment.get("WAYLAND_DISPLAY")))
    if not headless and not wayland and not environment.get("DISPLAY"):
        return (
            "There is no display: DISPLAY and WAYLAND_DISPLAY are empty. Start the window in a desktop session or over "
            "ssh -X. Without a display, `tfticket list`, `show` and `report` print the same information."
        )
    needed = _ALWAYS | ({} if headless else _ON_WAYLAND if wayland else _ON_X11)
    missing = [package for library, package in needed.items() if not _loads(library)]
    if missing:
        return (
            "The window needs system libraries that are not installed. On Debian or Ubuntu: "
            f"sudo apt-get install {' '.join(missing)}"
        )
    return None


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
