"""torch.cuda on the stand-in for the driver, as far as the project uses it, for a torch built without CUDA.

Tensors "on the GPU" are ordinary ones whose memory the stand-in has handed out; they say that they are on cuda:0, and
refuse to meet tensors of the processor. Every operation waits for the launches before it, as on a stream.
"""

import ctypes
import os
import pathlib
import types
import weakref

DEVICE_NAME = "NVIDIA Stand-in"
_OPERATION_NS = 1_000_000  # of the device's clock
_COPYING = {"copy_", "__getitem__", "__setitem__", "to", "_has_compatible_shallow_copy_type"}
_LOOKING = {  # what starts no kernel
    "__get__", "__set__", "data_ptr", "is_contiguous", "numel", "element_size", "dim", "size", "stride",
    "requires_grad_", "detach", "contiguous", "view", "as_subclass", "new_empty", "is_floating_point",
}  # fmt: skip


class Driver:
    """What torch uses of the driver."""

    def __init__(self):
        self.library = ctypes.CDLL("libcuda.so.1")
        self.context = None

    def call(self, name, *arguments):
        status = getattr(self.library, name)(*arguments)
        if status == 2:
            raise self.out_of_memory("CUDA out of memory. (stand-in)")
        if status != 0:
            text = ctypes.c_char_p()
            self.library.cuGetErrorString(status, ctypes.byref(text))
            raise RuntimeError(f"CUDA error: {(text.value or b'?').decode()}")

    def current(self):
        """torch makes the primary context current in a thread that uses it."""
        if self.context is None:
            self.call("cuInit", 0)
            self.context = ctypes.c_void_p()
            self.call("cuDevicePrimaryCtxRetain", ctypes.byref(self.context), 0)
        return self

    def __enter__(self):
        self.call("cuCtxPushCurrent_v2", self.current().context)
        return self

    def __exit__(self, *_):
        self.library.cuCtxPopCurrent_v2(ctypes.byref(ctypes.c_void_p()))


def install(torch):
    """Give ``torch`` a GPU."""
    driver = Driver()
    driver.out_of_memory = torch.OutOfMemoryError
    gpu = torch.device("cuda", 0)
    plain = {name: getattr(torch, name) for name in ("zeros", "ones", "full", "empty", "randn", "arange")}
    plain_to = torch.Tensor.to

    def wait():
        with driver:
            driver.call("cuCtxSynchronize")

    class DeviceTensor(torch.Tensor):
        device = property(lambda self: gpu)
        is_cuda = property(lambda self: True)
        is_cpu = property(lambda self: False)

        @property
        def grad(self):
            found = torch.Tensor.grad.__get__(self)
            return None if found is None else found.as_subclass(DeviceTensor)

        @grad.setter
        def grad(self, value):
            torch.Tensor.grad.__set__(self, value)

        @classmethod
        def __torch_function__(cls, func, kinds, args=(), kwargs=None):
            name = getattr(func, "__name__", "")
            if name not in _LOOKING:
                wait()
                driver.library.standin_work(ctypes.c_ulonglong(_OPERATION_NS))
                if name not in _COPYING:
                    for each in args:
                        if type(each) is torch.Tensor and each.dim() > 0:
                            raise RuntimeError(
                                f"{name}: Expected all tensors to be on the same device, cuda:0 and cpu!"
                            )
            return super().__torch_function__(func, kinds, args, kwargs or {})

        def cpu(self):
            wait()
            return self.detach().as_subclass(torch.Tensor).clone()

        def numpy(self, *_, **__):
            raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first.")

    def placed(tensor):
        tensor = tensor.detach().as_subclass(torch.Tensor).contiguous()
        size = tensor.numel() * tensor.element_size()
        if size == 0:
            return tensor.clone().as_subclass(DeviceTensor)
        at = ctypes.c_ulonglong()
        with driver:
            driver.call("cuMemAlloc_v2", ctypes.byref(at), ctypes.c_size_t(size))
        block = (ctypes.c_char * size).from_address(at.value)
        weakref.finalize(block, driver.library.cuMemFree_v2, ctypes.c_ulonglong(at.value))
        ctypes.memmove(at.value, tensor.data_ptr(), size)
        return torch.frombuffer(block, dtype=tensor.dtype).view(tensor.shape).as_subclass(DeviceTensor)

    def is_gpu(device):
        return device is not None and torch.device(device).type == "cuda"

    def made(name):
        def make(*args, device=None, **kwargs):
            if not is_gpu(device):
                return plain[name](*args, device=device, **kwargs)
            tensor = plain[name](*args, **kwargs)
            if name == "empty" and tensor.is_floating_point():
                tensor.fill_(float("nan"))  # whoever reads what nobody wrote shall see it
            return placed(tensor)

        return make

    def to(self, *args, **kwargs):
        device, dtype, _, _ = torch._C._nn._parse_to(*args, **kwargs)
        there = isinstance(self, DeviceTensor)
        if device is None or (device.type == "cpu" and not there):
            return plain_to(self, *args, **kwargs)
        if dtype not in (None, self.dtype):
            return to(plain_to(self, dtype), device)
        if device.type == "cpu":
            return self.cpu()
        if there:
            return self
        assert not (self.requires_grad and torch.is_grad_enabled() and self.grad_fn is not None)
        return placed(self)

    class Event:
        def __init__(self, enable_timing=False):
            self.handle = ctypes.c_void_p()
            with driver:
                driver.call("cuEventCreate", ctypes.byref(self.handle), 0)

        def record(self):
            with driver:
                driver.call("cuEventRecord", self.handle, None)

        def elapsed_time(self, end):
            found = ctypes.c_float()
            with driver:
                driver.call("cuEventElapsedTime_v2", ctypes.byref(found), self.handle, end.handle)
            return found.value

    backward = torch.autograd.function.BackwardCFunction
    plain_backward = backward.apply

    def apply_backward(self, *gradients):  # autograd hands over ordinary tensors
        if any(isinstance(each, DeviceTensor) for each in self.saved_tensors):
            gradients = [each.as_subclass(DeviceTensor) if type(each) is torch.Tensor else each for each in gradients]
        return plain_backward(self, *gradients)

    backward.apply = apply_backward
    facts = types.SimpleNamespace(
        name=DEVICE_NAME, major=9, minor=int(os.environ.get("STANDIN_MINOR", "0")),
        multi_processor_count=int(os.environ.get("STANDIN_MULTIPROCESSORS", "4")),
        total_memory=int(os.environ.get("STANDIN_MEMORY", str(256 << 20))),
    )  # fmt: skip
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0") not in ("", "-1")

    def limit(fraction, device=None):
        if os.environ.get("STANDIN_RECORD"):
            with pathlib.Path(os.environ["STANDIN_RECORD"]).open("a") as file:
                file.write(f"{os.getpid()} {fraction} {os.environ.get('CUDA_VISIBLE_DEVICES')}\n")

    torch.version.cuda = "13.0"
    for name, function in {
        "init": driver.current,
        "is_available": lambda: visible,
        "is_initialized": lambda: visible,
        "device_count": lambda: int(visible),
        "get_device_properties": lambda index=0: facts,
        "get_device_name": lambda index=0: DEVICE_NAME,
        "current_stream": lambda device=None: types.SimpleNamespace(cuda_stream=0, synchronize=wait),
        "synchronize": lambda device=None: wait(),
        "set_per_process_memory_fraction": limit,
        "Event": Event,
    }.items():
        setattr(torch.cuda, name, function)
    for name in plain:
        setattr(torch, name, made(name))
    torch.Tensor.to = to
    torch.__future__.set_overwrite_module_params_on_conversion(True)
