"""How far to go along a direction."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor


def quadratic_step(gradient: Tensor, squared_image: Tensor) -> Tensor:
    """Return the minimiser of 1/2 ||r - mu A g||^2 for g = A^T r, which is |g|^2 / |A g|^2.

    Parameters
    ----------
    gradient : Tensor of shape (s,)
        g on the present support.
    squared_image : Tensor
        |A_S g|^2, a scalar.

    Returns
    -------
    Tensor
        A scalar; 1e-14 on an empty support, where any direction is as good.
    """
    if len(gradient) == 0:
        return gradient.new_tensor(1e-14)
    return gradient.square().sum() / (squared_image + 1e-8)


def armijo(
    value_at: Callable[[Tensor], Tensor],
    start: Tensor,
    slope: Tensor,
    step: Tensor,
    *,
    decrease: float = 0.45,
    max_halvings: int = 10,
) -> tuple[Tensor, bool]:
    """Halve `step` until the value has fallen enough (Armijo's condition).

    Parameters
    ----------
    value_at : callable
        The value after a step of the given length along the negative gradient.
    start : Tensor
        The value at length 0.
    slope : Tensor
        Squared norm of the gradient.
    step : Tensor
        First length to try.
    decrease : float, optional
        Asked share of the decrease that the slope promises. MLP-IHT asks for 0.9 of the slope
        g = A^T r on ||r||^2, whose derivative is 2 g: for 1/2 ||r||^2 that is 0.45.
    max_halvings : int, optional
        Give up after that many.

    Returns
    -------
    step : Tensor
        The last length, also after giving up.
    accepted : bool
    """
    for _ in range(max_halvings + 1):
        if bool(value_at(step) <= start - decrease * step * slope):
            return step, True
        step = step / 2
    return step, False
