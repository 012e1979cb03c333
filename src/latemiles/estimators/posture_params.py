"""Settings of the posture stage, each with its unit and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from typing import Final

__all__ = ["PostureParams"]

_DEG: Final = pi / 180.0


@dataclass(frozen=True, slots=True)
class PostureParams:
    """Settings of the posture stage; the defaults are meant for everybody."""

    bin_hz: float = 25.0
    """Rate of the thinned streams that calibration and heading work on, Hz; ten stride harmonics fit in."""
    memory_s: float = 64.0
    """How much of the thinned streams is kept, s; a standing pose and three squats take half."""

    still_gyr_rad_s: float = 10.0 * _DEG
    """Largest standard deviation of the rate in quiet standing; sway and breath make 1 to 5 deg/s."""
    still_acc_m_s2: float = 0.5
    """Largest standard deviation of the specific force in quiet standing."""
    still_shift_rad: float = 3.0 * _DEG
    """Largest change of inclination within one quiet stance."""
    still_min_s: float = 3.0
    upright_rad: float = 40.0 * _DEG
    """Largest angle between standing and the mean of running for a stance to be one; sitting makes 70."""

    repeat_rad: float = 20.0 * _DEG
    """Smallest tilt of a segment in one repeat of the calibration movement."""
    repeats: int = 2
    """Fewest repeats that make a calibration movement."""
    movement_hz: float = 4.0
    """Low-pass of the rates before their principal axis is taken; muscles shake the sensor above."""

    window_s: float = 3.0
    """Length of the Hann window of swing plane, activity and slip; two strides of a slow walk at least."""
    moving_gyr_rad_s: float = 0.6
    """Smallest rms rate of the thighs in walking or running."""
    moving_force_m_s2: float = 1.0
    """Smallest standard deviation of the pelvis's vertical force in walking."""
    swings_hz: float = 0.45
    """Slowest swing of the thighs in walking, Hz; a squat takes two to four seconds."""
    running_force_m_s2: float = 3.2
    """The same in running: walking makes 1.5 to 2.5, running 5 to 9, jogging on the spot 3.5 to 6."""
    first_running_s: float = 12.0
    """Running or walking after which the axes are first taken from it."""
    full_running_s: float = 60.0
    """Running after which they are taken for good."""

    pelvis_movement_sd_rad: float = 2.2 * _DEG
    """How far the movement's axis lies off the pelvis's medio-lateral axis (reference simulations)."""
    thigh_movement_sd_rad: float = 2.0 * _DEG
    pelvis_running_sd_rad: float = 5.4 * _DEG
    """The same of the harmonics of running: the runner's own asymmetry, not noise."""
    thigh_running_sd_rad: float = 5.0 * _DEG
    expected_tilt_rad: float = 8.0 * _DEG
    """Change of pelvic tilt from standing to running, until it is measured; group means 3 to 6, sd 4."""

    heading_span_s: float = 6.0
    """Hann window of the progression heading: about four strides at half height."""
    turn_rad_s: float = 1.5 * _DEG
    """Turning rate above which the causal heading makes up for its lag."""
    bend_rad_s: float = 3.0 * _DEG
    """Turning rate that is marked as a bend while speed is unknown: 3.5 m/s make a lean of 1 degree."""
    sharp_rad_s: float = 15.0 * _DEG
    """Turning rate that is marked though speed is known: nobody runs on in steady form then. The tightest
    bend of an indoor track makes 13 deg/s at 4 m/s."""
    sharp_m_s2: float = 1.0
    """Centripetal acceleration that is marked though speed is known: where speed errs by a tenth, 0.6 deg."""

    swing_offset_rad: float = 5.0 * _DEG
    """Swing plane against the pelvis's forward axis, mean of two groups of runners (RBDS, RIC): the right
    thigh's plane is turned outwards by this much, the left one's mirrored."""
    swing_offset_sd_rad: float = 5.0 * _DEG
    swing_sd_rad: float = 1.5 * _DEG
    """One window's swing plane."""
    parallel_sd_rad: float = 1.5 * _DEG
    """Parallelism of pelvis and thigh in the calibration movement or in standing, besides their axes."""
    delta_noise_rad: float = 0.03 * _DEG
    """Wander of the relative heading, rad per root s."""
    rate_sd_rad_s: float = 0.06 * _DEG
    """Relative turning of two earth frames, drawn anew with every gait: besides the gyros' biases it comes
    from their scale and cross-axis errors, which each gait works on in its own way."""
    rate_noise_rad_s: float = 0.003 * _DEG
    """Its wander, rad/s per root s."""
    offset_noise_rad: float = 0.005 * _DEG
    """Wander of the swing offset while moving, rad per root s."""
    change_of_gait_rad: float = 4.0 * _DEG
    """How much the swing offset may differ between walking and running,"""
    same_gait_rad: float = 1.0 * _DEG
    """and from one stretch of a gait to its next: pace differs."""
    uncertain_rad: float = 3.0 * _DEG
    """Standard deviation of the relative heading from which it is marked as uncertain; who stood before the
    running and lost no packets leaves 1.1 to 2 degrees."""
    lean_m_s2: float = 0.7
    """Mean level force of a sensor, beyond the steadiest one's, from which its orientation has not settled:
    a lean of 4 degrees. Sound ones differ by 0.2 in steady gait."""
    lag_s: float = 40.0
    """Delay of the smoothed basis; the standing before three squats is within it."""

    slip_rad: float = 1.5 * _DEG
    """Step of a sensor's mean inclination that is a slip; clean runs reach 0.8 degrees in 40 minutes."""
    slip_thigh_rad: float = 2.0 * _DEG
    """The same of a thigh, whose strides scatter twice as much: in 20 clean hours with changes of pace, stops
    and turns one of them reached 1.7 degrees. Hip angles are not called below 0.7 to 1.0 either."""
    slip_side: int = 28
    """Windows on either side of a step."""
    large_slip_rad: float = 5.0 * _DEG
    """Step of the pelvis that is a slip by itself, after few windows or across a pause,"""
    large_slip_thigh_rad: float = 7.0 * _DEG
    """and of a thigh."""
    large_slip_side: int = 6
    """Windows on either side of such a step."""
    large_slip_pace: float = 0.25
    """As ``slip_pace``: a change of pace by a quarter turns both thighs by two or three degrees."""
    slip_skip: int = 3
    """Windows left out at the step."""
    slip_pace: float = 0.08
    """Change of the vigour of the gait over the step, as a part of it, from which it is a change of pace."""
