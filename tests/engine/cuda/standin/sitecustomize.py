"""In every process that has this folder on its PYTHONPATH torch has a GPU once it is imported, and Ray finds it."""

import importlib.abc
import importlib.util
import sys


def _torch(module):
    import torch_cuda

    torch_cuda.install(module)


def _ray(module):
    module.NvidiaGPUAcceleratorManager.get_current_node_num_accelerators = staticmethod(lambda: 1)
    module.NvidiaGPUAcceleratorManager.get_current_node_accelerator_type = staticmethod(lambda: None)


class _Finder(importlib.abc.MetaPathFinder):
    wanted = {"torch": _torch, "ray._private.accelerators.nvidia_gpu": _ray}

    def find_spec(self, name, path=None, target=None):
        then = self.wanted.pop(name, None)
        if then is None:
            return None
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            then(module)

        spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, _Finder())
