"""Matrix-free linear algebra for games: mixed-Hessian operators, conjugate gradients, GMRES.

A vector is a `list[Tensor]`. Operators are applied, never formed. Every solve returns a `Solution` whose
residual is the true one and whose result is a sentence.
"""

from gamedyn.solvers.cg import cg as cg
from gamedyn.solvers.double_backward import refuse_once_differentiable as refuse_once_differentiable
from gamedyn.solvers.engines import ENGINES as ENGINES
from gamedyn.solvers.engines import ArrayEngine as ArrayEngine
from gamedyn.solvers.engines import load_engine as load_engine
from gamedyn.solvers.general_sum import GeneralSumSystem as GeneralSumSystem
from gamedyn.solvers.gmres import gmres as gmres
from gamedyn.solvers.linearisation import Linearisation as Linearisation
from gamedyn.solvers.mixed_hessian import Coupling as Coupling
from gamedyn.solvers.mixed_hessian import GradientProduct as GradientProduct
from gamedyn.solvers.mixed_hessian import MixedHessian as MixedHessian
from gamedyn.solvers.mixed_hessian import ScaledCoupling as ScaledCoupling
from gamedyn.solvers.solution import Result as Result
from gamedyn.solvers.solution import Solution as Solution
from gamedyn.solvers.solve import solve as solve
from gamedyn.solvers.zero_sum import ZeroSumSystem as ZeroSumSystem
