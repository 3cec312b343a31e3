"""Generated C on small chips: bytes by their compilers, cycles by simavr."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from nas.cexport import CSource

__all__ = ["Chip", "measured"]

_ARM: Final = ("arm-none-eabi-gcc", "-std=c99", "-Os", "-mcpu=cortex-m0", "-mthumb", "-ffreestanding")
_AVR: Final = ("avr-gcc", "-std=gnu99", "-Os", "-mmcu=atmega1284p")
_MAIN: Final = """
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>
#include "net.h"
static volatile uint16_t over;
ISR(TIMER1_OVF_vect) { over++; }
static void put(char c) { while (!(UCSR0A & (1 << UDRE0))) {} UDR0 = (uint8_t)c; }
static void number(uint32_t n)
{
    char text[11];
    uint8_t k = 0;
    do { text[k++] = (char)('0' + n % 10); n /= 10; } while (n);
    while (k) put(text[--k]);
    put(' ');
}
static const uint8_t inputs[NET_INPUTS] = {VALUES};
static int32_t outputs[NET_OUTPUTS];
int main(void)
{
    uint16_t t;
    int found;
    UCSR0B = 1 << TXEN0;
    TIMSK1 = 1 << TOIE1;
    sei();
    TCNT1 = 0;
    TCCR1B = 1;
    found = net_predict(inputs, outputs);
    t = TCNT1;
    TCCR1B = 0;
    cli();
    number(((uint32_t)over << 16) + t);
    number((uint32_t)found);
    put('\\n');
    sleep_mode();
    return 0;
}
"""


class Chip(NamedTuple):
    """What one prediction takes."""

    flash: int  # bytes of code and tables on a Cortex-M0
    avr_flash: int  # the same on an AVR
    ram: int  # bytes of inputs, outputs and values, the stack of the function included
    cycles: int  # of an ATmega1284P


def measured(source: CSource, sample: np.ndarray, ram: int) -> Chip:
    """Compile the function for both chips and run it on one.

    Args:
        source: in integers, prefix "net", that reads bytes.
        sample: (inputs,) bytes.
        ram: by the generator's own count.

    Raises:
        RuntimeError: the chip answers another class than the reference.
    """
    assert source.integers is not None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source.write(folder / "net.c")
        (folder / "main.c").write_text(_MAIN.replace("VALUES", ", ".join(map(str, sample.tolist()))))
        sizes = {}
        for compiler, size in ((_ARM, "arm-none-eabi-size"), (_AVR, "avr-size")):
            out = folder / "net.o"
            subprocess.run([*compiler, "-c", folder / "net.c", "-o", out], check=True)
            said = subprocess.run([size, out], check=True, capture_output=True, text=True).stdout
            text, data, _ = map(int, said.splitlines()[1].split()[:3])
            sizes[size] = text + data
        program = folder / "main.elf"
        subprocess.run([*_AVR, folder / "main.c", folder / "net.c", "-o", program], check=True)
        run = ["simavr", "-m", "atmega1284p", "-f", "16000000", str(program)]
        ended = subprocess.run(run, check=True, capture_output=True, text=True, timeout=120)
        answer = ended.stdout + ended.stderr
        match = re.search(r"(\d+) (\d+) ", answer)
    expected = int(source.integers.run(sample[None].astype(np.int64)).argmax())
    if match is None or int(match.group(2)) != expected:
        raise RuntimeError(f"simavr answers {answer!r}, the reference class {expected}")
    return Chip(sizes["arm-none-eabi-size"], sizes["avr-size"], ram, int(match.group(1)))
