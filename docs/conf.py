"""The documentation's site, which `make docs` builds into build/docs."""

from sphinx.application import Sphinx
from sphinx.ext.napoleon.docstring import GoogleDocstring

import gamedyn

project = "gamedyn"
author = "The gamedyn developers"
copyright = f"2026, {author}"
release = gamedyn.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "sphinx.ext.napoleon"]
myst_heading_anchors = 3

autodoc_default_options = {"members": True, "special-members": "__call__", "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_type_aliases = {"npt.ArrayLike": "ArrayLike"}
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
default_role = "code"  # docstrings write code in single backticks

html_theme = "furo"
html_title = f"gamedyn {release}"


def setup(app: Sphinx) -> None:
    """Take the text of an attribute for a sentence, colons included, and not for "type: description"."""
    GoogleDocstring._parse_attribute_docstring = lambda self: [*self._lines]
