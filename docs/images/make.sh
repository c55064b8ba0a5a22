#!/bin/sh
# Makes the pictures of the README anew: sh docs/images/make.sh, with chromium and the commands of
# the package on the path, from the root of the repository.
set -eu
images=$PWD/docs/images work=$(mktemp -d)
shot() {  # page, picture, width, height
  chromium --headless=new --no-sandbox --hide-scrollbars --force-device-scale-factor=1 \
    --window-size="$3,$4" --screenshot="$images/$2" "file://$1" > /dev/null 2>&1
}
gallery() {  # example, picture
  python - "$1" "$images/$2" <<'PY'
import runpy
import sys

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

pyplot.show = lambda: pyplot.savefig(sys.argv[2], dpi=110, metadata={"Software": None})
runpy.run_path(sys.argv[1])
PY
}
root=$PWD
cd "$work"
sparsefit demo --quiet > demo.txt
shot "$work/demo/demo.html" demo.png 1000 675
sparsefit fit demo/diabetes.csv --target progression --nnz auto --quiet > fit.txt
sparsefit report demo/diabetes.safetensors --quiet > report.txt
shot "$work/demo/diabetes.html" door_table.png 1100 760
gallery "$root/examples/gallery/plot_compress.py" door_torch.png
sparsefit run --task planted --method aiht splice --hidden 2 5 10 20 --nnz 5 10 20 50 --seeds 0 1 \
  --workers 2 --quiet --out grid --format json > rows.json
sparsefit figures grid --quiet > figures.txt
cp grid/figures/summary.png "$images/door_research.png"
if command -v simavr > numbers.txt && command -v qemu-system-arm > numbers.txt; then
  python "$root/benchmarks/embedded.py" --picture "$images/door_c.png" > numbers.txt
fi
