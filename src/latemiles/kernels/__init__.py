"""kernels."""

from latemiles.kernels.cache import stamp_by_all_sources

stamp_by_all_sources()
