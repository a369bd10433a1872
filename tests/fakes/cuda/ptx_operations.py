"""What the PTX instructions compute that work on registers alone."""

import ctypes
import functools

import numpy as np

TYPES = {
    f"{letter}{8 * size}": np.dtype(f"{kind}{size}")
    for letter, kind in ("si", "uu", "bu", "ff")
    for size in (1, 2, 4, 8)
    if letter != "f" or size > 1
}
TYPES["pred"] = np.dtype("?")
LOWEST = 4096  # no array has a lower address
SHARED = 1 << 60  # where a block's shared memory lies among all addresses


class Illegal(Exception):
    """A kernel does what fails on a GPU, or has no defined result there."""


@functools.lru_cache(None)
def everything(size):
    """All memory of the process from LOWEST on, as elements of some bytes."""
    memory = (ctypes.c_uint8 * (2**47 - LOWEST)).from_address(LOWEST)
    return np.ctypeslib.as_array(memory).view(f"u{size}")


@functools.lru_cache(None)
def number(text, kind):
    """A number in an instruction: 12, 0x1F, or a float's bits, such as 0f3F800000."""
    if text[:2] in ("0f", "0d"):
        return np.array(int(text[2:], 16), f"u{kind.itemsize}").view(kind)[()]
    bits = 8 * kind.itemsize
    return np.array(int(text, 0) % 2**bits, f"u{kind.itemsize}").view(kind)[()]


def execute(run, instruction, threads):
    """Compute the result of a ``Run``'s instruction for the threads at it, and write it."""
    what, operands, kind = instruction.name[0], instruction.operands, instruction.kind
    if what == "mov" and "{" in operands[0] + operands[1]:
        _repack(run, instruction, threads)
        return
    if what in SPECIAL:
        result = SPECIAL[what](run, instruction, threads)
    else:
        simple = FLOATS if kind.kind == "f" else INTEGERS
        result = simple[what](*(run.get(operand, threads, kind) for operand in operands[1:]))
        if ".".join(instruction.name) in GROSS:
            result = (result.view(np.uint64) >> np.uint64(32) << np.uint64(32)).view(kind)
    run.put(operands[0], threads, result)


# ---- arithmetic


def _fma(a, b, c):
    """Products and sums with one rounding, by the C library."""
    function = LIBM.fmaf if np.result_type(a) == np.float32 else LIBM.fma
    a, b, c = np.broadcast_arrays(a, b, c)
    values = [function(*each) for each in zip(a.tolist(), b.tolist(), c.tolist())]
    return np.array(values, a.dtype)


LIBM = ctypes.CDLL("libm.so.6")
LIBM.fma.restype, LIBM.fma.argtypes = ctypes.c_double, [ctypes.c_double] * 3
LIBM.fmaf.restype, LIBM.fmaf.argtypes = ctypes.c_float, [ctypes.c_float] * 3


def _quotient(a, b):
    """Rounded towards zero. Of 0 it is all ones, as on NVIDIA's GPUs."""
    a, b = np.broadcast_arrays(a, b)
    wide = np.abs(a.astype(np.int64)) // np.abs(np.where(b == 0, 1, b).astype(np.int64))
    return np.where(b == 0, -1, wide * np.where((a < 0) == (b < 0), 1, -1)).astype(a.dtype)


def _permuted(low, high, order):
    """prmt: each byte of the result is one of eight, or its sign."""
    low, high, order = np.broadcast_arrays(low, high, order)
    eight = np.concatenate([low[:, None], high[:, None]], axis=1).view(np.uint8)
    result = np.zeros((len(low), 4), np.uint8)
    for place in range(4):
        chosen = order >> np.uint32(4 * place)
        byte = eight[np.arange(len(low)), chosen & 7]
        result[:, place] = np.where(chosen & 8, (byte >> 7) * np.uint8(255), byte)
    return result.view(np.uint32).ravel()


def _leading_zeros(values):
    bits = 8 * values.dtype.itemsize
    return np.array([bits - int(value).bit_length() for value in values], np.uint32)


def _field(values, start, length):
    return values >> start & ((np.uint32(1) << length) - np.uint32(1))


# The approximate ones are exact here; the code allows for their errors.
FLOATS = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "fma": _fma,
    "rcp": lambda a: a.dtype.type(1) / a,
    "sqrt": np.sqrt,
    "rsqrt": lambda a: (1 / np.sqrt(a.astype(np.float64))).astype(a.dtype),
    "ex2": lambda a: np.exp2(a.astype(np.float64)).astype(a.dtype),
    "min": np.fmin,
    "max": np.fmax,
    "abs": np.abs,
    "neg": np.negative,
    "mov": lambda a: a,
}
INTEGERS = {
    "add": np.add,
    "sub": np.subtract,
    "div": _quotient,
    "rem": lambda a, b: a - _quotient(a, b) * b,
    "min": np.minimum,
    "max": np.maximum,
    "abs": np.abs,
    "neg": np.negative,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "not": np.invert,
    "clz": _leading_zeros,
    "bfe": _field,
    "prmt": _permuted,
    "mov": lambda a: a,
}


# ---- instructions whose operands have several types


def _multiply(run, instruction, threads):
    """mul and mad of floats, of the low or the high bits, or to twice the bits."""
    kind, name = instruction.kind, instruction.name
    a, b = (run.get(operand, threads, kind) for operand in instruction.operands[1:3])
    if "wide" in name:
        kind = np.dtype(f"{kind.kind}{2 * kind.itemsize}")
        a, b = a.astype(kind), b.astype(kind)
    if "hi" in name:  # of 32 bits
        return (a.astype(f"{kind.kind}8") * b >> 32).astype(kind)
    return a * b + run.get(instruction.operands[3], threads, kind) if name[0] == "mad" else a * b


def _shift(run, instruction, threads):
    """Shifts by more bits than there are give 0 or the sign."""
    kind, bits = instruction.kind, 8 * instruction.kind.itemsize
    values = run.get(instruction.operands[1], threads, kind)
    by = run.get(instruction.operands[2], threads, TYPES["u32"])
    if instruction.name[0] == "shr":
        fill = np.where(values < 0, -1, 0).astype(kind) if kind.kind == "i" else kind.type(0)
        return np.where(by < bits, values >> np.minimum(by, bits - 1).astype(kind), fill)
    return np.where(by < bits, values << np.minimum(by, bits - 1).astype(kind), kind.type(0))


COMPARISONS = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}


def _compare(run, instruction, threads):
    """setp. A comparison with what is not a number is true only if its name ends in u."""
    kind, how = instruction.kind, instruction.name[1]
    if len(instruction.operands) != 3:
        raise Illegal("no setp with a third source")
    a, b = (run.get(operand, threads, kind) for operand in instruction.operands[1:])
    unordered = np.isnan(a) | np.isnan(b) if kind.kind == "f" else False
    if how in ("nan", "num"):
        return unordered if how == "nan" else ~unordered
    return np.where(unordered, how.endswith("u"), COMPARISONS[how[:2]](a, b))


def _to_any_address(run, instruction, threads):
    """cvta between addresses of one kind of memory and those of all memory."""
    address = run.get(instruction.operands[1], threads, instruction.kind)
    if "shared" in instruction.name:
        window = np.uint64(SHARED)
        address = address - window if "to" in instruction.name else address + window
    return address


def _choose(run, instruction, threads):
    yes, no, which = instruction.operands[1:]
    return np.where(
        run.get(which, threads, TYPES["pred"]),
        run.get(yes, threads, instruction.kind),
        run.get(no, threads, instruction.kind),
    )


ROUNDINGS = {"rni": np.rint, "rzi": np.trunc, "rmi": np.floor, "rpi": np.ceil}


def _convert(run, instruction, threads):
    """cvt. Floats beyond a whole number's range become its ends, what is no number becomes 0."""
    to, kind = TYPES[instruction.name[-2]], instruction.kind
    values = run.get(instruction.operands[1], threads, kind)
    rounding = ROUNDINGS.get(instruction.name[1])
    if rounding:
        values = rounding(values)
    if kind.kind != "f" or to.kind == "f":
        return values.astype(to)
    low, high = np.iinfo(to).min, np.iinfo(to).max
    values = np.where(np.isnan(values), 0.0, values.astype(np.float64))
    below = np.where(values < float(high), values, 0.0).clip(float(low)).astype(to)
    return np.where(values < float(high), below, to.type(high))


def _repack(run, instruction, threads):
    """mov between one register and several shorter ones."""
    target, source = instruction.operands
    if target[0] == "{":
        parts = [part.strip() for part in target[1:-1].split(",")]
        short = np.dtype(f"u{instruction.kind.itemsize // len(parts)}")
        bits = np.ascontiguousarray(run.get(source, threads, instruction.kind)).view(short)
        for index, part in enumerate(parts):
            run.put(part, threads, bits[index :: len(parts)])
        return
    parts = [part.strip() for part in source[1:-1].split(",")]
    short = np.dtype(f"u{instruction.kind.itemsize // len(parts)}")
    bits = np.broadcast_arrays(*(run.get(part, threads, short) for part in parts))
    run.put(target, threads, np.stack(bits, axis=-1).view(instruction.kind)[..., 0])


SPECIAL = {
    "mul": _multiply,
    "mad": _multiply,
    "shl": _shift,
    "shr": _shift,
    "setp": _compare,
    "selp": _choose,
    "cvt": _convert,
    "cvta": _to_any_address,
}
GROSS = ("rcp.approx.ftz.f64", "rsqrt.approx.ftz.f64")  # right to 20 bits alone
KNOWN = {"ld", "st", "bra", "ret", "bar", "shfl", *FLOATS, *INTEGERS, *SPECIAL}
MODIFIERS = {*TYPES, *COMPARISONS, *ROUNDINGS, *(how + "u" for how in COMPARISONS), "nan", "num"}
MODIFIERS |= set("rn approx lo hi wide to global nc shared param v2 v4 sync down uni".split())
