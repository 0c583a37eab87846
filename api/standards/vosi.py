"""VOSI 1.1: what the service can do, and that it is there."""

from xml.sax.saxutils import escape

from api.results.views import PREFIX

MEDIA_TYPE = "text/xml"
SCHEMA = "http://www.w3.org/2001/XMLSchema-instance"
VODATASERVICE = "http://www.ivoa.net/xml/VODataService/v1.1"

_CAPABILITIES = (
    ("ivo://ivoa.net/std/VOSI#capabilities", "/obscore/capabilities", "full", ""),
    ("ivo://ivoa.net/std/VOSI#availability", "/obscore/availability", "full", ""),
    ("ivo://ivoa.net/std/SIA#query-2.0", "/obscore", "base", ' role="std" version="2.0"'),
    ("ivo://ivoa.net/std/DataLink#links-1.1", "/datalink", "base", ' role="std" version="1.1"'),
)


def capabilities(url: str) -> bytes:
    """The capabilities of the service that people reach by `url`."""
    out = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<vosi:capabilities xmlns:vosi="http://www.ivoa.net/xml/VOSICapabilities/v1.0" '
        f'xmlns:vs="{VODATASERVICE}" xmlns:xsi="{SCHEMA}">',
    ]
    for standard, path, use, role in _CAPABILITIES:
        where = escape(f"{url}{PREFIX}{path}")
        out.append(
            f'<capability standardID="{standard}"><interface xsi:type="vs:ParamHTTP"{role}>'
            f'<accessURL use="{use}">{where}</accessURL></interface></capability>'
        )
    return ("\n".join([*out, "</vosi:capabilities>"]) + "\n").encode()


def availability(available: bool) -> bytes:
    """Whether queries are answered."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<vosi:availability xmlns:vosi="http://www.ivoa.net/xml/VOSIAvailability/v1.0">'
        f"<vosi:available>{str(available).lower()}</vosi:available></vosi:availability>\n"
    ).encode()
