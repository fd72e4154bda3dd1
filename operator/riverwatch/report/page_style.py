"""Stage 7: how the HTML report looks, on screens of any width, in light and dark, and on paper.

Only constants; colours are named once per scheme, and a test computes that every pair of text and ground is readable
(WCAG contrast 4.5 to 1). Used by `report.html`.
"""

from __future__ import annotations

from collections.abc import Mapping

LIGHT: Mapping[str, str] = {
    "ink": "#18212d",
    "soft": "#4d5a69",
    "line": "#d5dce4",
    "paper": "#ffffff",
    "card": "#f5f7fa",
    "link": "#0b5cad",
    "bar": "#2f6fb3",
    "on": "#ffffff",
    "critical": "#8e1140",
    "high": "#b3301a",
    "medium": "#8a5a00",
    "low": "#0f6a73",
    "info": "#56616e",
    "warn": "#fff4d6",
}
"""Colours on a light screen and on paper."""

DARK: Mapping[str, str] = {
    "ink": "#e6ebf1",
    "soft": "#a3afbd",
    "line": "#323c48",
    "paper": "#10151c",
    "card": "#18202a",
    "link": "#7db7f5",
    "bar": "#5b9bdc",
    "on": "#10151c",
    "critical": "#ff8fb1",
    "high": "#ff9079",
    "medium": "#e7b04a",
    "low": "#6cc7cf",
    "info": "#a9b4c0",
    "warn": "#33290d",
}
"""Colours on a dark screen."""

READABLE = (
    ("ink", "paper"),
    ("ink", "card"),
    ("ink", "warn"),
    ("soft", "paper"),
    ("soft", "card"),
    ("link", "paper"),
    ("link", "card"),
    ("on", "critical"),
    ("on", "high"),
    ("on", "medium"),
    ("on", "low"),
    ("on", "info"),
)
"""Pairs of text and ground that occur on the page."""

_RULES = """
*{box-sizing:border-box}
html{scroll-behavior:smooth}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
body{font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;color:var(--ink);background:var(--paper);
max-width:1120px;margin:0 auto;padding:1.5rem 1rem 4rem;overflow-wrap:anywhere}
h1{font-size:1.65rem;line-height:1.25;margin:0 0 .3rem}h2{font-size:1.25rem;margin:2.4rem 0 .6rem}
h3{font-size:1.08rem;line-height:1.35;margin:0 0 .2rem}
h4{font-size:.82rem;letter-spacing:.04em;text-transform:uppercase;color:var(--soft);margin:1.1rem 0 .35rem}
p{margin:.3rem 0}a{color:var(--link)}.soft{color:var(--soft)}.small{font-size:.87rem}
a:focus-visible,summary:focus-visible,.scroll:focus-visible{outline:2px solid var(--link);outline-offset:2px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:.7rem;margin:1.1rem 0;padding:0}
.tiles div{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.6rem .8rem}
.tiles dt{font-size:.8rem;color:var(--soft)}.tiles dd{margin:0;font-size:1.3rem;font-weight:650;line-height:1.25}
.tiles dd small{display:block;font-size:.8rem;font-weight:400;color:var(--soft)}
.note{background:var(--warn);border-left:4px solid var(--medium);border-radius:4px;padding:.5rem .9rem;margin:1rem 0}
.note ul{margin:.2rem 0;padding-left:1.2rem}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--soft);font-size:.87rem;padding:.1rem 0 .3rem}
th,td{padding:.35rem .7rem .35rem 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
th{font-size:.82rem;color:var(--soft);font-weight:600}td:last-child,th:last-child{padding-right:0}
.scroll{overflow-x:auto}.nowrap{white-space:nowrap}
.badge{display:inline-block;border-radius:4px;padding:0 .5em;font-size:.82rem;font-weight:650;color:var(--on);
background:var(--shade);white-space:nowrap}
.finding{border:1px solid var(--line);border-left:5px solid var(--shade);border-radius:8px;padding:.9rem 1.1rem 1rem;
margin:1.1rem 0}
.finding:target{box-shadow:0 0 0 3px var(--link)}
.share{width:96px}.usual{width:26%}.rare{width:15%}.time{width:12em}.strength{width:7em}
.proof td:first-child,.list td:nth-child(3){white-space:nowrap}
.bar{display:block;width:76px;height:8px;margin-top:.25rem}.bar .ground{fill:var(--line)}.bar .value{fill:var(--bar)}
pre{margin:.25rem 0 .5rem;padding:.45rem .7rem;background:var(--card);border:1px solid var(--line);border-radius:5px;
white-space:pre-wrap;user-select:all}
code{font:.86rem/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
ol,ul{margin:.2rem 0;padding-left:1.3rem}
dl.facts{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:.2rem 0;font-size:.9rem}
dl.facts dt{color:var(--soft)}dl.facts dd{margin:0}
details summary{cursor:pointer;color:var(--link)}
.timeline{display:block;width:100%;min-width:680px;height:auto}.timeline text{fill:var(--soft);font-size:12px}
.timeline .grid{stroke:var(--line)}.timeline .end{text-anchor:end}.timeline .middle{text-anchor:middle}
.timeline .mark{fill:var(--shade);stroke:var(--paper)}.timeline .rest{stroke:var(--shade);stroke-width:2;opacity:.35}
.timeline a:hover .rest,.timeline a:focus .rest{opacity:1}
.info{--shade:var(--info)}.critical{--shade:var(--critical)}.high{--shade:var(--high)}.medium{--shade:var(--medium)}
.low{--shade:var(--low)}
footer{margin-top:3rem;color:var(--soft);font-size:.87rem}
@media (max-width:720px){body{padding:1rem .7rem 3rem}.finding{padding:.7rem .7rem}.stack thead{position:absolute;
clip-path:inset(50%);height:1px;width:1px;overflow:hidden}
.stack,.stack tbody,.stack tr,.stack td{display:block;width:auto}
.stack caption{display:block}.why td:nth-child(3)::before{content:"Usual: ";color:var(--soft)}
.why td:nth-child(4)::before{content:"How rare: ";color:var(--soft)}
.list td:nth-child(4)::before{content:"Records: ";color:var(--soft)}
.proof td:nth-child(3)::before{content:"Strength: ";color:var(--soft)}
.stack tr{border-bottom:1px solid var(--line);padding:.4rem 0}.stack td{border:0;padding:.1rem 0}
dl.facts{grid-template-columns:1fr}dl.facts dd{margin-bottom:.3rem}}
@media print{body{max-width:none;font-size:11px}.finding{break-inside:avoid-page}a{color:inherit;text-decoration:none}
details::details-content{content-visibility:visible;height:auto}.scroll{overflow:visible}}
"""

STYLE = (
    ":root{color-scheme:light dark;"
    + "".join(f"--{name}:{colour};" for name, colour in LIGHT.items())
    + "}@media screen and (prefers-color-scheme:dark){:root{"
    + "".join(f"--{name}:{colour};" for name, colour in DARK.items())
    + "}}"
    + _RULES
)
"""The whole style sheet."""
