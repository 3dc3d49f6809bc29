/** @file How pages look: light and dark, wide and narrow. */

export const PAGE_STYLE = `
:root { color-scheme: light dark; --ink: #1c1e21; --dim: #6b7280; --line: #d9dce1; --paper: #fff; --bad: #c0392b; --good: #1e8449; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --dim: #9aa0a6; --line: #3c4043; --paper: #17181a; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
.figures { display: flex; flex-wrap: wrap; gap: 1rem 2.5rem; } .figures b { display: block; font-size: 1.5rem; } .figures span { color: var(--dim); font-size: .85rem; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(10.5rem, 1fr)); gap: .8rem; }
.card { border: 1px solid var(--line); border-radius: 8px; padding: .6rem; font-size: .85rem; }
.card div { display: flex; gap: .5rem; } .card img { width: 72px; height: 72px; image-rendering: pixelated; border-radius: 4px; }
.wrong { color: var(--bad); } .right { color: var(--good); } .dim { color: var(--dim); }
pre { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px; padding: .8rem; font-size: .8rem; }
svg text { fill: var(--dim); font-size: 11px; } svg .frame { stroke: var(--line); fill: none; }`;
