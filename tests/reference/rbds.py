"""Whole sessions on real running kinematics: standing, three squats, a pause, then real treadmill running.

The running is subject RBDS001 of Fukuchi et al. 2017 (PeerJ 5:e3298, CC BY 4.0), optical poses of the pelvis
and both thighs at 150 Hz, read in place from the shared data. Standing is the subject's static pose, the
squats are made up, the sensors are simulated (``latemiles.sim.imu``) in random mountings.

    from reference.rbds import rbds_session
    s = rbds_session("2.5ms", seed=3)
    analysis = latemiles.analyze(s.by_name, standing=s.standing, movement=s.movement)
    error = analysis.pelvis - s.pelvis_at(analysis.t)

Two forms of the truth:

absolute
    Anatomical axes as the lab had them (ISB): ``pelvis_absolute``, ``hip_absolute``.
relative to standing
    Every segment's axes are those that, in the mean standing pose, are upright (z up) with y horizontal along
    the pelvis's medio-lateral axis: pelvis and hip angles are zero in standing. ``pelvis``, ``hip``. With
    ``hip_own_axes`` the thighs' y is the thigh's own medio-lateral axis made horizontal instead, so that
    hip rotation in standing keeps its anatomical value (``standing_hip_own_axes``).

The squats turn pelvis and thighs about the pelvis's medio-lateral axis (``squat_axes="parallel"``, what a
functional calibration takes for granted) or each thigh about its own ("own"), with a few degrees of
clumsiness. Progression heading: the pelvis's own heading averaged over one stride.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from latemiles.signals.blocks import ImuStream
from latemiles.signals.frames import (
    SEGMENTS,
    SIDES,
    Segment,
    Side,
    hip_angles,
    pelvis_angles,
    quat_conj,
    quat_from_matrix,
    quat_multiply,
    quat_rotate,
)
from latemiles.sim.imu import (
    ImuErrors,
    apply_errors,
    continuous,
    ideal_imu,
    quat_from_rotvec,
    random_quat,
)
from latemiles.sim.tissue import Impacts, SoftTissue, soft_tissue_motion

POSE_HZ = 150.0
_OURS_FROM_ISB = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])  # X, Y, Z -> x, -z, y
_THIGH = {Side.LEFT: Segment.LEFT_THIGH, Side.RIGHT: Segment.RIGHT_THIGH}
_LEVER_M = {
    Segment.PELVIS: (-0.02, 0.0, 0.0),
    Segment.LEFT_THIGH: (0.07, 0.04, 0.02),
    Segment.RIGHT_THIGH: (0.07, -0.04, 0.02),
}
_TISSUE = {
    Segment.PELVIS: SoftTissue(),
    Segment.LEFT_THIGH: SoftTissue(
        ringing_rad=np.radians(2.0), displacement_m=0.006, wobble_rad=np.radians(2.0)
    ),
    Segment.RIGHT_THIGH: SoftTissue(
        ringing_rad=np.radians(2.0), displacement_m=0.006, wobble_rad=np.radians(2.0)
    ),
}
_THIGH_M, _SHANK_M = 0.42, 0.43


def data_root() -> Path:
    """Folder of the shared data: LATEMILES_DATA, else ../shared/data from the repository's root."""
    named = os.environ.get("LATEMILES_DATA")
    return Path(named) if named else Path(__file__).resolve().parents[3] / "shared" / "data"


def rbds_path(trial: str = "2.5ms") -> Path:
    """File of a trial: "2.5ms" or "3.5ms"."""
    return data_root() / "waveforms" / f"rbds_pose_RBDS001_{trial}.npz"


def has_rbds() -> bool:
    """Whether the data is here; tests skip where it is not."""
    return rbds_path().exists()


@dataclass(frozen=True)
class Poses:
    """Segment poses at POSE_HZ: quat (n, 4) segment to earth, position (n, 3) m."""

    quat: dict[Segment, np.ndarray]
    position: dict[Segment, np.ndarray]


@dataclass(frozen=True)
class Session:
    """Streams and truth; angles rad, on ``t`` (the sample times of all three streams)."""

    t: np.ndarray
    rate_hz: float
    streams: dict[Segment, ImuStream]
    standing: tuple[float, float]
    movement: tuple[float, float]
    running: tuple[float, float]
    """From the first full-strength stride to the end."""
    pelvis: np.ndarray
    """(n, 3) tilt, obliquity, rotation relative to standing."""
    hip: np.ndarray
    """(2, n, 3) left, right: flexion, adduction, internal rotation relative to standing."""
    hip_own_axes: np.ndarray
    pelvis_absolute: np.ndarray
    hip_absolute: np.ndarray
    standing_pelvis: np.ndarray
    """(3,) anatomical angles of the standing pose."""
    standing_hip: np.ndarray
    standing_hip_own_axes: np.ndarray
    contacts_s: dict[Side, np.ndarray]
    """Initial contacts of the running window; simulated impacts begin exactly here."""
    quat_earth_sensor: dict[Segment, np.ndarray]
    """(n, 4) true orientation, soft-tissue motion included."""
    mounting: dict[Segment, np.ndarray]
    """(4,) sensor to segment, segment axes upright in standing (those of ``pelvis`` and ``hip``)."""
    flags: dict[Segment, np.ndarray] = field(default_factory=dict)

    @property
    def by_name(self) -> dict[str, ImuStream]:
        """Streams as ``analyze`` takes them."""
        return {segment.value: stream for segment, stream in self.streams.items()}

    @property
    def is_running(self) -> np.ndarray:
        """(n,) samples of the running window."""
        return (self.t >= self.running[0]) & (self.t <= self.running[1])

    def pelvis_at(self, t: np.ndarray) -> np.ndarray:
        """Truth (k, 3) relative to standing at other times."""
        return np.stack([np.interp(t, self.t, self.pelvis[:, j]) for j in range(3)], axis=1)

    def hip_at(self, t: np.ndarray) -> np.ndarray:
        """Truth (2, k, 3) relative to standing at other times."""
        return np.stack([[np.interp(t, self.t, h[:, j]) for j in range(3)] for h in self.hip]).transpose(
            0, 2, 1
        )


def _rot(axis: int, angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    m = np.eye(3)
    m[i, i], m[i, j], m[j, i], m[j, j] = c, -s, s, c
    return m


def _ours(matrix: np.ndarray) -> np.ndarray:
    return continuous(np.atleast_2d(quat_from_matrix(_OURS_FROM_ISB @ matrix @ _OURS_FROM_ISB.T)))


def _mended(quat: np.ndarray) -> np.ndarray:
    """Orientation with marker swaps (two of 60 ms in the pelvis of the 3.5 m/s trial) bridged smoothly."""
    step = quat_multiply(quat_conj(quat[:-1]), quat[1:])
    rate = np.linalg.norm(step[:, 1:], axis=1)
    bad = np.zeros(len(quat), dtype=bool)
    for k in np.flatnonzero(rate > 4.0 * np.median(rate)):
        bad[max(k - 6, 0) : k + 8] = True
    mended = quat.copy()
    edges = np.flatnonzero(np.diff(np.concatenate([[0], bad.astype(int), [0]])))
    for start, stop in edges.reshape(-1, 2):
        near = np.arange(start - 15, stop + 15)
        good = near[~bad[near]]
        middle = (start + stop) / 2.0
        for j in range(4):
            mended[start:stop, j] = np.polyval(
                np.polyfit((good - middle) / 20.0, quat[good, j], 5), (np.arange(start, stop) - middle) / 20.0
            )
    return mended / np.linalg.norm(mended, axis=1, keepdims=True)


def _load(trial: str) -> tuple[Poses, Poses, dict[Side, np.ndarray]]:
    """Running poses, the standing pose (one row) and the touchdown times of a trial."""
    with np.load(rbds_path(trial)) as d:
        f = {k: np.asarray(d[k], dtype=np.float64) for k in d.files}
    names = {Segment.PELVIS: ("R_pelvis", "p_midpsis")} | {
        _THIGH[side]: (f"R_thigh_{side.value[0].upper()}", f"p_thigh_{side.value[0].upper()}")
        for side in SIDES
    }
    running = Poses(
        {s: _mended(_ours(f[r].reshape(-1, 3, 3))) for s, (r, _) in names.items()},
        {s: f[p] @ _OURS_FROM_ISB.T for s, (_, p) in names.items()},
    )
    # The file's static angles are raw rotations about ISB axes: pelvis Ry Rx Rz, hip Rz Rx Ry; those of the
    # left hip are re-signed so that adduction and internal rotation are positive on both sides.
    tilt, obliquity, rotation = np.radians(f["static_pelvis_tilt_obl_rot"])
    pelvis = _rot(1, rotation) @ _rot(0, obliquity) @ _rot(2, tilt)
    standing = {Segment.PELVIS: _ours(pelvis)}
    for side in SIDES:
        flexion, adduction, internal = np.radians(f[f"static_hip_{side.value[0].upper()}"])
        hip = _rot(2, flexion) @ _rot(0, side.sign * adduction) @ _rot(1, side.sign * internal)
        standing[_THIGH[side]] = _ours(pelvis @ hip)
    touchdowns = _in_turn({side: f[f"td_{side.value[0].upper()}"] / POSE_HZ for side in SIDES})
    return running, Poses(standing, {}), touchdowns


def _in_turn(touchdowns: dict[Side, np.ndarray]) -> dict[Side, np.ndarray]:
    """Touchdowns with those put back where the leg lands that the lab's detection found in mid-stance.

    Four of the 2.5 m/s trial lie 0.13 s, a third of a step, behind their own foot's rhythm, which all others
    keep to 0.03 s; the poses go on undisturbed. They go half way between the other foot's two.
    """
    mended = {}
    for side, other in zip(SIDES, reversed(SIDES), strict=True):
        own, others = touchdowns[side], touchdowns[other]
        ahead = own - np.median(np.diff(own)) * np.arange(len(own))
        around = np.lib.stride_tricks.sliding_window_view(np.pad(ahead, 4, mode="reflect"), 9)
        is_off = np.abs(ahead - np.median(around, axis=1)) > 0.08
        after = np.clip(np.searchsorted(others, own), 1, len(others) - 1)
        mended[side] = np.where(is_off, 0.5 * (others[after - 1] + others[after]), own)
    return mended


def _joint(running: Poses, thigh: Segment) -> tuple[np.ndarray, np.ndarray]:
    """Hip centre in pelvis and in thigh axes that keeps the two segments together best (least squares), m."""
    eye = np.eye(3)
    pelvis, femur = running.quat[Segment.PELVIS], running.quat[thigh]
    a = np.stack([quat_rotate(pelvis, e) for e in eye], axis=-1)
    b = np.stack([quat_rotate(femur, e) for e in eye], axis=-1)
    gap = running.position[thigh] - running.position[Segment.PELVIS]
    r = np.linalg.lstsq(np.concatenate([a, -b], axis=2).reshape(-1, 6), gap.reshape(-1), rcond=None)[0]
    return r[:3], r[3:]


def _bump(t: np.ndarray, start: float, length: float) -> np.ndarray:
    """0 to 1 to 0, smooth."""
    u = np.clip((t - start) / length, 0.0, 1.0)
    return np.sin(np.pi * u) ** 4 * (u > 0) * (u < 1)


def _ramp(t: np.ndarray, start: float, length: float) -> np.ndarray:
    """0 to 1 with zero first and second derivative at both ends."""
    u = np.clip((t - start) / length, 0.0, 1.0)
    return u**3 * (10.0 - 15.0 * u + 6.0 * u * u)


@dataclass(frozen=True)
class _Plan:
    standing_s: float
    squats: int
    squat_s: float
    squat_axes: str
    pause_s: float
    blend_s: float

    @property
    def standing(self) -> tuple[float, float]:
        return 0.5, self.standing_s

    @property
    def movement(self) -> tuple[float, float]:
        return self.standing_s + 0.5, self.standing_s + 1.0 + self.squats * self.squat_s + 0.5

    @property
    def run_s(self) -> float:
        return self.movement[1] + self.pause_s


def _turn_about(axis: np.ndarray, angle: np.ndarray) -> np.ndarray:
    return quat_from_rotvec(angle[:, None] * axis)


def _calm(t: np.ndarray, standing: Poses, plan: _Plan, rng: np.random.Generator) -> tuple[dict, np.ndarray]:
    """Orientation of standing and squatting, and the way of the hips from standing, earth frame, m."""
    left = quat_rotate(standing.quat[Segment.PELVIS][0], np.array([0.0, 1.0, 0.0]))
    depth = np.zeros_like(t)
    for k in range(plan.squats):
        start = plan.standing_s + 1.0 + k * plan.squat_s
        depth += rng.uniform(0.9, 1.1) * _bump(t, start, plan.squat_s)
    flex = np.radians(80.0) * depth
    quats = {}
    for segment in SEGMENTS:
        still = standing.quat[segment][0]
        about = left
        if plan.squat_axes == "own" and segment is not Segment.PELVIS:
            about = quat_rotate(still, np.array([0.0, 1.0, 0.0]))
        about = np.array([about[0], about[1], 0.0]) / np.hypot(about[0], about[1])
        angle = np.radians(22.0) * depth if segment is Segment.PELVIS else -flex
        slow = rng.uniform(0.1, 0.35, 3)
        sway = np.radians(0.12) * np.sin(2 * np.pi * slow * t[:, None] + rng.uniform(0, 6.28, 3))
        clumsy = np.radians(2.0) * rng.uniform(-1.0, 1.0, 3) * np.array([1.0, 0.0, 1.0])
        own = quat_from_rotvec(sway + depth[:, None] * clumsy)
        quats[segment] = quat_multiply(quat_multiply(_turn_about(about, angle), still), own)
    shank = np.radians(32.0) * depth
    forward = np.array([left[1], -left[0], 0.0]) / np.hypot(left[0], left[1])
    ahead = _SHANK_M * np.sin(shank) - _THIGH_M * np.sin(flex)
    down = _SHANK_M * (1 - np.cos(shank)) + _THIGH_M * (1 - np.cos(flex))
    return quats, ahead[:, None] * forward - down[:, None] * np.array([0.0, 0.0, 1.0])


def _slerp(p: np.ndarray, q: np.ndarray, weight: np.ndarray) -> np.ndarray:
    d = quat_multiply(quat_conj(p), q)
    d *= np.where(d[:, :1] < 0.0, -1.0, 1.0)
    norm = np.linalg.norm(d[:, 1:], axis=1)
    angle = 2.0 * np.arctan2(norm, d[:, 0])
    axis = d[:, 1:] / np.maximum(norm, 1e-12)[:, None]
    return quat_multiply(p, quat_from_rotvec((weight * angle)[:, None] * axis))


def _whole(
    running: Poses, standing: Poses, plan: _Plan, rng: np.random.Generator
) -> tuple[np.ndarray, Poses, np.ndarray]:
    """Times, poses of the whole session at POSE_HZ, and the weight of running in them."""
    n_run = len(running.position[Segment.PELVIS])
    n_calm = round(plan.run_s * POSE_HZ)
    t = np.arange(n_calm + n_run) / POSE_HZ
    weight = _ramp(t, n_calm / POSE_HZ, plan.blend_s)
    joints = {side: _joint(running, _THIGH[side]) for side in SIDES}
    held = {s: np.concatenate([np.repeat(q[:1], n_calm, axis=0), q]) for s, q in running.quat.items()}
    paths = {s: np.concatenate([np.repeat(p[:1], n_calm, axis=0), p]) for s, p in running.position.items()}
    calm, moved = _calm(t, standing, plan, rng)
    quat = {s: continuous(_slerp(calm[s], held[s], weight)) for s in SEGMENTS}
    middle = np.mean([joints[side][0] for side in SIDES], axis=0)
    hips = paths[Segment.PELVIS][n_calm:].mean(axis=0) + quat_rotate(standing.quat[Segment.PELVIS][0], middle)
    stood = hips + moved - quat_rotate(calm[Segment.PELVIS], middle)
    position = {Segment.PELVIS: stood + weight[:, None] * (paths[Segment.PELVIS] - stood)}
    for side in SIDES:
        thigh = _THIGH[side]
        in_pelvis, in_thigh = joints[side]

        def hung(pose: dict, path: np.ndarray, thigh=thigh, a=in_pelvis, b=in_thigh) -> np.ndarray:
            return path + quat_rotate(pose[Segment.PELVIS], a) - quat_rotate(pose[thigh], b)

        # What the joint leaves unexplained in the real running (skin, markers) fades in with the running.
        rest = paths[thigh] - hung(held, paths[Segment.PELVIS])
        position[thigh] = hung(quat, position[Segment.PELVIS]) + weight[:, None] * rest
    return t, Poses(quat, position), weight


def _upright(quat: np.ndarray, left: np.ndarray) -> np.ndarray:
    """The rotation (4,) from upright axes with y along ``left`` (horizontal) to the mean pose ``quat``."""
    y = np.array([left[0], left[1], 0.0]) / np.hypot(left[0], left[1])
    z = np.array([0.0, 0.0, 1.0])
    upright = quat_from_matrix(np.stack([np.cross(y, z), y, z], axis=1)[None])[0]
    return quat_multiply(quat_conj(upright), quat)


def _mean_quat(quat: np.ndarray) -> np.ndarray:
    return np.linalg.eigh(quat.T @ quat)[1][:, -1]


def _progression(quat_pelvis: np.ndarray, stride_samples: float) -> np.ndarray:
    """Pelvis in the progression frame: its heading less its own mean over one stride."""
    heading = np.unwrap(pelvis_angles(quat_pelvis)[:, 2])
    half = stride_samples / 2.0
    total = np.concatenate([[0.0], np.cumsum(heading)])
    at = np.arange(len(heading)) + 0.5
    low, high = np.clip(at - half, 0, len(heading)), np.clip(at + half, 0, len(heading))
    grid = np.arange(len(total))
    mean = (np.interp(high, grid, total) - np.interp(low, grid, total)) / (high - low)
    return quat_multiply(_turn_about(np.array([0.0, 0.0, 1.0]), -mean), quat_pelvis)


def _angles(quat: dict, stride_samples: float) -> tuple[np.ndarray, np.ndarray]:
    pelvis = pelvis_angles(_progression(quat[Segment.PELVIS], stride_samples))
    back = quat_conj(quat[Segment.PELVIS])
    return pelvis, np.stack([hip_angles(quat_multiply(back, quat[_THIGH[s]]), s) for s in SIDES])


def rbds_session(
    trial: str = "2.5ms",
    *,
    seed: int = 0,
    rate_hz: float = 208.0,
    errors: ImuErrors | None = None,
    has_errors: bool = True,
    has_soft_tissue: bool = True,
    standing_s: float = 12.0,
    squats: int = 3,
    squat_axes: str = "parallel",
    pause_s: float = 2.0,
    low_pass_hz: float = 18.0,
) -> Session:
    """A session on one real trial; see the module.

    Parameters
    ----------
    trial : str
        "2.5ms" or "3.5ms".
    seed : int
        Draws mountings, heading, squats, soft tissue and sensor errors.
    rate_hz : float
        Sample rate of the simulated sensors, Hz.
    errors : ImuErrors, optional
        Sensor errors; None takes the usual ones.
    has_errors, has_soft_tissue : bool
        False leaves them out.
    standing_s, squats, squat_axes, pause_s
        The part before the running; ``squats=0`` leaves the movement out.
    low_pass_hz : float
        Of the optical poses.
    """
    rng = np.random.default_rng(seed)
    plan = _Plan(standing_s, squats, 3.0, squat_axes, pause_s, 2.0)
    running, standing, touchdowns = _load(trial)
    pose_t, poses, weight = _whole(running, standing, plan, rng)
    turn = _turn_about(np.array([0.0, 0.0, 1.0]), rng.uniform(-np.pi, np.pi, 1))[0]
    contacts = {side: touchdowns[side] + plan.run_s for side in SIDES}
    stride_s = float(np.median(np.diff(contacts[Side.RIGHT])))
    phase = np.interp(pose_t, contacts[Side.RIGHT], np.arange(len(contacts[Side.RIGHT])), left=0.0)
    specimen = (errors or ImuErrors()) if has_errors else ImuErrors.none()
    streams, truth, bodies, mounted, flags = {}, {}, {}, {}, {}
    for segment in SEGMENTS:
        quat, position = poses.quat[segment], quat_rotate(turn, poses.position[segment])
        quat = quat_multiply(turn, quat)
        mounting = random_quat(rng)
        impacts = _impacts(segment, contacts, pose_t, weight)
        rotvec, shift = np.zeros((2, len(pose_t), 3))
        if has_soft_tissue:
            rotvec, shift = soft_tissue_motion(pose_t, impacts, phase, weight, _TISSUE[segment], rng)
        # The sensor rides on skin: a frame of its own at the end of the lever.
        lever = np.array(_LEVER_M[segment]) + shift
        skin = quat_multiply(quat, quat_from_rotvec(rotvec))
        place = position + quat_rotate(quat, lever)
        t, acc, gyr, truth[segment] = ideal_imu(
            pose_t, skin, place, rate_hz, quat_segment_sensor=mounting, low_pass_hz=low_pass_hz
        )
        bodies[segment] = ideal_imu(pose_t, quat, position, rate_hz, low_pass_hz=low_pass_hz)[3]
        acc, gyr, flags[segment] = apply_errors(
            t, acc, gyr, truth[segment], specimen, rng, rate_hz=rate_hz, impacts=impacts
        )
        streams[segment] = ImuStream(t, acc, gyr)
        mounted[segment] = mounting
    window = (t >= plan.standing[0]) & (t <= plan.standing[1])
    stood = {s: _mean_quat(bodies[s][window]) for s in SEGMENTS}
    left = quat_rotate(stood[Segment.PELVIS], np.array([0.0, 1.0, 0.0]))
    offset = {s: _upright(stood[s], left) for s in SEGMENTS}
    own = {s: _upright(stood[s], quat_rotate(stood[s], np.array([0.0, 1.0, 0.0]))) for s in SEGMENTS}
    samples = stride_s * rate_hz
    pelvis, hip = _angles({s: quat_multiply(bodies[s], quat_conj(offset[s])) for s in SEGMENTS}, samples)
    _, hip_own = _angles({s: quat_multiply(bodies[s], quat_conj(own[s])) for s in SEGMENTS}, samples)
    pelvis_absolute, hip_absolute = _angles(bodies, samples)
    full = plan.run_s + plan.blend_s
    return Session(
        t=t,
        rate_hz=rate_hz,
        streams=streams,
        standing=plan.standing,
        movement=plan.movement,
        running=(full, float(t[-1])),
        pelvis=pelvis,
        hip=hip,
        hip_own_axes=hip_own,
        pelvis_absolute=pelvis_absolute,
        hip_absolute=hip_absolute,
        standing_pelvis=pelvis_absolute[window].mean(axis=0),
        standing_hip=hip_absolute[:, window].mean(axis=1),
        standing_hip_own_axes=hip_own[:, window].mean(axis=1),
        contacts_s={side: contacts[side][contacts[side] >= full] for side in SIDES},
        quat_earth_sensor=truth,
        mounting={s: quat_multiply(offset[s], mounted[s]) for s in SEGMENTS},
        flags=flags,
    )


def _impacts(segment: Segment, contacts: dict, pose_t: np.ndarray, weight: np.ndarray) -> Impacts:
    """Contacts as one sensor feels them: a quarter at the other thigh; they grow with the running."""
    times, gains = [], []
    for side in SIDES:
        felt = 0.25 if segment not in (Segment.PELVIS, _THIGH[side]) else 1.0
        times.append(contacts[side])
        gains.append(felt * np.interp(contacts[side], pose_t, weight))
    order = np.argsort(np.concatenate(times))
    return Impacts(np.concatenate(times)[order], np.concatenate(gains)[order])
