"""The command line, as its users meet it."""

import contextlib
import csv
import errno
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from rich.text import Text

from sparsefit import Network, load_rows
from sparsefit.cli import main
from sparsefit.cli._table import print_table
from sparsefit.core import progress
from sparsefit.experiments import jobs
from sparsefit.experiments.store import FIELDS
from tests import toys
from tests.torchrun import TORCHRUN, run

ROOT = Path(toys.__file__).parents[1]
MEASURED = ("seconds", "peak_mb")
RUN = ["run", "--task", "ramp", "--method", "ones", "--hidden", "3"]


@pytest.fixture(autouse=True)
def _toys(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    toys.install(monkeypatch.setattr)


def rows_of(command, *words):
    code, out, _ = command(*RUN, *words, "--format", "json")
    assert code == 0
    return [json.loads(line) for line in out.splitlines()]


def start(*words, out=subprocess.PIPE, start_new_session=False, **environment):
    """Start the command line with the toys in a process of its own, in the present folder."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **environment}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.toys", *words], env=environment,
        stdout=out, stderr=subprocess.PIPE, text=True, start_new_session=start_new_session,
    )  # fmt: skip


# Bad requests.


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["rnu"], "unknown command 'rnu' (did you mean 'run'?); there are"),
        (["run"], "--task is missing: one or more of absent, drawn, ramp"),
        (["run", "--task", "rmap", "--nnz", "3"], "unknown task 'rmap' (did you mean 'ramp'?)"),
        ([*RUN, "--nnz", "3", "--method", "one"], "unknown method 'one' (did you mean 'ones'?)"),
        (
            [*RUN, "--nnz", "3", "--method", "unist"],
            "unknown method 'unist' (did you mean 'units'?)",
        ),
        ([*RUN, "--nnz", "3", "--hiden", "3"], "unknown option --hiden (did you mean '--hidden'?)"),
        ([*RUN, "--nnz", "3", "--hid", "3"], "unknown option --hid (did you mean '--hidden'?)"),
        (["run", "ramp", "--nnz", "3"], "unexpected argument 'ramp'"),
        (RUN, "--nnz is missing: method 'ones' needs one or more integers >= 1"),
        ([*RUN, "--nnz"], "--nnz/--slist: expected at least one argument"),
        ([*RUN, "--nnz", "0"], "--nnz must be an integer >= 1, got 0"),
        ([*RUN, "--nnz", "3", "-3"], "--nnz must be an integer >= 1, got -3"),
        ([*RUN, "--nnz", "many"], "--nnz must be an integer >= 1, got 'many'"),
        ([*RUN, "--nnz", "3", "--hidden", "0"], "--hidden must be an integer >= 1, got 0"),
        (
            [*RUN, "--nnz", "3", "--seeds", "x"],
            "--seeds must be an integer between 0 and 2147483647, got 'x'",
        ),
        (
            [*RUN, "--nnz", "3", "--seed", "1.5"],
            "--seeds must be an integer between 0 and 2147483647, got '1.5'",
        ),
        (
            [*RUN, "--nnz", "3", "--seed", "4294967295"],
            "--seeds must be an integer between 0 and 2147483647, got 4294967295",
        ),
        (
            [*RUN, "--nnz", "3", "--workers", "0"],
            "--workers must be an integer between 1 and 1024, got 0",
        ),
        (
            [*RUN, "--nnz", "3", "--threads", "100000"],
            "--threads must be an integer between 1 and 1024, got 100000",
        ),
        ([*RUN, "--nnz", "3", "--out", ""], "--out must be the name of a folder, got ''"),
        (
            [*RUN, "--nnz", "3", "--expname", ""],
            "--expname must be the name of a folder below that of --out, got ''",
        ),
        (
            [*RUN, "--nnz", "3", "--expname", "/runs"],
            "--expname must be the name of a folder below that of --out, got '/runs'",
        ),
        (
            [*RUN, "--nnz", "3", "--expname", "../runs"],
            "--expname must be the name of a folder below that of --out, got '../runs'",
        ),
        (
            [*RUN, "--nnz", "3", "--data-dir", ""],
            "--data-dir must be text that is not empty, got ''",
        ),
        (
            [*RUN, "--nnz", "3", "--bias=1"],
            "--bias/--no-bias is a switch and takes no value, got '1'",
        ),
        ([*RUN, "--nnz", "3", "--gpu", "-1"], "--gpu must be an integer >= 0, got -1"),
        ([*RUN, "--nnz", "3", "--layers", "0"], "--layers must be an integer >= 1, got 0"),
        ([*RUN, "--nnz", "3", "--nmeasurements", "0"], "--n must be an integer >= 1, got 0"),
        ([*RUN, "--nnz", "3", "--scale", "big"], "--scale must be a number >= 0, got 'big'"),
        ([*RUN, "--nnz", "3", "--scale", "inf"], "--scale must be a number >= 0, got inf"),
        ([*RUN, "--nnz", "3", "--scale", "nan"], "--scale must be a number >= 0, got nan"),
        (
            [*RUN, "--nnz", "3", "--kind", "rond"],
            "--kind must be one of plain, round, got 'rond' (did you mean 'round'?)",
        ),
        ([*RUN, "--nnz", "3", "--dtype", "half"], "--dtype must be one of float32, float64"),
        ([*RUN, "--nnz", "3", "--device", "gpu"], "--device must be cpu, cuda, cuda:N or mps"),
        (
            [*RUN, "--nnz", "3", "--format", "xml"],
            "--format must be one of table, json, csv, got 'xml'",
        ),
        ([*RUN, "--nnz", "3", "--task", "ramp", "absent"], "put absent.bin into the data folder"),
        (
            [*RUN, "--nnz", "3", "--task", "absent", "--format", "csv"],
            "put absent.bin into the data folder",
        ),
        ([*RUN, "--nnz", "3", "--out", "/proc/runs"], "--out must be a folder that can be written"),
        (["show", "abc"], "there is no run 'abc' among the 0 in runs"),
        (["tasks", "rmap"], "unknown task 'rmap' (did you mean 'ramp'?)"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_bad_request_is_one_sentence_and_writes_nothing(command, words, sentence, tmp_path):
    code, out, err = command(*words)
    assert (code, out, len(err)) == (2, "", 1), err
    assert err[0].startswith(f"sparsefit: {sentence}")
    assert list(tmp_path.iterdir()) == []


def test_no_cuda_is_one_sentence(command, tmp_path, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    for flags in (["--device", "cuda"], ["--gpu", "1"]):
        code, _, [sentence] = command(*RUN, "--nnz", 3, *flags)
        assert code == 2
        assert "torch finds no CUDA device here" in sentence
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_place_of_the_results_folder(command, tmp_path):
    (tmp_path / "runs").write_text("mine")
    code, _, [sentence] = command(*RUN, "--nnz", 3)
    assert code == 2
    assert "--out must be a folder, got 'runs'" in sentence
    assert (tmp_path / "runs").read_text() == "mine"


# Flags.


def test_underscores_aliases_and_later_flags(command):
    first = rows_of(
        command, "--slist", 5, 2, "--seedlist", 1, 0, "--num_layers", 1, "--memory_mb=9"
    )
    again = rows_of(command, "--nnz", 9, "--nnz", 5, 2, "--seeds", 1, 0, "--layers", 1)
    assert first == again
    assert [(row["seed"], row["nnz"]) for row in first] == [(1, 5), (1, 2), (0, 5), (0, 2)]


def test_names_ignore_case_and_underscores(command):
    rows = rows_of(command, "--task", "OLD_drawn", "--method", "Units", "--nnz", 2)
    assert [(row["task"], row["method"]) for row in rows] == [("drawn", "ones")]


def test_options_reach_the_tasks_and_methods_that_have_them(command):
    rows = rows_of(
        command, "--task", "ramp", "drawn", "--method", "ones", "full", "--nnz", 2,
        "--nmeasurements", 7, "--scale", "2", "--kind", "round",
    )  # fmt: skip
    assert len(rows) == 4
    for row in rows:
        assert row["task_options"]["n"] == 7
        assert row["method_options"]["scale"] == 2.0
        assert row["method_options"]["kind"] == "round"


def test_numbers_of_tasks_are_axes_of_the_grid(command):
    rows = rows_of(command, "--task", "ramp", "--nnz", 2, "--seeds", 0, 1, "--n", 7, 9, 7)
    found = [(row["task_options"]["n"], row["seed"]) for row in rows]
    assert found == [(7, 0), (7, 1), (9, 0), (9, 1)]
    code, out, [sentence] = command(*RUN, "--nnz", 2, "--n", 7, "many")
    assert (code, out) == (2, "")
    assert "--n must be an integer" in sentence
    assert "got 'many'" in sentence


def test_an_option_without_effect_is_noted(command, monkeypatch):
    from tests.toys import METHODS, Ones

    monkeypatch.setitem(METHODS, "bare", type("Bare", (Ones,), {"name": "bare"}))
    monkeypatch.setitem(toys.TASKS, "absent", toys.Absent)
    code, _, err = command(*RUN, "--task", "absent", "--n", 3, "--nnz", 1)
    assert code == 2
    assert err[0] == "note: --n has no effect on the chosen tasks and methods"


def test_expname_and_no_save_results(command, tmp_path):
    rows_of(command, "--nnz", 2, "--expname", "first", "--out", "all", "--save_results")
    assert len(load_rows(tmp_path / "all" / "first")) == 1
    rows_of(command, "--nnz", 3, "--out", "none", "--no-save-results")
    assert not (tmp_path / "none").exists()


# Output.


def test_json_and_csv_have_the_same_rows_and_stdout_has_nothing_else(command):
    rows = rows_of(command, "--nnz", 1, 50, 99)
    code, out, err = command(*RUN, "--nnz", 1, 50, 99, "--format", "csv")
    table = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert json.loads(table[0]["info"]) == {"draw": "toy", "parameter_distance": 0.0}
    assert [line["run_id"] for line in table] == [row["run_id"] for row in rows]
    assert json.loads(table[0]["task_options"]) == {"n": 30}
    dense = [line for line in err if "the network is dense" in line]
    assert len(dense) == 1
    assert err[-1] == "3 cells: 3 finished, 1 of 3 exact; results in runs"


def test_table_shows_missing_results_as_missing(command):
    code, out, _ = command(
        *RUN, "--task", "drawn", "--nnz", 1, 13, "--format", "table", "--out", "elsewhere"
    )
    assert code == 0
    assert out.splitlines()[0].startswith("task drawn, method ones, hidden ")
    heading = next(line for line in out.splitlines() if "nnz" in line)
    cells = next(line for line in out.splitlines() if "skipped" in line).split()
    shown = dict(zip(heading.replace(" (dB)", "").split(), cells, strict=True))
    assert (shown["nnz"], shown["status"]) == ("13", "skipped")
    assert shown["PSNR"] == shown["seconds"] == "-"
    assert "1 without a result: no luck with 13" in out


def test_a_narrow_terminal_does_without_columns_and_cuts_no_number(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    row = dict.fromkeys(FIELDS) | {
        "task": "planted", "method": "aiht", "hidden": [100], "nnz": 12345, "seed": 7,
        "metric": "psnr", "value": 31.8, "constant_value": 16.31, "status": "max_iter",
        "seconds": 0.1, "note": "",
    }  # fmt: skip
    print_table([row])
    out = Text.from_ansi(capsys.readouterr().out).plain
    assert max(len(line) for line in out.splitlines()) <= 60
    for text in ("planted", "[100]", "12345", "PSNR (dB)", "31.8", "max_iter"):
        assert text in out
    assert "seconds" not in out
    assert "…" not in out


def test_many_rows_are_summed_up_and_all_are_in_a_file(command):
    words = ["--method", "together", "ones", "--nnz", *range(1, 12), "--format", "table"]
    code, out, err = command(*RUN, *words)
    assert code == 0
    assert len(out.splitlines()) < 22
    heading, *lines = [line for line in out.splitlines() if line.strip(" ─")]
    assert heading.split()[:3] == ["task", "nnz", "best"]
    assert [line.split()[1] for line in lines] == [str(nnz) for nnz in range(1, 12)]
    assert err[0].endswith("results in runs, all rows in runs/rows.csv")
    with Path("runs/rows.csv").open() as file:
        assert [int(row["nnz"]) for row in csv.DictReader(file)] == [*range(1, 12)] * 2


def test_what_tells_rows_apart_has_a_column_and_the_rest_is_said_above(command):
    _, out, _ = command(*RUN, "--nnz", 2, "--seeds", 0, 1, "--format", "table")
    said, heading = out.splitlines()[0], out.splitlines()[2]
    assert "method ones" in said
    assert "nnz 2" in said
    assert "seed" not in said
    assert "seed" in heading
    assert "nnz" not in heading


def test_quiet_prints_results_and_errors_only(command):
    code, out, err = command(*RUN, "--nnz", 1, 2, "--format", "table", "--quiet")
    assert (code, err) == (0, [])
    assert "PSNR" in out
    code, _, err = command(*RUN, "--nnz", 0, "--quiet")
    assert (code, len(err)) == (2, 1)


def test_help_is_a_command_too_and_no_word_gives_examples(capsys):
    for words in ([], ["help"]):
        with pytest.raises(SystemExit):
            main(words)
        text = capsys.readouterr().out
        assert text.startswith("Neural networks with at most s nonzero weights.")
        assert text.count("    sparsefit ") == 3
    with pytest.raises(SystemExit):
        main(["help", "fit"])
    assert capsys.readouterr().out.startswith("usage: sparsefit fit")


def test_help_shows_what_most_need_and_the_options_of_what_is_named(capsys):
    texts = []
    for words in (["--help"], ["--method", "ones", "--help"], ["--help-all"]):
        with pytest.raises(SystemExit):
            main(["run", *words])
        texts.append(capsys.readouterr().out)
    few, named, everything = texts
    assert "--nnz" in few
    assert "what the weights are" not in few
    assert "what the weights are" in named
    assert "rows (" not in named
    assert "rows (" in everything
    assert few.count("\n") < 80


def test_a_dry_run_says_how_many_cells_there_are_and_runs_none(command):
    words = [*RUN, "--nnz", 1, 2, "--dry-run"]
    assert command(*words)[1].startswith("2 cells; about ")
    assert not Path("runs").exists()
    command(*RUN, "--nnz", 1)
    assert command(*words)[1].startswith("2 cells, 1 of them there already; about ")
    command(*RUN, "--nnz", 1, 2)
    assert command(*words)[1] == "2 cells, 2 of them there already; nothing to run\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_a_shell_can_complete(command, shell):
    code, out, _ = command("completion", shell)
    assert code == 0
    assert "sparsefit" in out
    assert "dry-run" in out


def test_an_interrupt_while_loading_is_one_line():
    script = (
        "import sys, sparsefit.__main__ as entry\n"
        "class Finder:\n"
        "    def find_spec(self, name, *args):\n"
        "        if name == 'sparsefit.cli': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Finder())\n"
        "sys.exit(entry.main())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "sparsefit: interrupted\n")


def test_unsorted_budgets_keep_their_order(command):
    rows = rows_of(command, "--method", "together", "ones", "--nnz", 4, 1, 3)
    keys = {(row["method"], row["nnz"]): row["value"] for row in rows}
    assert keys["together", 3] == keys["ones", 3]
    assert len(rows) == 6


def test_a_failing_cell_is_a_row_the_sweep_goes_on_and_the_exit_code_tells(command):
    code, out, err = command(*RUN, "--nnz", 1, 2, 3, "--trouble", "raise", "--at", 2)
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["status"] for row in rows] == ["finished", "failed", "finished"]
    log = Path("runs", "logs", f"{rows[1]['run_id']}.txt")
    assert log.exists()
    assert code == 1
    assert err == [
        f"1 without a result: ZeroDivisionError: toy trouble (log: {log})",
        "3 cells: 1 failed, 2 finished, 1 of 2 exact; results in runs",
    ]


def test_at_most_three_reasons_are_told_and_one_cell_is_not_cells(command, monkeypatch):
    monkeypatch.setattr(
        toys.Ones, "path", lambda self, problem, budgets, setting: 1 / (budgets[0] - budgets[0])
    )
    _, _, err = command(*RUN, "--nnz", 1)
    assert err[-1] == "1 cell: 1 failed; results in runs"
    monkeypatch.setattr(toys.Ones, "path", lambda self, problem, budgets, setting: [][budgets])
    monkeypatch.setattr(jobs, "_explain", lambda error: f"trouble {next(count)}")
    count = iter(range(9))
    _, _, err = command(*RUN, "--nnz", 1, 2, 3, 4, 4)
    assert [line.partition(" (")[0] for line in err] == [
        *(f"1 without a result: trouble {number}" for number in range(3)),
        "4 cells: 4 failed; results in runs",
    ]


def test_progress_without_a_terminal_is_a_line_now_and_then(command, monkeypatch):
    words = [*RUN, "--nnz", 1, 2, "--format", "table"]
    summary, *following = command(*words)[2]
    assert summary == "2 cells: 2 finished, 1 of 2 exact; results in runs"
    assert following[0].startswith("next: sparsefit show ")
    assert following[1:] == ["      sparsefit figures runs", "      sparsefit report runs --open"]
    monkeypatch.setattr(progress, "PERIOD", 0.0)
    _, _, err = command(*words, "--out", "again")
    assert err[0].startswith("  0 %: 0 of 2 cells")
    assert "100 %: 2 of 2 cells" in err
    assert command(*words, "--out", "more", "--format", "json")[2][:-1] == []


def test_a_damaged_row_is_named_and_computed_again(command, tmp_path):
    [row] = rows_of(command, "--nnz", 2)
    path = tmp_path / "runs" / "rows" / f"{row['run_id']}.json"
    path.write_text(path.read_text()[:40])
    _, out, err = command(*RUN, "--nnz", 2)
    assert path.name in err[0]
    assert json.loads(out)["value"] == json.loads(path.read_text())["value"] == row["value"]


def test_show_by_prefix_and_by_file(command, tmp_path):
    [row] = rows_of(command, "--nnz", 2)
    path = tmp_path / "runs" / "rows" / f"{row['run_id']}.json"
    by_prefix = command("show", row["run_id"][:6])
    assert by_prefix == command("show", path)
    code, out, _ = by_prefix
    assert code == 0
    assert any(line.split() == ["nnz_found", "2"] for line in out.splitlines())
    assert any(line.split() == ["hidden", "1", "4", "3", "2", "2"] for line in out.splitlines())


def test_show_of_an_ambiguous_prefix(command):
    rows_of(command, "--nnz", 1, 2)
    code, _, [sentence] = command("show", "")
    assert (code, sentence) == (2, "sparsefit: 2 runs in runs start with '': give more of the id")


def test_lists_of_tasks_methods_and_options(command):
    _, out, _ = command("tasks", "--format", "json")
    assert [json.loads(line)["name"] for line in out.splitlines()] == ["absent", "drawn", "ramp"]
    _, out, _ = command("methods")
    assert "Ignores the budget." in out
    _, out, _ = command("methods", "units")
    assert "--scale" in out
    assert "what the weights are" in out
    _, out, _ = command("tasks", "drawn", "--format", "json")
    assert json.loads(out.splitlines()[0])["aliases"] == ["--nmeasurements"]


# Interruptions.


def test_ctrl_c_is_one_sentence_and_keeps_finished_rows(command, tmp_path):
    code, _, err = command(*RUN, "--nnz", 1, 2, 3, "--trouble", "stop", "--at", 2)
    assert (code, err) == (130, ["sparsefit: interrupted; finished cells are kept"])
    assert [row["nnz"] for row in load_rows(tmp_path / "runs")] == [1]


def test_a_full_disk_is_one_sentence(command, tmp_path, monkeypatch):
    rows_of(command, "--nnz", 1)

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    code, _, err = command(*RUN, "--nnz", 1, 2)
    assert code == 1
    assert len(err) == 1
    assert "No space left on device" in err[0]
    suffixes = {path.suffix for path in (tmp_path / "runs").rglob("*.*")}
    assert suffixes == {".json", ".safetensors"}
    assert len(load_rows(tmp_path / "runs")) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize(
    "words",
    [["--help"], ["tasks"], [*RUN, "--nnz", "1"], [*RUN, "--nnz", "1", "2", "3", "--workers", "2"]],
    ids=" ".join,
)
def test_output_that_cannot_be_written_is_one_sentence(words):
    for path, sentence in {
        "/dev/full": ["sparsefit: the output cannot be written: No space left on device"],
        "closed": [],
    }.items():
        if path == "closed":
            reader, target = os.pipe()
            os.close(reader)
        else:
            target = os.open(path, os.O_WRONLY)
        process = start(*words, out=target, PYTHONUNBUFFERED="")
        os.close(target)
        _, err = process.communicate(timeout=120)
        assert (process.returncode, err.splitlines()) == (1, sentence)


def test_kill_9_loses_only_the_cell_in_flight(tmp_path):
    words = [*RUN, "--nnz", "1", "2", "3", "4"]
    killed = start(*words, TOYS_KILL_AT="3")
    killed.communicate(timeout=120)
    assert killed.returncode == -signal.SIGKILL
    rows = {path: path.read_bytes() for path in (tmp_path / "runs" / "rows").glob("*.json")}
    kept = load_rows(tmp_path / "runs")
    assert [(row["nnz"], row["status"]) for row in kept] == [(1, "finished"), (2, "finished")]
    out, _ = start(*words).communicate(timeout=120)
    assert sorted(json.loads(line)["nnz"] for line in out.splitlines()) == [1, 2, 3, 4]
    assert all(path.read_bytes() == before for path, before in rows.items())


def test_a_killed_worker_costs_its_cell_and_the_others_go_on(tmp_path):
    words = [*RUN, "--nnz", *map(str, range(1, 13)), "--workers", "2"]
    killed = start(*words, TOYS_KILL_AT="3")
    out, err = killed.communicate(timeout=120)
    assert killed.returncode == 1, err
    rows = {row["nnz"]: row for row in map(json.loads, out.splitlines())}
    assert sorted(rows) == list(range(1, 13))
    assert {nnz for nnz, row in rows.items() if row["status"] == "failed"} == {3}
    assert rows[3]["note"] == "the process was killed, perhaps for lack of memory or time"
    assert "1 without a result: the process was killed" in err
    out, _ = start(*words).communicate(timeout=120)
    assert {json.loads(line)["status"] for line in out.splitlines()} == {"finished"}


@pytest.mark.skipif(not Path("/proc").exists(), reason="processes are read from /proc")
@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGHUP"])
def test_workers_end_with_their_parent(name, tmp_path):
    words = ["run", "--task", "planted", "--method", "imp", "--hidden", "50", "--nnz", "5", "10",
             "20", "50", "--workers", "2", "--format", "json"]  # fmt: skip
    parent = subprocess.Popen(
        [sys.executable, "-m", "sparsefit", *words], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, cwd=tmp_path, start_new_session=True,
    )  # fmt: skip
    workers = wait_for(lambda: fitting_children(parent.pid), 60)
    parent.send_signal(getattr(signal, name))
    parent.wait(timeout=30)
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), 10)


def fitting_children(pid):
    """Return the workers of a process, once two of them have computed for a moment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            # The parent, and ticks of a hundredth of a second in user mode.
            if int(fields[1]) == pid and int(fields[11]) > 200:
                found.append(int(path.parent.name))
    return found if len(found) >= 2 else []


def wait_for(condition, seconds):
    """Return what is true within some seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        threading.Event().wait(0.05)
    raise AssertionError(f"not within {seconds} s")


def test_shards_are_parts_of_one_grid(command, tmp_path):
    words = [*RUN, "--nnz", *range(1, 9), "--seeds", 0, 1]
    found = []
    for part in ("0/3", "1/3", "2/3"):
        code, out, _ = command(*words, "--shard", part)
        assert code == 0
        found.append({json.loads(line)["run_id"] for line in out.splitlines()})
    assert sum(map(len, found)) == len(set().union(*found)) == 16
    assert all(found)
    assert command(*words, "--dry-run")[1] == "16 cells, 16 of them there already; nothing to run\n"
    parts = [command(*RUN, "--nnz", 1, "--out", "one", "--shard", f"{k}/2") for k in range(2)]
    assert [code for code, _, _ in parts] == [0, 0]
    assert sum("no cell of the grid is in part" in err[0] for _, _, err in parts) == 1
    for wrong in ("3/3", "1", "a/b", "-1/3"):
        code, _, [sentence] = command(*words, f"--shard={wrong}")
        assert (code, "--shard must be" in sentence) == (2, True)


def test_two_processes_on_one_folder_share_the_work(tmp_path):
    words = [*RUN, "--method", "ones", "together", "--nnz", *map(str, range(1, 13))]
    counts = tmp_path / "counts"
    processes = [start(*words, TOYS_COUNT=str(counts)) for _ in range(2)]
    outputs = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    for out, err in outputs:
        assert len(out.splitlines()) == 24
        assert "damaged" not in err
    assert len(load_rows(tmp_path / "runs")) == 24
    assert len(counts.read_text().splitlines()) == 24
    assert not list((tmp_path / "runs").rglob("*.tmp"))
    assert not list((tmp_path / "runs" / "claims").iterdir())


@pytest.mark.parametrize("engine", ["dask", "slurm"])
def test_engines_give_the_rows_of_one_process(engine, tmp_path):
    words = [*RUN, "--method", "ones", "together", "--nnz", "1", "2", "3", "4", "--seeds", "0", "1"]
    counts = tmp_path / "counts"
    outputs = {}
    for name, more in {
        "here": [],
        "apart": ["--engine", engine, "--address", "local", "--workers", "2"],
    }.items():
        counts.unlink(missing_ok=True)
        process = start(*words, *more, "--out", name, TOYS_COUNT=str(counts))
        _, outputs[name] = process.communicate(timeout=120)
        assert process.returncode == 0, outputs[name]
        assert len(counts.read_text().splitlines()) == 16
    here, apart = (
        [row | dict.fromkeys(MEASURED) for row in load_rows(tmp_path / name)] for name in outputs
    )
    assert apart == here
    for path in (tmp_path / "here" / "networks").iterdir():
        assert (tmp_path / "apart" / "networks" / path.name).read_bytes() == path.read_bytes()


def test_a_worker_of_dask_that_is_killed_costs_its_cell(tmp_path):
    words = [*RUN, "--nnz", "1", "2", "3", "4", "5", "--engine", "dask", "--address", "local"]
    out, err = start(*words, "--workers", "2", TOYS_KILL_AT="3").communicate(timeout=120)
    rows = {row["nnz"]: row["status"] for row in map(json.loads, out.splitlines())}
    assert rows == {1: "finished", 2: "finished", 3: "failed", 4: "finished", 5: "finished"}
    assert err.splitlines()[0].startswith("1 without a result: the process was killed")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--engine", "dask"], "--address must be tcp://HOST:PORT, or local, with --engine dask"),
        (["--engine", "dask", "--address", "nowhere"], "that answers within 10 s"),
        (["--engine", "slurm"], "where there is no sbatch"),
        (["--engine", "slurm", "--address", "tcp://a:1"], "--address must be local, or left out"),
        (
            ["--engine", "dask", "--address", "local", "--no-save-results"],
            "--engine must be processes",
        ),
        (["--address", "local"], "left out without --engine dask or slurm"),
        (["--engine", "spark"], "--engine must be"),
        (
            ["--max-memory", "lots"],
            "--max-memory must be text that is a size, such as 500MB or 2GB, got 'lots'",
        ),
        (["--max-jobs", "0"], "--max-jobs must be"),
    ],
)
def test_engines_that_are_not_there(command, words, sentence):
    code, out, [line] = command(*RUN, "--nnz", 1, 2, *words)
    assert (code, out) == (2, "")
    assert sentence in line


@pytest.mark.skipif(not Path("/proc").exists(), reason="memory is limited on Linux")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_cell_that_needs_more_memory_than_it_may_is_a_row(workers, tmp_path):
    words = [*RUN, "--nnz", "1", "2", "3", "4", "--workers", workers, "--max-memory", "1GB"]
    limited = start(*words, TOYS_FILL_AT="2")
    out, err = limited.communicate(timeout=120)
    assert limited.returncode == 1, err
    rows = {row["nnz"]: row for row in map(json.loads, out.splitlines())}
    assert [rows[nnz]["status"] for nnz in (1, 2, 3, 4)] == [
        "finished",
        "failed",
        *["finished"] * 2,
    ]
    assert "there was not enough memory" in rows[2]["note"]


# Start-up.


@pytest.mark.parametrize(
    "words",
    [
        [], ["run"], ["tasks"], ["show"], ["diagnose"], ["fit"], ["predict"], ["export"],
        ["report"], ["figures"], ["reproduce"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_help_loads_nothing_heavy(words):
    """Torch alone takes a second: help must do without it and its like."""
    heavy = {"torch", "scipy", "sklearn", "matplotlib", "pyarrow", "joblib", "pandas", "rich"}
    heavy |= {"PIL", "pooch", "duckdb", "nanoarrow"}
    script = (
        "import sys\nfrom sparsefit.cli import main\n"
        f"try: main({[*words, '--help']!r})\nexcept SystemExit as end: assert end.code == 0\n"
        f"loaded = {heavy!r} & set(sys.modules)\n"
        "assert not loaded, loaded"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--help" in done.stdout


def test_help_names_the_owners_of_options(capsys):
    with pytest.raises(SystemExit) as end:
        main(["run", "--help-all"])
    assert end.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for group in ("grid:", "results:", "architecture and machine:", "options of tasks:"):
        assert group in text
    assert "what the weights are (full, ones, together, default 1.0)" in text
    assert "rows (drawn, ramp, default 30)" in text


def test_python_m_sparsefit():
    done = subprocess.run(
        [sys.executable, "-m", "sparsefit", "--version"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout.split()[0]) == (0, "sparsefit")


# Figures of what ran.


def test_figures_draws_into_the_results_folder_and_prints_the_paths(command, tmp_path):
    rows_of(command, "--nnz", 1, 2)
    code, out, _ = command("figures", "runs", "--format", "svg", "png")
    assert code == 0
    paths = [tmp_path / line for line in out.splitlines()]
    assert paths
    assert {path.suffix for path in paths} == {".svg", ".png"}
    there = (tmp_path / "runs" / "figures").iterdir()
    assert sorted(path for path in there if path.suffix != ".json") == sorted(paths)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nowhere"], "there are no results in 'nowhere'"),
        (["runs", "--format", "bmp"], "--format must be one of png, svg, pdf, got 'bmp'"),
        (["runs", "--compare", "ones", "two"], "no results of 'two'"),
        (["runs", "--threshold", "high"], "--threshold must be a number, got 'high'"),
        (["runs", "--threshold", "nan"], "--threshold must be a number, got nan"),
        (["runs", "--data-dir", ""], "--data-dir must be text that is not empty, got ''"),
        (["runs", "--out", "/proc/figures"], "cannot write figures to /proc/figures"),
    ],
)
def test_figures_refuses_in_one_sentence(command, words, sentence):
    rows_of(command, "--nnz", 1)
    code, out, err = command("figures", *words)
    assert (code, out, len(err)) == (2, "", 1)
    assert sentence in err[0]


def test_figures_notes_a_damaged_row(command, tmp_path):
    rows = rows_of(command, "--nnz", 1, 2)
    path = tmp_path / "runs" / "rows" / f"{rows[0]['run_id']}.json"
    path.write_text("half a r")
    code, _, err = command("figures", "runs")
    assert code == 0
    assert err[0] == f"note: {path.relative_to(tmp_path)} is damaged (not JSON) and left out"


# Rows over processes.


def test_the_processes_of_torchrun_share_the_rows(tmp_path):
    words = [
        "run", "--task", "planted", "--method", "aiht", "splice", "--hidden", "3", "--nnz", "6",
        "--n-features", "8", "--n-samples", "301", "--n-test", "50", "--format", "json",
    ]  # fmt: skip
    rows = []
    for name, launcher in {"alone": [], "both": TORCHRUN}.items():
        out = run(tmp_path, *launcher, "-m", "sparsefit", *words, "--out", name)
        rows.append({(row := json.loads(line))["method"]: row for line in out.splitlines()})
    alone, both = rows
    for method, row in alone.items():
        names = ("value", "train_value", "constant_train_value")
        for name in names:
            assert both[method][name] == pytest.approx(row[name], abs=0.05)
        one, two = (
            Network.load(tmp_path / name / "networks" / f"{row['run_id']}.safetensors")
            for name in ("alone", "both")
        )
        for left, right in zip(one.layers, two.layers, strict=True):
            assert (left.weight.indices == right.weight.indices).all()


def test_torchrun_shares_no_other_command(command, monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    code, out, [sentence] = command("tasks")
    assert (code, out) == (2, "")
    assert sentence.endswith("torchrun shares the rows of fit, run, reproduce, not of tasks")
