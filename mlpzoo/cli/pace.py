"""How long a task still takes, judged by its own progress messages.  Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

_AT_LEAST_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Progress of one task between its first message and its last one.

    A task that goes on where an interrupted one stopped starts with ``done`` above zero: what it found done
    is no measure of its speed.

    Attributes:
        first_done: How much was done at the first message.
        first_s: When that was.
        done: How much is done.
        total: Of how much; 0 if that is not known.
        now_s: Time of the last message.
    """

    first_done: int
    first_s: float
    done: int
    total: int
    now_s: float

    @classmethod
    def after(cls, before: Pace | None, *, done: int, total: int, now_s: float) -> Pace:
        """The pace after another message; a new one where the task counts something else from now on."""
        if before is None or total != before.total or done < before.done:
            return cls(first_done=done, first_s=now_s, done=done, total=total, now_s=now_s)
        return replace(before, done=done, now_s=now_s)

    @property
    def left_s(self) -> float | None:
        """Time left in seconds; None if nothing is known yet."""
        gone, moved = self.now_s - self.first_s, self.done - self.first_done
        if not self.total or moved <= 0 or gone < _AT_LEAST_S:
            return None
        return max(0, self.total - self.done) * gone / moved

    @property
    def left(self) -> str:
        """``5 min left``; empty if nothing is known yet."""
        return "" if self.left_s is None else f"{duration(self.left_s)} left"


def duration(seconds: float) -> str:
    """``40 s``, ``5 min``, ``2 h 10 min``, ``3 d 4 h``."""
    minutes = round(seconds / 60)
    if seconds < 99.5:  # noqa: PLR2004
        return f"{seconds:.0f} s"
    if minutes < 100:  # noqa: PLR2004
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:  # noqa: PLR2004
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"
