"""How long everything about sending may take, in seconds."""

from __future__ import annotations


class Timing:
    """Durations in seconds; tests shorten them."""

    def __init__(
        self,
        *,
        linger: float = 0.5,
        hold: float = 20.0,
        keep: float = 2.0,
        first_retry: float = 1.0,
        longest_retry: float = 60.0,
        refused_retry: float = 30.0,
        request: float = 10.0,
        quiet: float = 60.0,
        course: float = 300.0,
    ) -> None:
        self.linger = linger  # how long a first event waits for company
        self.hold = hold  # how long a page has to confirm an event
        self.keep = keep  # what waits longer is written to the disk
        self.first_retry = first_retry  # doubled at each failure ...
        self.longest_retry = longest_retry  # ... up to this
        self.refused_retry = refused_retry  # where address or key are wrong
        self.request = request  # for one HTTP attempt
        self.quiet = quiet  # later outages shorter than this are not mentioned
        self.course = course  # how long the course's settings are believed
