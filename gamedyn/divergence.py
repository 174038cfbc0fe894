"""What says that training diverged: optimizers raise it, and comparisons of many settings count it."""


class DivergenceError(RuntimeError):
    """Raised when too many steps in a row were skipped because something was not finite."""
