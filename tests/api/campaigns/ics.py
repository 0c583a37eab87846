"""An iCalendar reader of the tests' own, after RFC 5545."""

import re


def content_lines(text: str) -> list[str]:
    """Unfolded content lines; lines end by CRLF and have at most 75 octets."""
    assert text.endswith("\r\n")
    raw = text.split("\r\n")[:-1]
    assert not any("\n" in line or "\r" in line for line in raw)
    assert max(len(line.encode()) for line in raw) <= 75
    lines: list[str] = []
    for line in raw:
        if line.startswith((" ", "\t")):
            lines[-1] += line[1:]
        else:
            lines.append(line)
    return lines


def plain(value: str) -> str:
    """A TEXT value without its escapes."""
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] in "nN" else found[1], value)


def events(text: str) -> list[dict[str, str]]:
    """Properties of every event, with what each must have."""
    found: list[dict[str, str]] = []
    lines = content_lines(text)
    assert lines[0] == "BEGIN:VCALENDAR"
    assert lines[-1] == "END:VCALENDAR"
    assert "VERSION:2.0" in lines
    assert any(line.startswith("PRODID:") for line in lines)
    for line in lines[1:-1]:
        name, _, value = line.partition(":")
        if line == "BEGIN:VEVENT":
            found.append({})
        elif line == "END:VEVENT":
            assert {"UID", "DTSTAMP", "DTSTART"} <= set(found[-1])
        elif found:
            assert name not in found[-1]
            found[-1][name] = plain(value) if name in {"SUMMARY", "DESCRIPTION"} else value
    return found
