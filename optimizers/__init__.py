"""The `torch.optim`-shaped door: everything of `torch.optim` and gamedyn's optimizers under one name.

Replace `import torch.optim as optim` by `import optimizers as optim` and the whole script keeps
running, with `optim.ACGD` and its family added. The canonical path is `gamedyn.optimizers`; this
package is an alias of it, and a root-level `optimizers.py` of your own shadows only the alias.
"""

from torch.optim import *  # noqa: F403
from torch.optim import __all__ as _torch_all
from torch.optim import lr_scheduler as lr_scheduler
from torch.optim import swa_utils as swa_utils

from gamedyn.optimizers import *  # noqa: F403
from gamedyn.optimizers import __all__ as _gamedyn_all

__all__ = sorted({*_torch_all, *_gamedyn_all, "lr_scheduler", "swa_utils"})
