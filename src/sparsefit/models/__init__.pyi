from .base import Atoms as Atoms
from .base import Block as Block
from .base import BlockModel as BlockModel
from .base import SupportMatrix as SupportMatrix
from .factored_relu import FactoredReLU as FactoredReLU
from .gated_relu import GatedReLU as GatedReLU
from .gaussian_sensing import GaussianSensing as GaussianSensing
from .networks import NetworkModel as NetworkModel
