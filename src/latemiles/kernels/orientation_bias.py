"""Bias of the gyroscope as the causal filter learns it: a Kalman filter a sensor (Laidig and Seel, 3.4)."""

from __future__ import annotations

from latemiles.kernels.jit import njit
from latemiles.kernels.lanes import all_of, any_of, select
from latemiles.kernels.orientation_shared import clip

__all__ = ["prior_information", "update_bias"]


@njit(cache=True, forceinline=True)
def _adjugate(xx, xy, xz, yy, yz, zz):
    # Of a symmetric matrix, and one over its determinant: their product is its inverse.
    cxx = yy * zz - yz * yz
    cxy = xz * yz - xy * zz
    cxz = xy * yz - xz * yy
    k = 1.0 / (xx * cxx + xy * cxy + xz * cxz)
    return cxx, cxy, cxz, xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy, k


@njit(cache=True, forceinline=True)
def prior_information(st, co):
    """Inverse covariance of the bias before the sample: xx, xy, xz, yy, yz, zz."""
    p = st.bias_cov
    for j in (0, 3, 5):
        p[j] += select(p[j] < co.cov_init, co.cov_step, 0.0)
    xx, xy, xz, yy, yz, zz, k = _adjugate(p[0], p[1], p[2], p[3], p[4], p[5])
    return xx * k, xy * k, xz * k, yy * k, yz * k, zz * k


@njit(cache=True, forceinline=True)
def update_bias(st, co, prior, turn, is_clean, ex, ey):
    """Take what the correction of the inclination, or rest, tells of the bias.

    ``prior`` is the inverse covariance, ``turn`` the low-passed rotation matrix and the first two rows of
    matrix times bias, ``ex`` and ``ey`` the low-passed force before the correction over its length.
    """
    # Information form of the Kalman update: P+ = (P^-1 + R^T W^-1 R)^-1 and db = P+ R^T W^-1 e. All is
    # symmetric, and everything but two inverses is independent of the last covariance. At rest the rate is
    # the bias: R is one, and all three weights are those of rest.
    p = st.bias_cov
    b = st.bias
    limit = co.bias_clip
    rests = st.rest > 0.0
    is_used = rests | (is_clean & (st.resumed < 1.0))
    if not any_of(is_used):
        return
    r0, r1, r2, r3, r4, r5, r6, r7, r8, seen, seen_too = turn
    seen_up = 0.0
    ux, uy = ex * co.rate, ey * co.rate
    wh, wv = co.weight_motion, co.weight_vertical
    if any_of(rests):
        r0, r1, r2 = select(rests, 1.0, r0), select(rests, 0.0, r1), select(rests, 0.0, r2)
        r3, r4, r5 = select(rests, 0.0, r3), select(rests, 1.0, r4), select(rests, 0.0, r5)
        r6, r7, r8 = select(rests, 0.0, r6), select(rests, 0.0, r7), select(rests, 1.0, r8)
        mean = st.rest_gyr
        seen, seen_too = select(rests, mean[0], seen), select(rests, mean[1], seen_too)
        seen_up = select(rests, mean[2], seen_up)
        ux, uy = select(rests, 0.0, ux), select(rests, 0.0, uy)
        wh, wv = select(rests, co.weight_rest, wh), select(rests, co.weight_rest, wv)
    # What depends on this sample's correction comes last: it is what the next sample waits for.
    e0 = wh * clip((seen - uy) - (r0 * b[0] + (r1 * b[1] + r2 * b[2])), limit)
    e1 = wh * clip((seen_too + ux) - (r3 * b[0] + (r4 * b[1] + r5 * b[2])), limit)
    e2 = wv * clip(seen_up - (r6 * b[0] + (r7 * b[1] + r8 * b[2])), limit)
    vx = r0 * e0 + r3 * e1 + r6 * e2
    vy = r1 * e0 + r4 * e1 + r7 * e2
    vz = r2 * e0 + r5 * e1 + r8 * e2
    ixx, ixy, ixz, iyy, iyz, izz = prior
    pxx, pxy, pxz, pyy, pyz, pzz, k = _adjugate(
        ixx + (wh * (r0 * r0 + r3 * r3) + wv * r6 * r6),
        ixy + (wh * (r0 * r1 + r3 * r4) + wv * r6 * r7),
        ixz + (wh * (r0 * r2 + r3 * r5) + wv * r6 * r8),
        iyy + (wh * (r1 * r1 + r4 * r4) + wv * r7 * r7),
        iyz + (wh * (r1 * r2 + r4 * r5) + wv * r7 * r8),
        izz + (wh * (r2 * r2 + r5 * r5) + wv * r8 * r8),
    )
    # The division is waited for last.
    bx = clip(b[0] + (pxx * vx + pxy * vy + pxz * vz) * k, limit)
    by = clip(b[1] + (pxy * vx + pyy * vy + pyz * vz) * k, limit)
    bz = clip(b[2] + (pxz * vx + pyz * vy + pzz * vz) * k, limit)
    pxx, pxy, pxz, pyy, pyz, pzz = pxx * k, pxy * k, pxz * k, pyy * k, pyz * k, pzz * k
    if not all_of(is_used):
        bx, by, bz = select(is_used, bx, b[0]), select(is_used, by, b[1]), select(is_used, bz, b[2])
        pxx, pxy, pxz = select(is_used, pxx, p[0]), select(is_used, pxy, p[1]), select(is_used, pxz, p[2])
        pyy, pyz, pzz = select(is_used, pyy, p[3]), select(is_used, pyz, p[4]), select(is_used, pzz, p[5])
    b[0] = bx
    b[1] = by
    b[2] = bz
    p[0] = pxx
    p[1] = pxy
    p[2] = pxz
    p[3] = pyy
    p[4] = pyz
    p[5] = pzz
