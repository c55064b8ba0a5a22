"""Models in C on microcontrollers: bytes, time and answers, in simulators.

    python benchmarks/embedded.py [--picture embedded.png]

Needs gcc-arm-none-eabi, libnewlib-arm-none-eabi and qemu-system-arm for a Cortex-M0, gcc-avr,
avr-libc and simavr for an ATmega2560; what is missing is left out. For each model and each kind of
numbers it prints the bytes of flash and static RAM that the whole program of one prediction takes
beyond one of none, the cycles of a prediction (AVR, exact to 64) or its instructions (Cortex-M0),
and how far the answer to the header's own row is from that of the same header on this machine.
"""

from __future__ import annotations

import argparse
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from sklearn.datasets import load_diabetes, load_digits, load_iris

from sparsefit import SparseMLPClassifier, SparseMLPRegressor
from sparsefit.export import export
from sparsefit.predictor import Predictor

TOY = ["--toy"]
NUMBERS = ("float", "int16", "int8")
# What differs between boards: a clock, and a way to print a number of 32 bits.
BOARDS = {
    "host": """
#include <stdio.h>
static void begin(void) {}
static uint32_t clock_now(void) { return 0; }
static void tell(uint32_t v) { printf("@%08lx\\n", (unsigned long)v); }
static void finish(void) {}
""",
    "cortex-m0": """
#include <stdio.h>
#define SYST ((volatile uint32_t *)0xE000E010)
extern void _start(void);
/* Where the stack begins, and the program. */
__attribute__((section(".vectors"), used)) const uintptr_t vectors[16] = {
    0x20004000, (uintptr_t)_start
};
static void begin(void) { SYST[1] = 0xFFFFFF; SYST[2] = 0; SYST[0] = 5; }
static uint32_t clock_now(void) { return 0xFFFFFF - SYST[2]; }
static void tell(uint32_t v) { printf("@%08lx\\n", (unsigned long)v); }
static void finish(void) {}
""",
    "atmega2560": """
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>
static void begin(void) { TCCR1A = 0; TCCR1B = 3; TCNT1 = 0; UCSR0B = 8; }
static uint32_t clock_now(void) { return 64UL * TCNT1; }
static void put(char c) { while (!(UCSR0A & 32)) {} UDR0 = (uint8_t)c; }
static void tell(uint32_t v)
{
    int8_t i;
    put('@');
    for (i = 28; i >= 0; i -= 4)
        put("0123456789abcdef"[(v >> i) & 15]);
    put('\\n');
}
static void finish(void) { cli(); sleep_enable(); sleep_cpu(); }
""",
}
PROGRAM = """
#include "m.h"
BOARD
#ifdef NOTHING
static void answer(const float *row, float *out) { out[0] = row[0]; }
#else
static void answer(const float *row, float *out) { FUNCTION(row, out); }
#endif
static const float trial[M_COLUMNS] = M_TEST_ROW;
int main(void)
{
    static volatile float copy[M_COLUMNS];
    static float row[M_COLUMNS], out[M_OUTPUTS];
    uint32_t before, after, bits;
    int i;
    begin();
    for (i = 0; i < M_COLUMNS; i++) {
        copy[i] = trial[i];
        row[i] = copy[i];
    }
    before = clock_now();
    answer(row, out);
    after = clock_now();
    tell(after - before);
    for (i = 0; i < M_OUTPUTS; i++) {
        memcpy(&bits, &out[i], 4);
        tell(bits);
    }
    finish();
    return 0;
}
"""
COMPILERS = {
    "host": ["cc", "-std=c99"],
    "cortex-m0": [
        "arm-none-eabi-gcc", "-std=gnu99", "-mcpu=cortex-m0", "-mthumb", "--specs=rdimon.specs",
        "-Wl,--section-start=.vectors=0", "-Wl,-u,vectors", "-Wl,-Ttext-segment=0x10000",
        "-Wl,-Tdata=0x20000000",
    ],
    "atmega2560": ["avr-gcc", "-std=gnu99", "-mmcu=atmega2560"],
}  # fmt: skip
SIZES = {"cortex-m0": "arm-none-eabi-size", "atmega2560": "avr-size"}


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit, compile, run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--toy", action="store_true", help="one small model")
    parser.add_argument("--picture", type=Path, help="draw bytes and cycles of the largest model")
    options = parser.parse_args(arguments)
    models = fitted(is_toy=options.toy)
    measured: dict[tuple[str, str, str], tuple[int, int]] = {}
    boards = [name for name in SIZES if _is_there(name)]
    for name in set(SIZES) - set(boards):
        print(f"{name} is left out: its compiler or simulator is not installed")
    print("board, model, numbers, flash, RAM, cycles, away from the host by")
    for label, model in models.items():
        for number in NUMBERS:
            with tempfile.TemporaryDirectory() as folder:
                expected = run("host", model, number, Path(folder))[3]
                for board in boards:
                    flash, ram, cycles, found = run(board, model, number, Path(folder))
                    measured[board, label, number] = flash, cycles
                    scale = max(map(abs, expected))
                    pairs = zip(found, expected, strict=True)
                    away = max(abs(a - b) for a, b in pairs) / scale
                    print(f"{board}, {label}, {number}, {flash}, {ram}, {cycles}, {away:.1e}")
                if not boards:
                    print(f"host, {label}, {number}, , , , 0")
    if options.picture and measured:
        draw(options.picture, boards, label, measured)


def draw(
    path: Path, boards: Sequence[str], label: str,
    measured: dict[tuple[str, str, str], tuple[int, int]],
) -> None:  # fmt: skip
    """Draw bytes and cycles of one model on all boards."""
    figure = Figure(figsize=(8, 2.4), layout="constrained")
    for ax, place, name in zip(figure.subplots(1, 2), (0, 1), ("bytes of flash", "cycles"),
                               strict=True):  # fmt: skip
        for at, board in enumerate(boards):
            values = [measured[board, label, number][place] for number in NUMBERS]
            places = [k + 0.38 * at for k in range(len(NUMBERS))]
            ax.bar(places, values, width=0.36, label=board)
        ax.set_xticks([k + 0.19 for k in range(len(NUMBERS))], NUMBERS)
        ax.set_ylabel(name)
    ax.legend()
    figure.suptitle(label)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def fitted(*, is_toy: bool) -> dict[str, Predictor]:
    """Return models by what they are."""
    problems: dict[str, tuple[Any, Any, int]] = {
        "iris, 12 weights": (SparseMLPClassifier, load_iris(return_X_y=True), 12),
        "diabetes, 10 weights": (SparseMLPRegressor, load_diabetes(return_X_y=True), 10),
        "digits, 300 weights": (SparseMLPClassifier, load_digits(return_X_y=True), 300),
    }
    if is_toy:
        problems = {"iris": problems["iris, 12 weights"]}
    return {
        name: kind((10,), nnz=nnz, random_state=0).fit(*data).predictor_
        for name, (kind, data, nnz) in problems.items()
    }


def run(
    board: str, model: Predictor, number: Any, folder: Path
) -> tuple[int, int, int, list[float]]:
    """Compile and run on a board; bytes of flash and RAM, cycles, and what came out."""
    export(model, "c", folder / "m.h", number=number)
    function = "m_scores" if model.classes else "m_predict"
    text = PROGRAM.replace("BOARD", BOARDS[board]).replace("FUNCTION", function)
    (folder / "main.c").write_text(text)
    sizes = []
    for flags in (["-DNOTHING"], []):
        program = folder / f"{board}.elf"
        words = [*COMPILERS[board], "-Os", "-ffunction-sections", "-Wl,--gc-sections", *flags]
        subprocess.run([*words, str(folder / "main.c"), "-o", str(program), "-lm"], check=True)
        sizes.append(_sizes(board, program))
    lines = _output(board, program)
    numbers = [int(line, 16) for line in lines]
    values = [struct.unpack("<f", struct.pack("<I", bits))[0] for bits in numbers[1:]]
    (flash, ram), (more_flash, more_ram) = sizes
    return more_flash - flash, more_ram - ram, numbers[0], values


def _is_there(board: str) -> bool:
    simulator = {"cortex-m0": "qemu-system-arm", "atmega2560": "simavr"}[board]
    return all(shutil.which(name) for name in (COMPILERS[board][0], simulator))


def _sizes(board: str, program: Path) -> tuple[int, int]:
    if board == "host":
        return 0, 0
    done = subprocess.run([SIZES[board], program], capture_output=True, text=True, check=True)
    text, data, bss = map(int, done.stdout.splitlines()[1].split()[:3])
    return text + data, data + bss


def _output(board: str, program: Path) -> list[str]:
    """Return the numbers that a program tells, in hexadecimal digits."""
    words = {
        "host": [str(program)],
        # One instruction is 64 ns, about one tick of the clock of the board.
        "cortex-m0": [
            "qemu-system-arm", "-M", "microbit", "-nographic", "-semihosting", "-icount", "shift=6",
            "-kernel", str(program),
        ],
        "atmega2560": ["simavr", "-m", "atmega2560", "-f", "16000000", str(program)],
    }[board]  # fmt: skip
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    return [
        line.partition("@")[2][:8] for line in (done.stdout + done.stderr).splitlines()
        if "@" in line
    ]  # fmt: skip


if __name__ == "__main__":
    main()
