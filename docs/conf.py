"""The documentation's site, which `make docs` builds into build/docs."""

import gamedyn

project = "gamedyn"
author = "The gamedyn developers"
copyright = f"2026, {author}"
release = gamedyn.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "sphinx.ext.napoleon"]
myst_heading_anchors = 3
suppress_warnings = ["myst.xref_missing"]  # of the gallery's anchors, which are HTML for GitHub

autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
default_role = "code"  # docstrings write code in single backticks

html_theme = "furo"
html_title = f"gamedyn {release}"
