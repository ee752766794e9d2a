"""The look of the page: the reader's own font and colours; a wide table scrolls by itself."""

STYLE = """\
:root { color-scheme: light dark; --bg: #fff; --ink: #1b1f24; --line: #d0d7de;
  --pass: #116329; --fail: #b3101b; --limit: #7a4b00; --na: #59636e; --skip: #7a4b00; }
@media (prefers-color-scheme: dark) { :root { --bg: #0d1117; --ink: #e6edf3; --line: #3d444d;
  --pass: #56d364; --fail: #ff8078; --limit: #e3b341; --na: #9198a1; --skip: #e3b341; } }
body { background: var(--bg); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif;
  margin: 1rem auto; max-width: 80rem; padding: 0 .75rem; }
a { color: inherit; }
ul { padding-left: 1.2rem; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .875rem; }
th, td { border: 1px solid var(--line); padding: .15rem .5rem; text-align: left;
  vertical-align: top; min-width: 4.5rem; max-width: 15rem; overflow-wrap: break-word; }
th:first-child { position: sticky; left: 0; background: var(--bg); min-width: 7.5rem; }
summary { cursor: pointer; padding: .25rem 0; }
details p { margin: .2rem 0; font-weight: normal; color: var(--ink); }
.pass { color: var(--pass); } .fail { color: var(--fail); font-weight: bold; }
.limit { color: var(--limit); } .na { color: var(--na); } .skip { color: var(--skip); }
"""
