"""Flash, memory and cycles by the generator's own count, against compilers, linkers and a simulated processor."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nas
from nas.cexport import CSource, Program, chip_costs, costs_of_integers
from nas.cexport._integer import tables_of
from nas.engine import DAGModule
from tests.cexport.compilers import needed, run
from tests.cexport.networks import network, record_of

CASES = {
    "pixels": (("relu",), "classification", True),
    "scaled": (("tanh",), "regression", False),
    "mixed": (("relu", "sigmoid", "gelu"), "classification", False),
}
AVR = """
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>
#include "net.h"
static volatile uint16_t over;
ISR(TIMER1_OVF_vect) { over++; }
static void put(char c) { while (!(UCSR0A & (1 << UDRE0))) {} UDR0 = (uint8_t)c; }
static void number(int32_t given)
{
    uint32_t n = given < 0 ? -(uint32_t)given : (uint32_t)given;
    char text[11];
    uint8_t k = 0;
    if (given < 0) put('-');
    do { text[k++] = (char)('0' + n % 10); n /= 10; } while (n);
    while (k) put(text[--k]);
    put(' ');
}
static const TYPE inputs[NET_INPUTS] = {VALUES};
static int32_t outputs[NET_OUTPUTS];
int main(void)
{
    uint16_t k, t;
    UCSR0B = 1 << TXEN0;
    TIMSK1 = 1 << TOIE1;
    sei();
    TCNT1 = 0;
    TCCR1B = 1;
    net_predict(inputs, outputs);
    t = TCNT1;
    TCCR1B = 0;
    cli();
    number((int32_t)(((uint32_t)over << 16) + t));
    for (k = 0; k < NET_OUTPUTS; k++) number(outputs[k]);
    put('\\n');
    sleep_mode();
    return 0;
}
"""


def exported(case: str, path: Path, precision: Any = "int8") -> tuple[CSource, DAGModule, np.ndarray]:
    activations, task, pixels = CASES[case]
    module = network(8, inputs=40, computational=30, density=0.15, activations=activations)
    record = record_of(module, task)
    if pixels:
        record["statistics"] |= {"mean": [120.0] * 40, "scale": [70.0] * 40}
        raw = np.random.default_rng(0).integers(0, 256, (300, 40)).astype(float)
    else:
        statistics = record["statistics"]
        normal = np.random.default_rng(0).normal(size=(300, 40))
        raw = np.array(statistics["mean"]) + np.array(statistics["scale"]) * normal
    return nas.export_c(module, path, precision=precision, record=record, samples=raw), module, raw


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("precision", ["int8", "int6", "int4"])
def test_flash_is_what_the_compiler_makes(case: str, precision: str, tmp_path: Path) -> None:
    source, *_ = exported(case, tmp_path / "net.c", precision)
    assert source.integers is not None
    counted = costs_of_integers(source.integers, classifies=CASES[case][1] == "classification")
    options = ("-std=c99", "-Os", "-mcpu=cortex-m0", "-mthumb", "-ffreestanding")
    run(needed("arm-none-eabi-gcc"), *options, "-c", tmp_path / "net.c", "-o", tmp_path / "net.o")
    text, data, bss = map(int, run("arm-none-eabi-size", tmp_path / "net.o").stdout.splitlines()[1].split()[:3])
    assert data == bss == 0
    assert text == pytest.approx(counted.flash, abs=60)  # other versions write other code


@pytest.mark.parametrize("case", CASES)
def test_before_there_are_integers_costs_are_an_upper_bound(case: str, tmp_path: Path) -> None:
    source, module, _ = exported(case, tmp_path / "net.c")
    assert source.integers is not None
    classifies = CASES[case][1] == "classification"
    found = costs_of_integers(source.integers, classifies=classifies)
    guess = chip_costs(Program.of(module, {}), pixels=CASES[case][2], classifies=classifies)
    assert found.flash <= guess.flash <= 1.15 * found.flash
    assert found.ram == guess.ram == (40 if CASES[case][2] else 120) + 12 + len(source.integers.neurons)
    assert guess.cycles == pytest.approx(found.cycles, rel=0.1)


def test_steps_beyond_a_byte_are_counted() -> None:
    module = network(6, inputs=2000, computational=10, density=0.003)
    program = Program.of(module, {})
    rng = np.random.default_rng(0)
    source = nas.cexport.c_source(module, precision="int8", samples=rng.integers(0, 256, (50, 2000)))
    guess = chip_costs(program, pixels=True, classifies=False)
    assert source.integers is not None
    assert costs_of_integers(source.integers, classifies=False).flash <= guess.flash
    assert sum(tables_of(source.integers)["counts"].values) > program.n_edges


@pytest.mark.parametrize("case", CASES)
def test_an_eight_bit_processor_gives_the_same_in_about_the_cycles_of_the_model(case: str, tmp_path: Path) -> None:
    compiler, simulator = needed("avr-gcc"), needed("simavr")
    source, _, raw = exported(case, tmp_path / "net.c")
    integers = source.integers
    assert integers is not None
    fixed = integers.inputs.fixed(raw[:1])
    text = AVR.replace("TYPE", integers.inputs.kind).replace("VALUES", ", ".join(map(str, fixed[0])))
    (tmp_path / "main.c").write_text(text)
    options = ("-std=gnu99", "-Os", "-mmcu=atmega1284p")
    run(compiler, *options, tmp_path / "main.c", tmp_path / "net.c", "-o", tmp_path / "net.elf")
    said = run(simulator, "-m", "atmega1284p", "-f", "16000000", tmp_path / "net.elf")
    line = max(re.findall(r"(?:-?\d+ )+(?=\.)", said.stdout + said.stderr), key=len)
    cycles, *outputs = map(int, line.split())
    assert outputs == integers.run(fixed)[0].tolist()
    model = costs_of_integers(integers, classifies=CASES[case][1] == "classification")
    assert cycles == pytest.approx(model.cycles, rel=0.3)
