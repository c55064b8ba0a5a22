"""Derivatives of the losses, near and far from the targets."""

import pytest
import torch

from sparsefit.core.datafits import DATAFITS, Huber, curvature_roots


def scores_and_targets(loss):
    generator = torch.Generator().manual_seed(0)
    z = 3 * torch.randn(40, 3, generator=generator, dtype=torch.float64)
    y = torch.randn(40, 3, generator=generator, dtype=torch.float64)
    if loss == "poisson":
        y = y.abs().round()
    if loss in ("logistic", "softmax"):
        y = torch.nn.functional.one_hot(y.argmax(1), 3).double()
    return z, y


def test_counts_far_off_give_no_overflow_and_no_deviance_where_they_are_right():
    y = torch.tensor([0.0, 1.0, 50.0])
    datafit = DATAFITS["poisson"]()
    assert float(datafit.value(y.log().clamp(min=-30), y)) == pytest.approx(0, abs=1e-4)
    far = torch.tensor([1e4, -1e4, 1e4])
    assert torch.isfinite(datafit.value(far, y))
    assert (datafit.gradient(far, y).sign() == torch.tensor([1, -1, 1])).all()


@pytest.mark.parametrize("loss", DATAFITS)
def test_the_gradient_is_that_of_the_value(loss):
    z, y = scores_and_targets(loss)
    datafit = DATAFITS[loss]()
    z.requires_grad_()
    [expected] = torch.autograd.grad(datafit.value(z, y), z)
    torch.testing.assert_close(datafit.gradient(z.detach(), y), expected)


@pytest.mark.parametrize("loss", DATAFITS)
def test_the_losses_of_rows_sum_to_the_value_alone_and_stacked(loss):
    z, y = scores_and_targets(loss)
    datafit = DATAFITS[loss]()
    torch.testing.assert_close(datafit.losses(z, y).sum(), datafit.value(z, y))
    stacked = datafit.losses(torch.stack([z, -z]), torch.stack([y, y]))
    torch.testing.assert_close(stacked[1], datafit.losses(-z, y))
    # Outputs of a stack lie with their rows together: layout must not matter.
    turned = z.T.contiguous().T
    torch.testing.assert_close(datafit.losses(turned, y), datafit.losses(z, y))
    torch.testing.assert_close(datafit.gradient(turned, y), datafit.gradient(z, y))


@pytest.mark.parametrize("loss", ["squared", "logistic", "softmax"])
def test_the_roots_of_the_curvature_give_the_second_derivative(loss):
    z, y = scores_and_targets(loss)
    datafit = DATAFITS[loss]()
    expected = torch.autograd.functional.hessian(lambda row: datafit.value(row[None], y[:1]), z[0])
    roots = [root[0] for root in curvature_roots(datafit, z, y)]
    torch.testing.assert_close(sum(torch.outer(root, root) for root in roots), expected)


def test_the_parabola_of_huber_is_nowhere_below_it():
    z, y = scores_and_targets("huber")
    z, y, datafit = z.ravel()[:, None], y.ravel()[:, None], Huber()
    to = torch.linspace(-15, 15, 301, dtype=torch.float64).expand(len(z), -1)
    loss = torch.nn.functional.huber_loss(to, y.expand_as(to), reduction="none")
    at = torch.nn.functional.huber_loss(z, y, reduction="none")
    parabola = at + datafit.gradient(z, y) * (to - z) + datafit.curvature(z, y) / 2 * (to - z) ** 2
    assert (parabola >= loss - 1e-12).all()
    [root] = curvature_roots(datafit, z, y)
    torch.testing.assert_close(root.square(), datafit.curvature(z, y))
