"""Runs kernels from their PTX, the code that NVRTC makes for a GPU, one instruction after another.

An instruction works on all threads of a launch that are at it, as NumPy arrays. A GPU's undefined
behaviour is an error here: an access outside the arrays of the launch or across their alignment,
shared memory that two threads use without a barrier between them, a barrier or a shuffle that only
some of the threads reach. ptx_operations.py computes.
"""

import re

import numpy as np

from tests.fakes.cuda import ptx_operations as operations
from tests.fakes.cuda.ptx_operations import TYPES, Illegal
from tests.fakes.cuda.shim import three

ENTRY = re.compile(r"\.entry (\w+)\(([^)]*)\)[^{]*\{(.*?)^\}", re.S | re.M)
STATEMENT = re.compile(r"^[ \t]*(?:\{[ \t]*)?(?:([^{}\s;:][^;:]*(?:::[^;:]*)*);|([$\w]+):)", re.M)
REGISTER = re.compile(r"\.reg \.(\w+)\s+(%?\w+)")
SHARED = re.compile(r"\.shared \.align (\d+) \.(\w+) ([\w$]+)(?:\[(\d+)\])?")
INSTRUCTION = re.compile(r"(?:@(!?)(%\w+)\s+)?([a-z][\w.]*)\s*(.*)", re.S)
OPERAND = re.compile(r"\{[^}]*\}|\[[^]]*\]|[^\s,]+")
ADDRESS = re.compile(r"\[([^+\]]+)(?:\+(-?\d+))?\]")
NAME = re.compile(r"%\w+(?:\.[xyz])?")
MANY = -1  # threads have read a byte


class Instruction:
    """One instruction.

    Attributes:
        guard: predicate register, or None; ``negated``: whether it must be false.
        name: such as ["ld", "global", "v2", "u32"].
        kind: NumPy type of the last part of the name, or None.
        operands: as they are written.
    """

    def __init__(self, text):
        negated, self.guard, name, operands = INSTRUCTION.match(text).groups()
        self.negated, self.name = bool(negated), name.split(".")
        what, *more = self.name
        known = what in operations.KNOWN and operations.MODIFIERS.issuperset(more)
        if not known and name not in operations.GROSS:
            raise Illegal(f"no {name}")
        self.kind, self.operands = TYPES.get(self.name[-1]), OPERAND.findall(operands)


class Kernel:
    """A kernel's code.

    Attributes:
        parameters: their names.
        registers: the type of each declared register, or of those with a number after the name.
        shared: offsets of the variables in a block's shared memory of ``shared_size`` bytes.
        code: its instructions; ``labels``: indices of those that a branch goes to.
        ends: for each instruction, the index after the last one of its straight run.
    """

    def __init__(self, parameters, body):
        self.parameters = re.findall(r"\.param [^,]*?(\w+)\s*(?:,|$)", parameters)
        self.registers = {}
        self.shared = {}
        self.shared_size = 0
        self.code = []
        self.labels = {}
        for text, label in STATEMENT.findall(body):
            if label:
                self.labels[label] = len(self.code)
            elif text.startswith(".reg"):
                kind, name = REGISTER.match(text).groups()
                self.registers[name] = np.dtype(
                    f"u{TYPES[kind].itemsize}" if kind != "pred" else "?"
                )
            elif text.startswith(".shared"):
                align, kind, name, count = SHARED.match(text).groups()
                start = -(-self.shared_size // int(align)) * int(align)
                self.shared[name] = start
                self.shared_size = start + TYPES[kind].itemsize * int(count or 1)
            elif not text.startswith("."):
                self.code.append(Instruction(text))
        cuts = set(self.labels.values()) | {len(self.code)}
        ending = ("bra", "bar", "ret")
        cuts |= {i + 1 for i, each in enumerate(self.code) if each.name[0] in ending}
        cuts |= {i for i, each in enumerate(self.code) if each.name[0] == "shfl"}
        self.ends, end = [0] * len(self.code), len(self.code)
        for index in reversed(range(len(self.code))):
            end = index + 1 if index + 1 in cuts else end
            self.ends[index] = end


def kernels_of(text):
    """The ``Kernel``s of a PTX file, by name."""
    text = re.sub(r"//[^\n]*", "", text)
    return {name: Kernel(parameters, body) for name, parameters, body in ENTRY.findall(text)}


class Machine:
    """Runs kernels of PTX files by name, directly on the arrays that it is given, like ``Shim``.

    Attributes:
        memory: more arrays that kernels may use. Their addresses stand in other arrays.
    """

    def __init__(self, *texts):
        self.kernels = {}
        self.memory = []
        for text in texts:
            self.kernels.update(kernels_of(text))

    def launch(self, name, grid, block, *arguments):
        """Run a kernel; ints are 32 bits, None is address 0.

        Raises:
            Illegal: a GPU would fail, or need not do the same twice.
        """
        kernel = self.kernels[name]
        arrays = list(self.memory)
        values = []
        for argument in arguments:
            if isinstance(argument, np.ndarray):
                arrays.append(argument)
            is_number = argument is None or isinstance(argument, int)
            values.append(argument or 0 if is_number else argument.ctypes.data)
        bounds = sorted((array.ctypes.data, array.ctypes.data + array.nbytes) for array in arrays)
        parameters = dict(zip(kernel.parameters, values))
        run = Run(kernel, three(grid), three(block), parameters, np.array(bounds, np.int64))
        with np.errstate(all="ignore"):
            run.to_end()


class Run:
    """One launch: all of its threads, their registers and their blocks' shared memory.

    Args:
        kernel: a ``Kernel``.
        grid, block: three numbers each. A block has whole warps.
        parameters: their values, by name.
        bounds: (arrays, 2) first address of each array and the one after its last; sorted.
    """

    def __init__(self, kernel, grid, block, parameters, bounds):
        self.kernel, self.parameters, self.bounds = kernel, parameters, bounds
        self.threads, blocks = int(np.prod(block)), int(np.prod(grid))
        self.count = self.threads * blocks
        place = np.unravel_index(np.arange(self.count), grid[::-1] + block[::-1])
        self.registers = {}
        for axis, letter in enumerate("xyz"):
            self.registers[f"%ctaid.{letter}"] = place[2 - axis].astype(np.uint32)
            self.registers[f"%tid.{letter}"] = place[5 - axis].astype(np.uint32)
            self.registers[f"%ntid.{letter}"] = np.full(self.count, block[axis], np.uint32)
            self.registers[f"%nctaid.{letter}"] = np.full(self.count, grid[axis], np.uint32)
        size = kernel.shared_size
        self.shared = np.full(blocks * size, 0xEE, np.uint8)
        self.own_shared = np.arange(self.count) // self.threads * size
        self.writer, self.reader = np.zeros((2, blocks * size), np.int64)  # a thread's number + 1
        self.next = np.zeros(self.count, np.int64)  # index of each thread's next instruction
        self.waits = np.zeros(self.count, bool)  # at a barrier

    def to_end(self):
        """Run until all threads have returned; the ones that are furthest behind go first."""
        end = len(self.kernel.code)
        while True:
            able = np.flatnonzero(~self.waits & (self.next < end))
            if able.size:
                self._straight(*self._furthest_behind(able))
            elif self.waits.any():
                self._meet()
            else:
                return

    def _furthest_behind(self, able):
        """(index, threads) of those to run next: at a shuffle a warp waits for all of its lanes."""
        for index in np.unique(self.next[able]):
            threads = able[self.next[able] == index]
            if self.kernel.code[index].name[0] != "shfl":
                return index, threads
            here = np.bincount(threads // 32, minlength=self.count // 32 + 1)[threads // 32]
            if (here == 32).any():
                return index, threads[here == 32]
        return index, threads  # which the shuffle refuses

    def _meet(self):
        """Let the threads at a barrier go on. All of a block must wait at the same one."""
        where = np.where(self.waits, self.next, -1).reshape(-1, self.threads)
        if (where != where[:, :1]).any():
            raise Illegal("only some threads of a block reach a barrier")
        self.waits[:] = False
        self.writer[:] = self.reader[:] = 0

    def _straight(self, index, threads):
        """Run instructions up to the next branch, barrier or label."""
        end = self.kernel.ends[index]
        self.next[threads] = end
        for instruction in self.kernel.code[index:end]:
            active = threads
            if instruction.guard:
                active = threads[self.get(instruction.guard, threads, TYPES["pred"])]
                if instruction.negated:
                    active = np.setdiff1d(threads, active, assume_unique=True)
            if active.size:
                # all threads are a slice, which NumPy reads without a copy
                self._execute(instruction, slice(None) if active.size == self.count else active)

    def _execute(self, instruction, threads):
        what, operands = instruction.name[0], instruction.operands
        if what == "bra":
            self.next[threads] = self.kernel.labels[operands[0]]
        elif what == "ret":
            self.next[threads] = len(self.kernel.code)
        elif what == "bar":
            self.waits[threads] = True
        elif what == "ld" and instruction.name[1] == "param":
            value = np.uint64(self.parameters[operands[1][1:-1]])
            self.put(operands[0], threads, value.astype(instruction.kind))
        elif what in ("ld", "st"):
            self._access(instruction, threads)
        elif what == "shfl":
            self._shuffle(instruction, threads)
        else:
            operations.execute(self, instruction, threads)

    # ---- registers

    def register(self, name):
        """All threads' bits in a register."""
        if name not in self.registers:
            kinds = self.kernel.registers
            kind = kinds[name] if name in kinds else kinds[name.rstrip("0123456789")]
            self.registers[name] = np.zeros(self.count, kind)
        return self.registers[name]

    def get(self, operand, threads, kind):
        """A register's low bits, a number, or the address of a shared variable."""
        if operand[0] != "%":
            if operand in self.kernel.shared:
                return kind.type(self.kernel.shared[operand])
            return operations.number(operand, kind)
        bits = self.register(operand)[threads]
        if bits.dtype.itemsize != kind.itemsize:
            bits = bits.astype(f"u{kind.itemsize}")
        return bits.view(kind)

    def put(self, operand, threads, values):
        """Write values to a register; shorter numbers are extended by their sign."""
        if operand == "_":  # not wanted
            return
        register = self.register(operand)
        size = register.dtype.itemsize
        if values.dtype.itemsize != size:
            values = values.astype(f"{values.dtype.kind}{size}")
        register[threads] = values.view(register.dtype)

    # ---- memory

    def _access(self, instruction, threads):
        """Load or store one element, or the few of a vector."""
        kind, load = instruction.kind, instruction.name[0] == "ld"
        place, data = instruction.operands[:: 1 if not load else -1]
        parts = NAME.findall(data) or [data]
        base, offset = ADDRESS.match(place).groups()
        if base in self.kernel.shared:
            at = np.full(self.count, self.kernel.shared[base], np.int64)[threads]
        else:
            at = self.register(base)[threads].astype(np.int64)
        at, size = at + int(offset or 0), kind.itemsize
        if (at % (size * len(parts))).any():
            raise Illegal(f"misaligned {'.'.join(instruction.name)}")
        for index, part in enumerate(parts):
            memory, elements = self._elements(instruction, at + index * size, threads)
            if load:
                self.put(part, threads, memory[elements].view(kind))
            else:
                memory[elements] = self.get(part, threads, np.dtype(f"u{size}"))

    def _elements(self, instruction, at, threads):
        """The memory as elements of the instruction's size, and the threads' places in it."""
        size, shared = instruction.kind.itemsize, instruction.name[1] == "shared"
        if at.size and at.min() >= operations.SHARED:
            at = at - operations.SHARED
            shared = True
        if not shared:
            first, end = self.bounds.T
            array = np.searchsorted(first, at, side="right") - 1
            if ((array < 0) | (at + size > end[array])).any():
                raise Illegal(f"{'.'.join(instruction.name)} outside of all arrays")
            return operations.everything(size), at // size - operations.LOWEST // size
        at = at & 0xFFFFFFFF  # these addresses have 32 bits
        if (at + size > self.kernel.shared_size).any():
            raise Illegal("outside of shared memory")
        at = at + self.own_shared[threads]
        numbers = np.arange(1, self.count + 1)[threads]
        for byte in range(size):
            self._touch(at + byte, numbers, instruction.name[0] == "st")
        return self.shared.view(f"u{size}"), at // size

    def _touch(self, at, numbers, write):
        """Note who uses bytes of shared memory; an earlier user must have met at a barrier."""
        writer, reader = self.writer[at], self.reader[at]
        race = (writer != 0) & (writer != numbers)
        if write:
            self.writer[at] = numbers
            race |= (reader != 0) & (reader != numbers) | (self.writer[at] != numbers)
        else:
            self.reader[at] = np.where((reader == 0) | (reader == numbers), numbers, MANY)
            self.reader[at[self.reader[at] != numbers]] = MANY
        if race.any():
            raise Illegal("two threads use shared memory without a barrier between them")

    def _shuffle(self, instruction, threads):
        """shfl.sync.down of whole warps."""
        target, source, distance, _, mask = instruction.operands
        u32 = TYPES["u32"]
        numbers = np.arange(self.count)[threads]
        here = np.bincount(numbers // 32)
        if (here % 32).any() or (self.get(mask, threads, u32) != 0xFFFFFFFF).any():
            raise Illegal("only some lanes of a warp reach a shuffle")
        other = numbers % 32 + self.get(distance, threads, u32).astype(np.int64)
        values = np.zeros(self.count, u32)
        values[threads] = self.get(source, threads, u32)
        found = values[np.where(other < 32, numbers - numbers % 32 + other, numbers)]
        self.put(target.split("|")[0], threads, found)
