/** The style sheet of every page. The service includes it in the page, and its policy allows only this hash. */
import { createHash } from 'node:crypto';

export const style = `
:root {
  color-scheme: light dark;
  --text: #1c2024; --quiet: #555d66; --page: #ffffff; --panel: #f3f5f7; --line: #d5dae0;
  --link: #0b57b0; --good: #0f6b35; --bad: #9c2118; --mark: #fff3c4;
}
@media (prefers-color-scheme: dark) {
  :root {
    --text: #e7eaee; --quiet: #a4adb8; --page: #14171a; --panel: #1e2328; --line: #39414a;
    --link: #8cbcff; --good: #7fd89f; --bad: #ff9d92; --mark: #4a3d0a;
  }
}
* { box-sizing: border-box; }
body { margin: 0; font: 1rem/1.5 system-ui, sans-serif; color: var(--text); background: var(--page); }
header, main { max-width: 70rem; margin: 0 auto; padding: 0.75rem 1rem; }
header { display: flex; flex-wrap: wrap; gap: 0.5rem 1.5rem; align-items: center; justify-content: space-between; border-bottom: 1px solid var(--line); }
nav ol { list-style: none; display: flex; flex-wrap: wrap; margin: 0; padding: 0; }
nav li + li::before { content: "/"; color: var(--quiet); padding: 0 0.4rem; }
a { color: var(--link); overflow-wrap: anywhere; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.skip { position: absolute; left: -100rem; }
.skip:focus { left: 1rem; top: 0.5rem; background: var(--page); padding: 0.5rem; }
h1 { font-size: 1.6rem; margin: 0.5rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 1.75rem 0 0.5rem; }
form { display: flex; flex-wrap: wrap; gap: 0.4rem; align-items: center; }
input, button { font: inherit; color: inherit; padding: 0.3rem 0.6rem; border: 1px solid var(--quiet); border-radius: 0.3rem; background: var(--page); max-width: 100%; }
button { background: var(--panel); cursor: pointer; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
main { overflow-wrap: anywhere; }
th, td { text-align: left; vertical-align: top; padding: 0.35rem 0.75rem 0.35rem 0; border-bottom: 1px solid var(--line); overflow-wrap: normal; }
th[scope=row] { overflow-wrap: anywhere; min-width: 6rem; font-weight: normal; }
time { white-space: nowrap; }
.explained > * { border-bottom: 0; }
.remarks { color: var(--quiet); padding-top: 0; overflow-wrap: anywhere; }
.remarks ul { margin: 0; }
.pin { background: var(--mark); padding: 0 0.3rem; border-radius: 0.3rem; white-space: nowrap; }
.notes { background: var(--panel); padding: 0.6rem 0.8rem 0.6rem 2rem; border-radius: 0.3rem; }
caption { text-align: left; color: var(--quiet); padding-bottom: 0.4rem; }
code, pre { font-family: ui-monospace, monospace; font-size: 0.95em; }
pre { background: var(--panel); padding: 0.6rem 0.8rem; border-radius: 0.3rem; white-space: pre-wrap; overflow-wrap: anywhere; }
.quiet { color: var(--quiet); }
.good { color: var(--good); }
.bad { color: var(--bad); }
.answer { background: var(--mark); padding: 0.6rem 0.8rem; border-radius: 0.3rem; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 0.2rem 1rem; margin: 0.5rem 0; }
dd { margin: 0; overflow-wrap: anywhere; }
ul { padding-left: 1.2rem; }
.flow { list-style: none; display: flex; flex-wrap: wrap; gap: 0.4rem 1.5rem; padding: 0; }
@media (max-width: 30rem) { th, td { font-size: 0.9rem; padding-right: 0.5rem; } }
@media print { header form, .skip { display: none; } }
`;

/** For `style-src`. */
export const styleHash = `sha256-${createHash('sha256').update(style).digest('base64')}`;
