"""TorchErrors: each error of the computation, by what it means for job and worker."""

import pytest
import torch

from zssr_daemon.errors import DeviceError, ImageError, Reason, TransientError
from zssr_daemon.worker.torch_errors import faults_as_reasons


@pytest.mark.parametrize(
    "error",
    [
        torch.AcceleratorError("an illegal memory access was encountered"),
        torch.AcceleratorError("CUDA error: out of memory"),
        RuntimeError("CUDA error: unspecified launch failure"),
        RuntimeError("cudaErrorDevicesUnavailable"),
        RuntimeError("CUBLAS_STATUS_ALLOC_FAILED"),
    ],
)
def test_faults_of_the_device(error: Exception) -> None:
    """Whatever a device says but that its memory is full costs the process."""
    with pytest.raises(DeviceError) as caught, faults_as_reasons():
        raise error
    assert (caught.value.reason, caught.value.is_retryable) == ("device_error", True)
    assert str(caught.value) == str(error)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("no room"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
        RuntimeError("not enough memory: you tried to allocate 8 bytes"),
    ],
)
def test_lack_of_memory(error: Exception) -> None:
    """The job may be tried again, and no other job is harmed."""
    with pytest.raises(TransientError) as caught, faults_as_reasons():
        raise error
    assert type(caught.value) is TransientError
    assert (caught.value.reason, caught.value.is_retryable) == ("out_of_memory", True)


def test_decoder_short_of_memory_is_no_fault_of_the_image() -> None:
    """The probe found the file good; any other fault of a decoder stays what it is."""
    with pytest.raises(TransientError) as caught, faults_as_reasons():
        raise ImageError("m", reason=Reason.TOO_MANY_PIXELS) from MemoryError()
    assert caught.value.reason == "out_of_memory"
    with pytest.raises(ImageError), faults_as_reasons():
        raise ImageError("m", reason=Reason.CORRUPT) from ValueError()


@pytest.mark.parametrize(
    "error", [RuntimeError("sizes differ"), ZeroDivisionError("cuda"), OSError(5, "cuda")]
)
def test_other_errors_pass(error: Exception) -> None:
    """They are for the job boundary."""
    with pytest.raises(type(error)) as caught, faults_as_reasons():
        raise error
    assert caught.value is error
