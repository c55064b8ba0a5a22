"""The first minute: what the demo prints, and its page."""

import re
from html.parser import HTMLParser
from pathlib import Path


class Texts(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data)


def test_the_demo_recovers_writes_a_formula_and_makes_a_model_small(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = command("demo")
    assert code == 0
    exact = {line.split()[0]: line.split()[-1] for line in out.splitlines()
             if line.endswith(("yes", "no"))}  # fmt: skip
    assert exact == {"splice": "yes", "AIHT,": "no"}
    formula = re.search(r"progression = .*", out)[0]
    assert 3 <= len(re.findall(r"[+-] ", formula)) <= 12
    assert "bmi" in formula
    *_, first, second, third = [line for line in out.splitlines() if line]
    assert first.startswith("1. splice finds 20 of 20 weights")
    assert "a formula; gradient boosting" in second
    smaller, faster, sparse, dense = map(float, re.findall(r"\d+\.?\d*", third)[2:])
    assert smaller >= 8
    assert faster > 1
    assert sparse >= dense - 0.02
    assert err[-4:] == [
        "page: demo/demo.html",
        "next: sparsefit run --task planted --method splice aiht --hidden 10 --nnz 20",
        "      sparsefit fit demo/diabetes.csv --target progression",
        "      sparsefit reproduce figure1 --scale tiny",
    ]
    page = Texts(Path("demo/demo.html").read_text())
    assert sum(tag == "img" for tag, _ in page.tags) == 3
    assert all(attrs["alt"] for tag, attrs in page.tags if tag == "img")
    assert formula in page.texts
    assert command("fit", "demo/diabetes.csv", "--target", "progression")[0] == 0
