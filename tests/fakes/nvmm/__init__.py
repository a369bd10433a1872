"""A stand-in for L4T's NVMM: buffers of a real GStreamer whose pictures lie on the fake GPU."""

import ctypes
import itertools
import os
import queue
import subprocess

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
CUDA = os.path.join(os.path.dirname(HERE), "cuda")
NAMES = "libnvbufsurface.so.1.0.0", "libnvbuf_utils.so.1.0.0"
OTHER = "libother.so"  # the same library by a name that L4T does not have
SURFACE, NVBUF = 64, 1008  # bytes of a buffer from R34 on, and of R32
PADDING, PICTURES = 64, 24  # bytes behind each row; pictures that the hardware writes in turn
CAPS = "video/x-raw(memory:NVMM),format=NV12,width={},height={},framerate=[1/1,120/1]"
FLIPS = {0: (1, 1), 2: (-1, -1), 4: (1, -1), 6: (-1, 1)}  # nvvidconv's flip-method: steps
EITHER = "video/x-raw(memory:NVMM),format=NV12;video/x-raw,format=NV12"


def build(folder):
    """Compile the libraries into a folder."""
    for name in NAMES + (OTHER,):
        command = ["gcc", "-shared", "-fPIC", "-Wall", "-Wl,-soname," + name, "-I", CUDA]
        path = os.path.join(str(folder), name)
        subprocess.check_call(command + ["-o", path, os.path.join(HERE, "surface.c")])


class Hardware:
    """The video hardware, with GStreamer's elements ``nvarguscamerasrc`` and ``nvvidconv``.

    Args:
        size: (width, height) of the pictures.
        options: ``names``: of the libraries that are loaded. ``bytes``: of a buffer, ``SURFACE``
            or ``NVBUF``. ``good``: pictures before ``fails`` and ``frame`` hold. ``fails``: 1:
            CUDA registers no picture; 2: nor maps it; 3: there is no EGLImage. ``frame``: other
            values of CUeglFrame. ``shift``: of a picture, columns.
    """

    def __init__(self, size, options):
        from hotpath.runtime.track.video import nvmm_structs

        self.structs, self.size, self.options, self.made = nvmm_structs, size, options, 0
        self.driver = ctypes.CDLL("libcuda.so.1")
        self._seen = queue.Queue()
        self.libraries = [ctypes.CDLL(name) for name in options.get("names", NAMES)]
        self.driver.fake_registered.restype = ctypes.c_long
        for library in self.libraries:
            library.fake_buffer.restype = ctypes.c_void_p
            library.fake_mapped.restype = ctypes.c_long
        # here, because GStreamer's threads must not call the driver
        self.driver.cuCtxPushCurrent_v2(None)
        self._memory = itertools.cycle([self._allocated(size) for _ in range(PICTURES)])
        self.driver.cuCtxPopCurrent_v2(None)
        self._register_elements()

    def begin(self, options):
        """Forget what was seen, and go on with other options."""
        self.options, self.made = options, 0
        with self._seen.mutex:
            self._seen.queue.clear()

    def held(self):
        """[images that are mapped, images that are registered]."""
        mapped = [library.fake_mapped() for library in self.libraries]
        return [sum(mapped), self.driver.fake_registered()] if min(mapped) >= 0 else mapped

    def show(self, nv12):
        """Let the camera see a picture: luma over chroma, uint8 (H * 3 / 2, W); None: the end."""
        self._seen.put(None if nv12 is None else nv12.tobytes())

    def _allocated(self, size):
        address = ctypes.c_uint64()
        count = ctypes.c_size_t((size[0] + PADDING) * size[1] * 3 // 2)
        assert self.driver.cuMemAlloc_v2(ctypes.byref(address), count) == 0
        return address.value

    def _register_elements(self):
        import gi

        gi.require_version("GstBase", "1.0")
        from gi.repository import GObject, Gst, GstBase

        hardware, always = self, Gst.PadPresence.ALWAYS

        def template(name, way, caps=EITHER):
            return Gst.PadTemplate.new(name, way, always, Gst.Caps.from_string(caps))

        class FakeCamera(GstBase.BaseSrc):
            __gstmetadata__ = ("camera", "Source", "stand-in", "tests")
            camera = CAPS.format(*hardware.size)
            __gsttemplates__ = (template("src", Gst.PadDirection.SRC, camera),)
            sensor_id = GObject.Property(type=int, default=0)

            def __init__(self):
                super().__init__()
                self.set_live(True)
                self.set_format(Gst.Format.TIME)

            def do_create(self, *_):
                data = hardware._seen.get()
                if data is None:
                    return Gst.FlowReturn.EOS, None
                return Gst.FlowReturn.OK, Gst.Buffer.new_wrapped(data)

            def do_unlock(self):
                hardware._seen.put(None)
                return True

        class FakeConverter(GstBase.BaseTransform):
            __gstmetadata__ = ("converter", "Filter", "stand-in", "tests")
            ways = Gst.PadDirection.SRC, Gst.PadDirection.SINK
            __gsttemplates__ = tuple(template(way.value_nick, way) for way in ways)
            bl_output = GObject.Property(type=bool, default=True)
            output_buffers = GObject.Property(type=int, default=4)
            flip_method = GObject.Property(type=int, default=0)

            def __init__(self):
                super().__init__()
                self.set_in_place(True)

            def do_transform_caps(self, way, caps, wanted):
                both = Gst.Caps.new_empty()
                for feature in ("memory:NVMM", "memory:SystemMemory"):
                    one = caps.copy()
                    one.set_features(0, Gst.CapsFeatures.from_string(feature))
                    both.append(one)
                return both.intersect(wanted) if wanted else both

            def do_transform_ip(self, buffer):
                linear = not self.bl_output and self.output_buffers > 4
                rows, columns = FLIPS[self.flip_method]
                made = hardware.buffer(
                    buffer.extract_dup(0, buffer.get_size()), linear, rows, columns
                )
                buffer.remove_all_memory()
                buffer.append_memory(made.get_all_memory())
                return Gst.FlowReturn.OK

        for name, kind in (("nvarguscamerasrc", FakeCamera), ("nvvidconv", FakeConverter)):
            GObject.type_register(kind)
            assert Gst.Element.register(None, name, Gst.Rank.NONE, kind)

    def buffer(self, nv12, linear, step_y=1, step_x=1):
        """A ``Gst.Buffer`` that shows a picture, given by the bytes of NV12.

        ``step_y``, ``step_x``: -1 turns the rows or columns of luma round, of colour no column.
        """
        from gi.repository import Gst

        (width, height), options = self.size, self.options
        rows = np.full((height * 3 // 2, width + PADDING), 255, np.uint8)
        shown = np.frombuffer(nv12, np.uint8).reshape(-1, width)
        shown = np.vstack([shown[:height][::step_y, ::step_x], shown[height:][::step_y]])
        rows[:, :width] = np.roll(shown, options.get("shift", 0), axis=1)
        address = next(self._memory)
        ctypes.memmove(address, rows.ctypes.data, rows.nbytes)
        values = dict(width=width, height=height, pitch=width + PADDING, plane_count=2)
        values.update(frame_type=int(linear), colour_format=1, sample_format=1, channels=1)
        is_bad, self.made = self.made >= options.get("good", 0), self.made + 1
        values.update(options.get("frame", {}) if is_bad else {})
        shown = self.structs.EglFrame(**values)
        shown.planes[:2] = address, address + rows.strides[0] * height
        fails = options.get("fails", 0) if is_bad else 0
        library = self.libraries[options.get("bytes") == NVBUF]
        place = library.fake_buffer(ctypes.byref(shown), rows.strides[0], fails)
        return Gst.Buffer.new_wrapped(ctypes.string_at(place, self.options.get("bytes", SURFACE)))
