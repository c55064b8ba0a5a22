from .base import Solver as Solver
from .base import SolveResult as SolveResult
from .batches import Batches as Batches
from .iht import AIHT as AIHT
from .iht import SketchedIHT as SketchedIHT
from .layerwise import fit_layerwise as fit_layerwise
from .layerwise import recover_vector as recover_vector
