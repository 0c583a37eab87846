"""No template has anything inline: the policy would stop it, and a page would be broken."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2 import Environment

from tests.requirements import require

require("server")

from api.web.serving import ISLANDS, ROOT, Assets  # noqa: E402 - after the check for the extra

TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
NAMES = [path.relative_to(ROOT / "templates").as_posix() for path in TEMPLATES]
TAG = re.compile(r"{%.*?%}|{#.*?#}|{{.*?}}", re.DOTALL)
SHEETS = sorted((ROOT / "static").rglob("*.css"))


class _Inline(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.posts: list[bool] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = dict(attrs)
        wrong = [name for name in held if name == "style" or name.startswith(("on", "hx-on"))]
        self.found += [f"<{tag} {name}>" for name in wrong]
        if tag == "style" or (tag == "base" and "href" in held):
            self.found.append(f"<{tag}>")
        if tag == "script" and "src" not in held and held.get("type") != "application/json":
            self.found.append("<script> inline")
        for name in ("href", "src", "action"):
            if (held.get(name) or "").lstrip().lower().startswith(("javascript:", "data:", "http:", "//")):
                self.found.append(f"<{tag} {name}={held[name]}>")
        if tag == "form":
            self.posts.append((held.get("method") or "").lower() == "post")


@pytest.mark.parametrize("path", TEMPLATES, ids=NAMES)
def test_nothing_inline(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    reader = _Inline()
    reader.feed(TAG.sub(" ", text).replace("  >", ">"))
    assert reader.found == []
    assert "|safe" not in text.replace(" ", "")
    assert "Markup" not in text
    assert "autoescape" not in text


@pytest.mark.parametrize("path", TEMPLATES, ids=NAMES)
def test_every_form_carries_its_token(path: Path) -> None:
    for form in re.findall(r"<form\b.*?</form>", path.read_text(encoding="utf-8"), re.DOTALL):
        if re.search(r'method="post"', form):
            assert "csrf()" in form, form[:100]


@pytest.mark.parametrize("path", TEMPLATES, ids=NAMES)
def test_files_that_a_template_names_are_there(path: Path) -> None:
    text, assets = path.read_text(encoding="utf-8"), Assets()
    Environment().parse(text)
    for name in re.findall(r"asset\(['\"]([^'\"]+)['\"]\)", text):
        assert assets.has(name), name
    for name in re.findall(r"island\(['\"]([^'\"]+)['\"]\)", text):
        assert name in ISLANDS, name


@pytest.mark.parametrize("path", SHEETS, ids=[path.name for path in SHEETS])
def test_colours_are_of_the_palette(path: Path) -> None:
    """Only `umbra.css` names colours, in its custom properties; both dark palettes are the same."""
    text = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    if path.name != "umbra.css":
        assert not re.findall(r"#[0-9a-fA-F]{3,8}\b(?![^{]*{)", text), "use var(--...) of umbra.css"
        return
    dark = re.findall(r"color-scheme: dark;(.*?)}", text, re.DOTALL)
    assert len(dark) == 2
    assert dark[0].split() == dark[1].split()


@pytest.mark.parametrize("path", SHEETS, ids=[path.name for path in SHEETS])
def test_nothing_from_elsewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"@import|url\(\s*['\"]?(?!images/|data:)", text)


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    a, b = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (a + 0.05) / (b + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(scheme: str) -> None:
    """WCAG 2.2 AA: 4.5 for text, 3 for signs and edges of controls."""
    text = (ROOT / "static" / "umbra.css").read_text(encoding="utf-8")
    block = re.search(rf"color-scheme: {scheme};(.*?)}}", text, re.DOTALL)
    assert block is not None
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block[1]))
    for ground in ("ground", "surface", "raised", "sunken"):
        for ink in ("ink", "faint", "accent", "good", "warn", "bad", "d", "r"):
            assert _contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
        for sign in ("edge", *(name for name in colours if name.startswith("st-"))):
            assert _contrast(colours[sign], colours[ground]) >= 3.0, (sign, ground)
    for name in ("good", "warn", "bad", "accent"):
        assert _contrast(colours[name], colours[f"{name}-soft"]) >= 4.5, name
        assert _contrast(colours["ink"], colours[f"{name}-soft"]) >= 4.5, name
    assert _contrast(colours["accent-ink"], colours["accent"]) >= 4.5
