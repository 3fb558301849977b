"""How long a Pi 4 takes to start: from the instructions that the boot executes.

With QEMU's `-icount` the board's clock is its count of instructions, one a nanosecond on one
processor; so the time that its processor has worked is billions of instructions, not seconds of
this machine. A Cortex-A72 at 1.8 GHz does about 1.6 billion a second (0.9 a cycle, of a program like
this); reading from a card comes on top, at 40 MB a second. An estimate, and told as one.
"""

from boot_test.figures import read_kb
from boot_test.machine import WORKED
from boot_test.steps import PASSWORD, PATIENCE_S, STEP_S, Household, prepare

PI_4_PER_S = 1.6e9
CARD_MB_PER_S = 40.0


def run(home: Household) -> None:
    """Boot twice, and tell the instructions to the exchange's readiness and what that means."""
    prepare(home)
    for what in ("first boot", "later boot"):
        given = home.lan.leases_given()
        home.machine.power_on()
        with home.step(f"{what}, counting instructions"):
            home.lan.wait_lease(given, 4 * PATIENCE_S, home.machine.running)
            home.wait_sip()
            home.box.wait_ssh(4 * STEP_S)
        billions = _worked_s(home)
        read_mb = read_kb(home.box) / 1024
        seconds = billions * 1e9 / PI_4_PER_S + read_mb / CARD_MB_PER_S
        home.report.add(
            f"  {what}: {billions:.1f} billion instructions from kernel start to SIP, {read_mb:.0f} MB "
            f"read: about {seconds:.0f} s on a Pi 4 (estimate, one core of four)"
        )
        home.box.root("sync", PASSWORD)
        home.machine.pull_the_plug()


def _worked_s(home: Household) -> float:
    """Return how long the board's processor had worked when the exchange was ready, in its seconds.

    Its clock would not do: while the board waits for the emulated card, it jumps.
    """
    fields = home.box.root(f"head -n 1 {WORKED}", PASSWORD).split()
    user, nice, system, _idle, _iowait, irq, softirq, *_ = map(int, fields[1:])
    return (user + nice + system + irq + softirq) / int(home.box.run("getconf CLK_TCK"))
