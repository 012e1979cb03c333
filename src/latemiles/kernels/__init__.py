"""kernels."""

from latemiles.kernels.cache import use_kernel_cache

use_kernel_cache()
