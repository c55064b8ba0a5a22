"""What hidden units make of their sums, as NumPy and torch compute it."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from sparsefit.core.options import Condition

# Settings name activations, and are made before anything heavy is imported.
if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

Language: TypeAlias = Literal["formula", "latex", "python", "c", "about"]


@dataclass(frozen=True)
class Activation(ABC):
    """A function of one number, the same for all hidden units of a network.

    Attributes
    ----------
    name : str
        As `activation_named` takes it.
    is_homogeneous : bool
        Whether f(c z) = c f(z) for all c > 0: then the scale of a unit is free, and units whose
        incoming weights are parallel are one.
    is_odd : bool
        Whether f(-z) = -f(z).
    at_zero : float
        f(0): what units without inputs put out.
    bound : float
        The most that |f| may be.
    texts : mapping of str to str
        f(@) in a "formula" and in "latex"; for a variable @ in "python" with its math module, and
        in "c" with math.h; and what to say "about" it. See `text`.
    turn : float or None
        The t with f(z) = f(-z) + t z for all z, if there is one: by it a unit can be turned around
        at the price of a linear term.
    """

    name: ClassVar[str]
    is_homogeneous: ClassVar[bool] = False
    is_odd: ClassVar[bool] = False
    at_zero: ClassVar[float] = 0.0
    bound: ClassVar[float] = math.inf
    texts: ClassVar[Mapping[str, str]]

    @property
    def word(self) -> str:
        """What formulas call it."""
        return self.texts["formula"].partition("(")[0]

    @property
    def turn(self) -> float | None:
        """See above."""
        return None

    @abstractmethod
    def __call__(self, z: np.ndarray) -> np.ndarray:
        """Return f(z)."""

    @abstractmethod
    def with_slope(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return f(z) and f'(z); z may be overwritten."""

    @abstractmethod
    def module(self) -> nn.Module:
        """Return f as a module of torch."""

    def text(self, language: Language, words: str = "") -> str:
        """Return f as an expression of what the words stand for.

        Examples
        --------
        >>> RELU.text("formula", "2 age - 1"), RELU.text("c", "sum")
        ('relu(2 age - 1)', 'sum > 0.0f ? sum : 0.0f')
        """
        return self.texts[language].replace("@", words)

    def python_function(self) -> str:
        """Return Python text that defines `word` as a function of x; nothing for a ReLU.

        Examples
        --------
        >>> print(Tanh().python_function(), end="")
        import math
        <BLANKLINE>
        <BLANKLINE>
        def tanh(x):
            return math.tanh(x)
        """
        if self == RELU:  # max(0.0, x) needs no function
            return ""
        body = self.text("python", "x")
        text = f"def {self.word}(x):\n    return {body}\n"
        return f"import math\n\n\n{text}" if "math." in body else text

    def python_call(self, words: str) -> str:
        """Return f of some words in Python after `python_function`."""
        return self.text("python", words) if self == RELU else f"{self.word}({words})"

    def __str__(self) -> str:
        """Return what `activation_named` takes."""
        return self.name


@dataclass(frozen=True)
class ReLU(Activation):
    """max(z, 0)."""

    name: ClassVar[str] = "relu"
    texts: ClassVar[Mapping[str, str]] = {
        "about": "relu(x) is x where it is positive, else 0",
        "formula": "relu(@)",
        "latex": "(@)_+",
        "python": "max(0.0, @)",
        "c": "@ > 0.0f ? @ : 0.0f",
    }
    is_homogeneous: ClassVar[bool] = True

    @property
    def turn(self) -> float:
        """relu(z) = relu(-z) + z."""
        return 1.0

    def __call__(self, z: np.ndarray) -> np.ndarray:
        """Return f(z)."""
        return z.clip(min=0)

    def with_slope(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return f(z) and f'(z); z is overwritten."""
        slope = (z > 0).to(z.dtype)
        return z.clamp_(min=0), slope

    def module(self) -> nn.Module:
        """Return f as a module of torch."""
        from torch import nn

        return nn.ReLU()


@dataclass(frozen=True)
class LeakyReLU(Activation):
    """max(z, slope z), for 0 < slope < 1."""

    slope: float = 0.01
    name: ClassVar[str] = "leaky-relu"
    texts: ClassVar[Mapping[str, str]] = {
        "about": "leaky_relu(x) is x where it is positive, else SLOPE x",
        "formula": "leaky_relu(@, SLOPE)",
        "latex": "\\mathrm{leaky\\ relu}_{SLOPE}(@)",
        "python": "max(@, SLOPE * @)",
        "c": "@ > 0.0f ? @ : SLOPEf * @",
    }
    is_homogeneous: ClassVar[bool] = True

    @property
    def turn(self) -> float:
        """f(z) = f(-z) + (1 + slope) z."""
        return 1 + self.slope

    def __call__(self, z: np.ndarray) -> np.ndarray:
        """Return f(z)."""
        from numpy import where

        return where(z > 0, z, z * z.dtype.type(self.slope))

    def with_slope(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return f(z) and f'(z); z is overwritten."""
        slope = (z > 0).to(z.dtype).mul_(1 - self.slope).add_(self.slope)
        return z.mul_(slope), slope

    def module(self) -> nn.Module:
        """Return f as a module of torch."""
        from torch import nn

        return nn.LeakyReLU(self.slope)

    def text(self, language: Language, words: str = "") -> str:
        """Return f as an expression of what the words stand for."""
        return super().text(language, words).replace("SLOPE", repr(self.slope))

    def __str__(self) -> str:
        """Return the name and, unless it is the default, the slope."""
        return self.name if self.slope == type(self).slope else f"{self.name}:{self.slope!r}"


@dataclass(frozen=True)
class Tanh(Activation):
    """The hyperbolic tangent."""

    name: ClassVar[str] = "tanh"
    texts: ClassVar[Mapping[str, str]] = {
        "about": "tanh(x) is the hyperbolic tangent",
        "formula": "tanh(@)",
        "latex": "\\tanh(@)",
        "python": "math.tanh(@)",
        "c": "tanhf(@)",
    }
    is_odd: ClassVar[bool] = True
    bound: ClassVar[float] = 1.0

    def __call__(self, z: np.ndarray) -> np.ndarray:
        """Return f(z)."""
        from numpy import tanh

        value: np.ndarray = tanh(z)
        return value

    def with_slope(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return f(z) and f'(z); z is overwritten."""
        z.tanh_()
        return z, 1 - z.square()

    def module(self) -> nn.Module:
        """Return f as a module of torch."""
        from torch import nn

        return nn.Tanh()


@dataclass(frozen=True)
class Sigmoid(Activation):
    """1 / (1 + exp(-z))."""

    name: ClassVar[str] = "sigmoid"
    texts: ClassVar[Mapping[str, str]] = {
        "about": "sigmoid(x) is 1 / (1 + exp(-x))",
        "formula": "sigmoid(@)",
        "latex": "\\sigma(@)",
        "python": "0.5 + 0.5 * math.tanh(0.5 * @)",
        "c": "0.5f + 0.5f * tanhf(0.5f * @)",
    }
    at_zero: ClassVar[float] = 0.5
    bound: ClassVar[float] = 1.0

    def __call__(self, z: np.ndarray) -> np.ndarray:
        """Return f(z)."""
        from scipy.special import expit

        value: np.ndarray = expit(z)
        return value

    def with_slope(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return f(z) and f'(z); z is overwritten."""
        z.sigmoid_()
        return z, z * (1 - z)

    def module(self) -> nn.Module:
        """Return f as a module of torch."""
        from torch import nn

        return nn.Sigmoid()


@dataclass(frozen=True)
class GELU(Activation):
    """z times the normal distribution function of z.

    References
    ----------
    D. Hendrycks and K. Gimpel, Gaussian error linear units, 2016, arXiv:1606.08415.
    """

    name: ClassVar[str] = "gelu"
    texts: ClassVar[Mapping[str, str]] = {
        "about": "gelu(x) is x times the normal distribution function of x",
        "formula": "gelu(@)",
        "latex": "\\mathrm{gelu}(@)",
        "python": "0.5 * @ * (1.0 + math.erf(@ / 2.0**0.5))",
        "c": "0.5f * @ * (1.0f + erff(0.70710678f * @))",
    }

    @property
    def turn(self) -> float:
        """gelu(z) = gelu(-z) + z."""
        return 1.0

    def __call__(self, z: np.ndarray) -> np.ndarray:
        """Return f(z)."""
        from scipy.special import ndtr

        value: np.ndarray = z * ndtr(z)
        return value

    def with_slope(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return f(z) and f'(z)."""
        share = (z * math.sqrt(0.5)).erf_().add_(1).mul_(0.5)
        density = (z.square() * -0.5).exp_().mul_(1 / math.sqrt(2 * math.pi))
        return z * share, density.mul_(z).add_(share)

    def module(self) -> nn.Module:
        """Return f as a module of torch."""
        from torch import nn

        return nn.GELU()


@dataclass(frozen=True)
class Sine(Activation):
    """The sine, as of networks for images and other signals.

    References
    ----------
    V. Sitzmann et al., Implicit neural representations with periodic activation functions, NeurIPS
    2020, arXiv:2006.09661. Their factor omega is part of the weights here.
    """

    name: ClassVar[str] = "sine"
    texts: ClassVar[Mapping[str, str]] = {
        "about": "sin(x) is the sine of x radians",
        "formula": "sin(@)",
        "latex": "\\sin(@)",
        "python": "math.sin(@)",
        "c": "sinf(@)",
    }
    is_odd: ClassVar[bool] = True
    bound: ClassVar[float] = 1.0

    def __call__(self, z: np.ndarray) -> np.ndarray:
        """Return f(z)."""
        from numpy import sin

        value: np.ndarray = sin(z)
        return value

    def with_slope(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return f(z) and f'(z); z is overwritten."""
        slope = z.cos()
        return z.sin_(), slope

    def module(self) -> nn.Module:
        """Return f as a module of torch."""
        from torch import nn

        class SineModule(nn.Module):
            def forward(self, z: Tensor) -> Tensor:
                return z.sin()

        return SineModule()


RELU = ReLU()
ACTIVATIONS: dict[str, type[Activation]] = {
    kind.name: kind for kind in (ReLU, LeakyReLU, Tanh, Sigmoid, GELU, Sine)
}


def activation_named(text: str) -> Activation:
    """Return the activation that a text names; a slope of leaky-relu comes after a colon.

    Raises
    ------
    ValueError
        If there is none.

    Examples
    --------
    >>> import numpy as np
    >>> activation_named("tanh")(np.array([0.0])).tolist()
    [0.0]
    >>> activation_named("leaky-relu:0.1")(np.array([-2.0, 3.0])).tolist()
    [-0.2, 3.0]
    """
    if match := re.fullmatch(r"leaky-relu:([\d.e+-]+)", text):
        slope = float(match[1])
        if 0 < slope < 1:
            return LeakyReLU(slope)
    elif text in ACTIVATIONS:
        return ACTIVATIONS[text]()
    raise ValueError(f"{text!r} is no activation")


def _is_activation(text: str) -> bool:
    try:
        activation_named(text)
    except ValueError:
        return False
    return True


# The names without more are words of the option.
ActivationName: TypeAlias = (
    str | Literal["relu", "leaky-relu", "tanh", "sigmoid", "gelu", "sine"]
)  # fmt: skip
ACTIVATION = Condition(
    _is_activation, "leaky-relu:SLOPE, with a slope between 0 and 1,", "leaky-relu:SLOPE"
)
