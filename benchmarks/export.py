"""A digits classifier of few weights in C, beside a dense one in onnxruntime, in one run.

    python benchmarks/export.py [--nnz 500] [--hidden 32] [--number float]
        [--epochs 100]

Needs a C compiler, onnx and onnxruntime. Prints the bytes of the tables, on how many test rows the
labels are those of Python, the time of one row in C and of one call of onnxruntime with one row,
for the dense network of as many hidden units and for the sparse one, and the sizes of their files.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from sparsefit.core.problem import Problem
from sparsefit.core.setting import Setting
from sparsefit.export import export
from sparsefit.methods.dense import DenseTraining
from sparsefit.methods.fisher_gmp import FisherPruning
from sparsefit.predictor import Column, Predictor
from sparsefit.tasks.digits import Digits

TOY = ["--nnz", "20", "--hidden", "2", "--epochs", "1"]
TIMER = r"""
#include <stdio.h>
#include <time.h>
#include "model.h"
static float rows[ROWS * 64];
int main(void) {
  FILE *file = fopen("rows.f32", "rb");
  if (!file || fread(rows, 64 * sizeof(float), ROWS, file) != ROWS) return 1;
  for (int i = 0; i < ROWS; i++) printf("%d ", model_classify(rows + 64 * i));
  double best = 1e9;
  long sum = 0;
  for (int repeat = 0; repeat < 9; repeat++) {
    clock_t start = clock();
    for (int round = 0; round < 100; round++)
      for (int i = 0; i < ROWS; i++) sum += model_classify(rows + 64 * i);
    double one = (double)(clock() - start) / CLOCKS_PER_SEC / (100.0 * ROWS);
    if (one < best) best = one;
  }
  fprintf(stderr, "%.9f %ld", best, sum);
  return 0;
}
"""


def fitted(
    method: type[FisherPruning | DenseTraining], problem: Problem, args: argparse.Namespace
) -> Predictor:
    """Fit a network to the digits."""
    setting = Setting(hidden=args.hidden)
    [(_, fit)] = method(epochs=args.epochs).path(problem, [args.nnz], setting)
    columns = tuple(Column(name=f"p{at}") for at in range(64))
    return Predictor(
        network=fit.network, columns=columns, targets=("digit",), classes=tuple("0123456789")
    )  # fmt: skip


def in_c(
    model: Predictor, rows: np.ndarray, number: str, folder: Path
) -> tuple[int, list[int], float]:
    """Return the bytes of the tables, the labels and the seconds of one row."""
    export(model, "c", folder / "model.h", number=number)
    [table_bytes] = re.findall(r"TABLE_BYTES (\d+)", (folder / "model.h").read_text())
    rows.tofile(folder / "rows.f32")
    (folder / "timer.c").write_text(TIMER.replace("ROWS", str(len(rows))))
    subprocess.run(["cc", "-O2", "timer.c", "-o", "timer", "-lm"], cwd=folder, check=True)
    done = subprocess.run(["./timer"], cwd=folder, check=True, capture_output=True, text=True)
    labels = [int(label) for label in done.stdout.split()]
    return int(table_bytes), labels, float(done.stderr.split()[0])


def in_onnxruntime(model: Predictor, rows: np.ndarray, path: Path) -> tuple[int, float]:
    """Return the bytes of the file, and the seconds of one call with one row."""
    export(model, "onnx", path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name, times = session.get_inputs()[0].name, []
    for _ in range(9):
        start = time.perf_counter()
        for row in rows:
            session.run(None, {name: row[None]})
        times.append((time.perf_counter() - start) / len(rows))
    return path.stat().st_size, min(times)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nnz", type=int, default=500)
    parser.add_argument("--hidden", type=int, default=32)
    parser.add_argument("--number", choices=("float", "int16"), default="float")
    parser.add_argument("--epochs", type=int, help="in place of what the method does by itself")
    args = parser.parse_args(argv)
    problem = Digits().load(Setting(hidden=args.hidden), args.nnz)
    assert problem.X_test is not None
    rows = problem.X_test.astype(np.float32)
    sparse = fitted(FisherPruning, problem, args)
    dense = fitted(DenseTraining, problem, args)
    expected = sparse.class_numbers(sparse.outputs(rows.astype(np.float64)))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table_bytes, labels, seconds = in_c(sparse, rows, args.number, folder)
        dense_bytes, dense_seconds = in_onnxruntime(dense, rows, folder / "dense.onnx")
        sparse_bytes, sparse_seconds = in_onnxruntime(sparse, rows, folder / "sparse.onnx")
    alike = int(np.sum(np.array(labels) == expected))
    print(f"weights {sparse.network.nnz}, accuracy {np.mean(expected == problem.y_test):.3f}")
    print(f"C: tables {table_bytes} bytes, {alike} of {len(rows)} labels alike")
    print(f"C: {1e9 * seconds:.0f} ns a row")
    for what, size, each in (
        ("dense", dense_bytes, dense_seconds), ("sparse", sparse_bytes, sparse_seconds),
    ):  # fmt: skip
        ratio = each / seconds
        print(f"onnxruntime, {what}: {1e9 * each:.0f} ns, {ratio:.0f} times C; {size} bytes")


if __name__ == "__main__":
    main()
