"""The peers' orientation filters, each as its package is called, six axes, no magnetometer.

``imufusion`` at the gain that does best on BROAD (0.2) and at its own default, ``ahrs``' Madgwick and
Mahony at the gains that do best there (0.03; 0.3 without integral part). All take sensor axes and give
sensor to earth, scalar first; their headings are arbitrary.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import vqf
from numpy.typing import NDArray

F8 = NDArray[np.float64]
Filter = Callable[[F8, F8, float], F8]

_G = 9.80665


def vqf_causal(gyr: F8, acc: F8, rate_hz: float) -> F8:
    """``vqf.VQF``, one batch."""
    quat: F8 = vqf.VQF(1.0 / rate_hz).updateBatch(gyr.copy(), acc.copy())["quat6D"]
    return quat


def vqf_offline(gyr: F8, acc: F8, rate_hz: float) -> F8:
    """``vqf.offlineVQF``."""
    quat: F8 = vqf.offlineVQF(gyr.copy(), acc.copy(), None, 1.0 / rate_hz)["quat6D"]
    return quat


def _imufusion(gain: float) -> Filter:
    def run(gyr: F8, acc: F8, rate_hz: float) -> F8:
        import imufusion

        settings = imufusion.AhrsSettings(sample_rate=rate_hz, gyroscope_range=2000.0)
        if gain > 0.0:
            settings.gain = gain
        made = imufusion.Ahrs().set_settings(settings)
        quat = np.empty((len(gyr), 4))
        rates, forces = np.degrees(gyr), acc / _G
        for k in range(len(gyr)):
            made.update_no_magnetometer(rates[k], forces[k])
            quat[k] = made.get_quaternion()
        return quat

    return run


def _ahrs(name: str, **gains: float) -> Filter:
    def run(gyr: F8, acc: F8, rate_hz: float) -> F8:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from ahrs import filters
            from ahrs.common.orientation import acc2q

            made = getattr(filters, name)(frequency=rate_hz, **gains)
            quat = np.empty((len(gyr), 4))
            q = acc2q(acc[0])
            for k in range(len(gyr)):
                q = made.updateIMU(q, gyr=gyr[k], acc=acc[k])
                quat[k] = q
        return quat

    return run


PEERS: dict[str, Filter] = {
    "vqf.VQF": vqf_causal,
    "vqf.offlineVQF": vqf_offline,
    "imufusion, gain 0.2": _imufusion(0.2),
    "imufusion, default": _imufusion(0.0),
    "ahrs.Madgwick": _ahrs("Madgwick", gain=0.03),
    "ahrs.Mahony": _ahrs("Mahony", k_P=0.3, k_I=1e-9),
}
