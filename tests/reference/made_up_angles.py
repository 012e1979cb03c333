"""A made-up run with angles of every sample, for the tests of the exports."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from latemiles.analysis_result import Analysis, GaitEvents
from reference.made_up_analysis import Plan, made_up

RATE_HZ = 100.0
GAP = slice(900, 950)
"""Samples in which the pelvis was not heard."""


def with_angles(plan: Plan | None = None, *, seconds: float = 60.0, unknown: int = 30) -> Analysis:
    """Angles large enough to tell orders of rotation apart, a gap and an unknown start."""
    analysis = made_up(plan or Plan(duration_s=seconds, change_at_s=None, verdict="too short"))
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    phase = 2.0 * np.pi * t / 0.7
    pelvis = np.radians(
        np.stack([8.0 + 5.0 * np.sin(2.0 * phase), 9.0 * np.sin(phase), 12.0 * np.cos(phase)], axis=1)
    )
    hips = [
        np.radians(
            np.stack(
                [20.0 + 35.0 * np.sin(phase + s), 2.0 + 8.0 * np.cos(phase + s), 3.0 + 9.0 * np.sin(phase)],
                axis=1,
            )
        )
        for s in (0.0, np.pi)
    ]
    for angles in (pelvis, *hips):
        angles[:unknown] = np.nan
    pelvis[GAP] = np.nan
    contacts = np.arange(1.0, seconds - 1.0, 0.35)
    return replace(
        analysis,
        t=t,
        pelvis=pelvis,
        hip_left=hips[0],
        hip_right=hips[1],
        events=GaitEvents(
            np.sort(np.concatenate([contacts, contacts + 0.25])),
            np.array(["initial_contact", "toe_off"] * len(contacts)),
            np.repeat(np.where(np.arange(len(contacts)) % 2 == 0, "left", "right"), 2),
            np.ones(2 * len(contacts)),
        ),
    )
