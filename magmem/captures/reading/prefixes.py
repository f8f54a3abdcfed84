"""What logs put before a line: the kernel's log, the system log, `ffx log`, logcat, dmesg, journal.

Behind a prefix stands the line as it was printed, with its indentation. A prefix is recognised by
its times and brackets; where none is, the line is taken whole.

========================================  ================================================
form                                      where
========================================  ================================================
``[00041.380] 01058:01061> text``         kernel log; until 2019 ``pid.tid``
``[00041.380] text``, ``<6>[41.38] text``  `dlog`, dmesg; with a date: ``dmesg -T``
``[278.14][1902][1904][tags] INFO: text``  system log
``[41.380][moniker][tags][I] text``       `ffx log`, `log_listener --pretty`
``Mar 27 01:15:36 host kernel: text``     syslog and journal; also with an ISO time
``03-13 11:16:48.123 1 2 I tag: text``    logcat (threadtime, time), ``I/tag( 12): text`` (brief)
========================================  ================================================
"""

from __future__ import annotations

import re

__all__ = ["unprefixed"]

_SECONDS = r"\[ *+[0-9]{1,12}\.[0-9]{1,9}\]"
_LEVEL = "(?:TRACE|DEBUG|INFO|WARN(?:ING)?|ERROR|FATAL)"
_DATE = r"(?:[A-Z][a-z]{2} )?[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8}(?: [0-9]{4})?"
_BRACKETED = re.compile(
    r"(?:\] ?)*+(?:<[0-9]{1,3}>)?(?:"
    rf"{_SECONDS}(?:\[[^\]\[]{{0,80}}\]){{2,3}} (?:{_LEVEL}: )?"
    rf"|{_SECONDS} [0-9a-f]{{1,12}}[.:][0-9a-f]{{1,12}}>(?: |$)"
    rf"|{_SECONDS}(?: |$)"
    rf"|\[{_DATE}\](?: |$)"
    r")?+"
)
_SYSLOG = re.compile(
    r"(?:[A-Z][a-z]{2} [ 0-9][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,15}(?:Z|[+-][0-9:]{4,5})?)"
    r" [\w.-]{1,64} (?:[\w./()@-]{1,64}(?:\[[0-9]{1,10}\])?: ?)"
    r"(?:\[ *+[0-9]{1,12}\.[0-9]{1,9}\](?: |$))?"
)
_LOGCAT = re.compile(
    r"(?:[0-9]{4}-)?[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3,6}(?: [+-][0-9]{4})? "
    r"(?:(?: *[0-9]{1,10}){2,3} [VDIWEFS] [^:]{0,64}?: ?|[VDIWEFS]/[^(]{0,64}\( *[0-9]{1,10}\): ?)"
)
_BRIEF = re.compile(r"[VDIWEFS]/[^(]{0,64}\( *[0-9]{1,10}\): ?")
_KERNEL_TAG = re.compile(r"kernel: (?:\[ *+[0-9]{1,12}\.[0-9]{1,9}\](?: |$))?")


def unprefixed(line: str) -> str:
    """The line behind a log's prefix and prompts of the serial console.

    Examples
    --------
    >>> unprefixed("[41.380][klog][klog][I]   TASK"), unprefixed("] [00635.839] 0.0>   j:1")
    ('  TASK', '  j:1')
    """
    first = line[:1]
    if first in "[]<":
        match = _BRACKETED.match(line) if first else None
    elif (line[9:10] == ":" and line[12:13] == ":") or (line[10:11] == "T" and line[4:5] == "-"):
        match = _SYSLOG.match(line)
    elif (line[2:3] == "-" and line[8:9] == ":") or (line[4:5] == "-" and line[13:14] == ":"):
        match = _LOGCAT.match(line)
    elif line[1:2] == "/":
        match = _BRIEF.match(line)
    else:
        match = _KERNEL_TAG.match(line) if line.startswith("kernel: ") else None
    return line[match.end() :] if match else line
