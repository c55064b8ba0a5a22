"""What README, guides, tutorials and SKILL.md tell a reader to run, runs, block by block."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
import torch

from sparsefit.cli import main
from sparsefit.core.progress import quietly

ROOT = Path(__file__).parents[2]
README, SKILL = ROOT / "README.md", ROOT / "SKILL.md"
PAGES = [README, SKILL, *sorted((ROOT / "docs").glob("*/*.md"))]
# Blocks that take long, or files that a reader brings: the commands are parsed, cells are not run.
ONLY_UNDERSTOOD = {"sweeps.md", "tasks.md", "methods.md", "study.md", "tables.md"}
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page):
    """Return (language, text) of the blocks of a page, in order."""
    return BLOCK.findall(page.read_text())


def commands(text):
    """Return the commands of the package in a block of the shell."""
    lines = text.replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True) for line in lines if line.startswith("sparsefit")]


def run_python(code, names):
    threads = torch.get_num_threads()
    try:
        exec(compile(code, "page", "exec"), names)
    finally:
        torch.set_num_threads(threads)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    return tmp_path


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Return the folder that the demo leaves, made once: it is the same for all pages."""
    out = tmp_path_factory.mktemp("demo") / "demo"
    assert main(["demo", "--out", str(out), "--quiet"]) == 0
    return out


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name not in ONLY_UNDERSTOOD], ids=lambda p: p.stem
)
def test_every_block_runs_in_order(page, capsys, request):
    names = {}
    for language, text in blocks(page):
        if language == "python":
            run_python(text, names)
        elif language == "bash":
            for words in commands(text):
                if words[1] == "demo":
                    shutil.copytree(request.getfixturevalue("demo"), "demo")
                else:
                    assert main(words[1:]) == 0, capsys.readouterr().err


@pytest.fixture
def dry(folder, monkeypatch):
    """Commands parse and plan, but fit nothing; one small result is there to be read."""
    words = "run --task planted --n-samples 50 --n-features 5 --n-test 0 --hidden 2 --nnz 3"
    assert main([*words.split(), "--quiet"]) == 0
    monkeypatch.setattr("sparsefit.cli._sweep.run_sweep", lambda cells, **_: list(cells)[:0])
    monkeypatch.setattr(
        "sparsefit.figures.draw.draw_all", lambda where, *_, **__: [where / "a.png"]
    )
    monkeypatch.setattr("sparsefit.pages.write_sweep_report", lambda where, **_: where)


@pytest.mark.usefixtures("dry")
@pytest.mark.parametrize("name", sorted(ONLY_UNDERSTOOD))
def test_commands_are_understood_and_python_runs(name, capsys):
    names = {}
    short = ["--epochs", "1", "--steps-per-epoch", "2", "--ramp-steps", "1"]
    for language, text in blocks(ROOT / "docs" / "guides" / name):
        if language == "python":
            run_python(text, names)
        elif language == "bash":
            for words in commands(text):
                more = short if words[1] == "train" else []
                with quietly(True):
                    assert main([*words[1:], *more]) == 0, capsys.readouterr().err


def test_the_first_command_of_the_readme_is_exact(folder, capsys):
    [first, *_] = [words for language, text in blocks(README) if language == "bash"
                   for words in commands(text)]  # fmt: skip
    assert main([*first[1:], "--format", "table"]) == 0
    out, err = capsys.readouterr()
    assert re.search(r"PSNR.*exact", out)
    assert re.search(r"16\d\.\d.* yes ", out)
    assert "1 of 1 exact" in err


def test_the_readme_is_short_and_its_links_lead_somewhere():
    text = README.read_text()
    assert len(text.splitlines()) <= 120
    for page in [*PAGES, *sorted((ROOT / "docs").glob("*.md"))]:
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text()):
            if not target.startswith(("http", "gallery")):
                assert (page.parent / target).exists(), (page.name, target)


INLINE = sorted({
    words for page in PAGES for words in re.findall(r"`sparsefit ([^`]+)`", page.read_text())
    if not re.search("[A-Z]|…", words)
})  # fmt: skip


@pytest.mark.usefixtures("dry")
@pytest.mark.parametrize("words", INLINE)
def test_commands_within_sentences_are_understood(words, capsys):
    if words in ("run", "tasks", "methods", "help", "look", "report", "demo", "fit"):
        return
    short = ["--epochs", "1", "--steps-per-epoch", "2", "--ramp-steps", "1"]
    words = words.split()
    assert main(words + (short if words[0] == "train" else [])) == 0, capsys.readouterr().err
