"""Sphinx configuration for `make docs`. The build needs neither network nor GPU."""

import importlib.metadata
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "tfticket"
author = "the tfticket authors"
project_copyright = "2026 the tfticket authors"
release = importlib.metadata.version("tfticket")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "generated"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"tfticket {release}"
html_static_path = ["_static"]
html_css_files = ["page.css"]
html_copy_source = False
html_last_updated_fmt = None

napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_attr_annotations = False
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
maximum_signature_line_length = 88
python_use_unqualified_type_names = True
