"""Derivatives of the losses, near and far from the targets."""

import pytest
import torch

from sparsefit.core.datafits import DATAFITS, Huber


def scores_and_targets(loss):
    generator = torch.Generator().manual_seed(0)
    z = 3 * torch.randn(40, 3, generator=generator, dtype=torch.float64)
    y = torch.randn(40, 3, generator=generator, dtype=torch.float64)
    if loss in ("logistic", "softmax"):
        y = torch.nn.functional.one_hot(y.argmax(1), 3).double()
    return z, y


@pytest.mark.parametrize("loss", DATAFITS)
def test_the_gradient_is_that_of_the_value(loss):
    z, y = scores_and_targets(loss)
    datafit = DATAFITS[loss]()
    z.requires_grad_()
    [expected] = torch.autograd.grad(datafit.value(z, y), z)
    torch.testing.assert_close(datafit.gradient(z.detach(), y), expected)


def test_the_parabola_of_huber_is_nowhere_below_it():
    z, y = scores_and_targets("huber")
    z, y, datafit = z.ravel()[:, None], y.ravel()[:, None], Huber()
    to = torch.linspace(-15, 15, 301, dtype=torch.float64).expand(len(z), -1)
    loss = torch.nn.functional.huber_loss(to, y.expand_as(to), reduction="none")
    at = torch.nn.functional.huber_loss(z, y, reduction="none")
    parabola = at + datafit.gradient(z, y) * (to - z) + datafit.curvature(z, y) / 2 * (to - z) ** 2
    assert (parabola >= loss - 1e-12).all()
    [root] = datafit.curvature_roots(z, y)
    torch.testing.assert_close(root.square(), datafit.curvature(z, y))
