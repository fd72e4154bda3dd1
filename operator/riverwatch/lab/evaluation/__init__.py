"""Honest figures: labels of a recording and detections in, precision, recall, alert volume and time to detect out.

In the order in which they are used: `splits` (which recordings may be judged), `alerts` (detections read), `matching`
(which alert belongs to which attack), `measures` (figures), `curves` (what plots show), `page` and `table` (reports).
"""
