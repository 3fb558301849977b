"""Runs one function of an AArch64 object in the Unicorn emulator, and tells what it executed.

The same object and arguments always give the same instructions and the same results.
"""

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import capstone
import numpy as np
import unicorn
from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection
from unicorn import arm64_const as arm

_PAGE = 0x1000
# A branch reaches 128 MB.
_CODE, _STUBS, _DATA, _STACK = 0x10_0000, 0x400_0000, 0x4000_0000, 0x7000_0000
_STACK_SIZE = 0x4_0000

Argument = np.ndarray | int


class Linked:
    """An object file with its relocations applied, as it lies at `_CODE`.

    Args:
        data: the object.

    Raises:
        ValueError: it has a relocation that isn't known here.
    """

    def __init__(self, data: bytes) -> None:
        elf = ELFFile(io.BytesIO(data))
        self.image = bytearray()
        self.stubs: dict[str, int] = {}
        self._sections: dict[int, int] = {}
        self._slots: dict[int, int] = {}
        self._symbols = list(elf.get_section_by_name(".symtab").iter_symbols())
        for number, section in enumerate(elf.iter_sections()):
            if section["sh_flags"] & 2 and section["sh_size"]:
                self.image += bytes(-len(self.image) % max(section["sh_addralign"], 1))
                self._sections[number] = len(self.image)
                self.image += section.data()
        for section in elf.iter_sections():
            at = self._sections.get(section["sh_info"])
            if isinstance(section, RelocationSection) and at is not None:
                for entry in section.iter_relocations():
                    target = self._address(entry["r_info_sym"]) + entry["r_addend"]
                    self._relocate(at + entry["r_offset"], entry["r_info_type"], target)

    def function(self, name: str) -> int:
        """Return the address of a function."""
        (number,) = (n for n, symbol in enumerate(self._symbols) if symbol.name == name)
        return self._address(number)

    def _address(self, number: int) -> int:
        symbol = self._symbols[number]
        if symbol["st_shndx"] in self._sections:
            return int(_CODE + self._sections[symbol["st_shndx"]] + symbol["st_value"])
        # What is outside gets a place of its own, where the emulator stops.
        return self.stubs.setdefault(symbol.name, _STUBS + 16 * len(self.stubs))

    def _slot(self, target: int) -> int:
        """Return where an address is kept (the global offset table)."""
        if target not in self._slots:
            self.image += bytes(-len(self.image) % 8)
            self._slots[target] = _CODE + len(self.image)
            self.image += struct.pack("<Q", target)
        return self._slots[target]

    def _relocate(self, at: int, kind: int, target: int) -> None:
        """Apply one relocation of the ELF for the ARM 64-bit architecture, §5.7."""
        here = _CODE + at
        if kind in (311, 312):  # ADR_GOT_PAGE, LD64_GOT_LO12_NC
            kind, target = {311: 275, 312: 286}[kind], self._slot(target)
        (word,) = struct.unpack_from("<I", self.image, at)
        if kind == 257:  # ABS64
            struct.pack_into("<Q", self.image, at, target & (1 << 64) - 1)
            return
        if kind in (260, 261):  # PREL64, PREL32: exception tables, which nobody reads here
            return
        if 263 <= kind <= 269:  # MOVW_UABS_G0 to G3
            word |= (target >> 16 * ((kind - 263) // 2) & 0xFFFF) << 5
        elif kind == 275:  # ADR_PREL_PG_HI21
            pages = (target >> 12) - (here >> 12)
            word |= (pages & 3) << 29 | (pages >> 2 & 0x7FFFF) << 5
        elif kind in (277, 278, 284, 285, 286, 299):  # the low 12 bits, for add, load and store
            scale = {277: 0, 278: 0, 284: 1, 285: 2, 286: 3, 299: 4}[kind]
            word |= ((target & 0xFFF) >> scale) << 10
        elif kind in (282, 283):  # JUMP26, CALL26
            word |= (target - here) >> 2 & 0x3FFFFFF
        else:
            raise ValueError(f"relocation type {kind} is not known")
        struct.pack_into("<I", self.image, at, word)


@dataclass(frozen=True, slots=True)
class Block:
    """Instructions that are executed in one go.

    Args:
        text: the instructions.
        times: how often.
    """

    text: tuple[str, ...]
    times: int


@dataclass(frozen=True, slots=True)
class Run:
    """What one call has executed.

    Args:
        trace: every instruction, in order.
        blocks: the same by place.
        result: what it has returned, as int64.
    """

    trace: tuple[str, ...]
    blocks: tuple[Block, ...]
    result: int


def _words(arguments: Sequence[Argument], places: Sequence[int], *, numba: bool) -> list[int]:
    """Return the arguments as registers and stack words."""
    # numba: where the result goes, where an exception goes, then of each array: its owner and
    # parent, its items, an item's octets, the data, the shape and the strides.
    words = [_DATA, _DATA + 64] if numba else []
    for argument, place in zip(arguments, places, strict=True):
        if isinstance(argument, int):
            words.append(argument)
        elif numba:
            words += [0, 0, argument.size, argument.itemsize, place]
            words += [*argument.shape, *argument.strides]
        else:
            words.append(place)
    return [word & (1 << 64) - 1 for word in words]


def _lay_out(arguments: Sequence[Argument]) -> tuple[bytearray, list[int]]:
    data, places = bytearray(_PAGE), []
    for argument in arguments:
        data += bytes(-len(data) % 64 + 64)
        places.append(_DATA + len(data))
        if not isinstance(argument, int):
            data += argument.tobytes()
    return data + bytes(-len(data) % _PAGE + _PAGE), places


def _do_outside(machine: Any, name: str) -> int:
    """Do what a function of libc would have done; returns the octets that it wrote."""
    target, value, length = (machine.reg_read(arm.UC_ARM64_REG_X0 + n) for n in range(3))
    if name == "memset":
        machine.mem_write(target, bytes([value & 255]) * length)
    elif name in ("memcpy", "memmove"):
        machine.mem_write(target, bytes(machine.mem_read(value, length)))
    else:
        raise ValueError(f"the function calls {name}: not for the packet path")
    return int(length)


def _as_libc_does(name: str, octets: int) -> tuple[str, ...]:
    """Return what memset, memcpy or memmove executes, as libc for these processors has it."""
    # Length and end are looked at first; then there is a turn for each 64 octets, or what is left.
    head = ("cmp x2, #0x40", "add x4, x1, x2", "add x5, x0, x2", "b.hi #0x0")
    load = () if name == "memset" else ("ldp q0, q1, [x1]", "ldp q2, q3, [x1, #0x20]")
    store = ("stp q0, q1, [x0]", "stp q2, q3, [x0, #0x20]")
    step = ("add x1, x1, #0x40", "add x0, x0, #0x40", "subs x2, x2, #0x40", "b.hi #0x0")
    return (*head, *(*load, *store, *step) * ((octets + 63) // 64), "ret ")


def run(linked: Linked, name: str, arguments: Sequence[Argument], *, numba: bool) -> Run:
    """Call a function once; arrays among the arguments are changed in place.

    Args:
        linked: the object.
        name: of the function.
        arguments: arrays that own their memory in one piece, and integers.
        numba: it has numba's calling convention; else C's.

    Raises:
        ValueError: the function calls what isn't there, or has raised an exception.
    """
    machine = unicorn.Uc(unicorn.UC_ARCH_ARM64, unicorn.UC_MODE_ARM)
    # Its usual processor is a Cortex-A57, which lacks what a Cortex-A76 has more (RDM, dot products).
    machine.ctl_set_cpu_model(arm.UC_CPU_ARM64_MAX)
    machine.mem_map(_CODE, len(linked.image) + -len(linked.image) % _PAGE + _PAGE)
    machine.mem_map(_STUBS, _PAGE)
    machine.mem_map(_STACK, _STACK_SIZE)
    data, places = _lay_out(arguments)
    machine.mem_map(_DATA, len(data))
    machine.mem_write(_CODE, bytes(linked.image))
    machine.mem_write(_STUBS, struct.pack("<I", 0xD65F03C0) * (_PAGE // 4))  # ret
    machine.mem_write(_DATA, bytes(data))
    words = _words(arguments, places, numba=numba)
    stack = _STACK + _STACK_SIZE // 2
    for number, word in enumerate(words[:8]):
        machine.reg_write(arm.UC_ARM64_REG_X0 + number, word)
    machine.mem_write(stack, struct.pack(f"<{len(words[8:])}Q", *words[8:]) or b"\0")
    machine.reg_write(arm.UC_ARM64_REG_SP, stack)
    end = _STUBS + _PAGE - 16
    machine.reg_write(arm.UC_ARM64_REG_X30, end)
    machine.reg_write(arm.UC_ARM64_REG_CPACR_EL1, 3 << 20)  # NEON is allowed
    executed: list[tuple[int, int] | tuple[str, int]] = []
    outside = {address: stub for stub, address in linked.stubs.items()}
    problems: list[ValueError] = []

    def enter_block(machine: Any, address: int, size: int, _: Any) -> None:
        if _CODE <= address < _STUBS:
            executed.append((address, size))
        elif address in outside:
            try:
                executed.append((outside[address], _do_outside(machine, outside[address])))
            except ValueError as problem:
                # Unicorn's C code doesn't pass exceptions on.
                problems.append(problem)
                machine.emu_stop()

    machine.hook_add(unicorn.UC_HOOK_BLOCK, enter_block)
    machine.emu_start(linked.function(name), end)
    status = machine.reg_read(arm.UC_ARM64_REG_W0)
    if numba and status not in (0, 0xFFFFFFFE):
        problems.append(ValueError("the kernel has raised an exception"))
    if problems:
        raise problems[0]
    for argument, place in zip(arguments, places, strict=True):
        if not isinstance(argument, int):
            octets = bytes(machine.mem_read(place, argument.nbytes))
            argument[...] = np.frombuffer(octets, argument.dtype).reshape(argument.shape)
    answer = bytes(machine.mem_read(_DATA, 8))
    if not numba:
        answer = struct.pack("<Q", machine.reg_read(arm.UC_ARM64_REG_X0))
    (result,) = struct.unpack("<q", answer)
    return Run(*_texts(linked, executed), result)


def _texts(
    linked: Linked, executed: list[tuple[int, int] | tuple[str, int]]
) -> tuple[tuple[str, ...], tuple[Block, ...]]:
    reader = capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM)
    texts: dict[tuple[int | str, int], tuple[str, ...]] = {}
    times: dict[tuple[int | str, int], int] = {}
    for block in executed:
        if block not in texts:
            place, size = block
            if isinstance(place, str):
                texts[block] = _as_libc_does(place, size)
            else:
                code = bytes(linked.image[place - _CODE : place - _CODE + size])
                read = reader.disasm(code, place)
                texts[block] = tuple(f"{i.mnemonic} {i.op_str}" for i in read)
        times[block] = times.get(block, 0) + 1
    trace = tuple(text for block in executed for text in texts[block])
    return trace, tuple(Block(texts[block], count) for block, count in times.items())
