"""TorchErrors: what an error of the computation means for the job and for the worker."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from zssr_daemon.errors import DeviceError, ImageError, JobError, Reason, TransientError
from zssr_daemon.zssr.device import is_out_of_memory
from zssr_daemon.zssr.start.start_file import StartError

# Words in the messages of torch's RuntimeErrors; its class AcceleratorError matches too.
_OF_DEVICE = re.compile(r"cuda|cudnn|cublas|accelerator", re.IGNORECASE)


@contextmanager
def faults_as_reasons() -> Iterator[None]:
    """Turn lack of memory, faults of the device and of drawn starts into errors with their reasons.

    Raises:
        JobError: `bad_start`; every other image would meet it too.
        TransientError: `out_of_memory`; the device is well.
        DeviceError: the device's context is lost, and with it this process.
    """
    try:
        yield
    except ImageError as error:
        if not isinstance(error.__cause__, MemoryError):
            raise
        # The probe has decoded this file: it is not too large, only memory is short just now.
        raise TransientError(str(error), reason=Reason.OUT_OF_MEMORY) from error
    except StartError as error:
        cure = 'install the program again, or set [zssr] start = "none"'
        raise JobError(f"{error}; {cure}", reason=Reason.BAD_START) from error
    except (MemoryError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise TransientError(str(error), reason=Reason.OUT_OF_MEMORY) from error
        if _OF_DEVICE.search(f"{type(error).__name__} {error}"):
            raise DeviceError(str(error)) from error
        raise
