"""The models that stand for neural networks."""

from sparsefit.models.factored_relu import FactoredReLU
from sparsefit.models.gated_relu import GatedReLU

NetworkModel = GatedReLU | FactoredReLU
