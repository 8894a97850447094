/** docs/chain.md and its picture, written by a run in which every link held. */
import { writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { format, resolveConfig } from 'prettier';

export interface Measured {
  /** The title of the link. */
  readonly link: string;
  readonly what: string;
  readonly value: string;
}

const document = 'docs/chain.md';
const picture = 'docs/images/chain.svg';

export async function writeReport(measured: readonly Measured[]): Promise<void> {
  const options = await resolveConfig(document);
  await writeFile(document, await format(textOf(measured), { ...options, filepath: document }));
  await writeFile(picture, pictureOf(measured));
}

function textOf(measured: readonly Measured[]): string {
  const links = [...new Set(measured.map(({ link }) => link))];
  const rows = links.map((link) => {
    const own = measured.filter((each) => each.link === link);
    const time = own.find(({ what }) => what === 'time')?.value ?? '';
    const others = own.filter(({ what }) => what !== 'time').map(({ what, value }) => `${what}: ${value}`);
    return `| ${link} | ${others.join('; ')} | ${time} |`;
  });
  return `# The chain

<!-- Written by \`npm run chain\`. Do not edit. -->

    npm run chain

tests the whole chain with real programs, from a published package to the bytes that a host downloads. A failure names the
link that broke. \`.ci/chain\` installs the programs.

A package is published; apk-beacon offers it and calls the pipeline; Renovate opens a merge request; the merged change
rebuilds the image; a host downloads the changed layers.

![The chain, with the times of this run](images/chain.svg)

\`\`\`mermaid
flowchart LR
  publisher[a publisher signs a newer containerd] --> beacon[apk-beacon]
  beacon -- POST, once every arch has it --> pipeline[pipeline of Renovate]
  beacon -- which versions? --> pipeline
  pipeline --> request[merge request]
  request -- merged --> generator[apk-beacon-images] -- what to rebuild --> apko
  apko --> registry[(registry)] -- new layers --> host
\`\`\`

## Measured

One run of ${new Date().toISOString().slice(0, 10)}, Node ${process.versions.node}, ${cpus().length} cores, which other work shared.

| link | measured | time of the link |
| ---- | -------- | ---------------- |
${rows.join('\n')}

"From publication" is counted from when the index is on the web server. In this run apk-beacon refreshes every second; the
default is 15 minutes.

## What is real

- **Real**: **apk-beacon** as a process of its own, with ledger, notifications, preset and advisories. **apko** 1.2.39, which
  builds and publishes the image for both archs. **melange** 0.59.1, which builds the packages of this repository that need no
  compiler. **Renovate** 44.121.2 with the preset of the running service. **git**, Debian's **docker-registry**, **skopeo**
  (which bootc uses to download), **PostgreSQL**.
- **Simulated**: GitLab. A receiver starts Renovate when it is called, and a small replacement of Gitea holds the merge
  requests. The packages of Wolfi, so that the run needs no network: they have the names, origins and dependencies of the real
  ones, and a tenth of the size in Wolfi's index of 2026-07-24 (\`test/chain/wolfi-sizes.json\`), as bytes that do not
  compress. Names that are not in that index, such as containerd, have 100 kB each. So the share of containerd is not
  realistic; that of \`curl\`, the nano update, is.
- **Not covered**: a host that boots what it downloaded. \`.ci/boot\` tests that; it needs bootc, built from source.
`;
}

/** What is shown, from left to right: a box, and what is measured between it and the next one. */
function stationsOf(measured: readonly Measured[]): readonly (readonly [string, string])[] {
  const valueOf = (start: string, what: string): string =>
    measured.find((each) => each.link.startsWith(start) && each.what === what)?.value ?? '';
  const nano = valueOf('9.', 'downloaded');
  return [
    ['publisher', `answer after ${valueOf('5.', 'from publication to answer')}`],
    ['apk-beacon', `call after ${valueOf('5.', 'from publication to call')}`],
    ['Renovate', `open after ${valueOf('6.', 'from publication to merge request')}`],
    ['merge request', 'merged'],
    ['apko, registry', nano.replace(/^(\d+) of .*: (.*)$/, '$1 layers, $2')],
    ['host', ''],
  ];
}

function pictureOf(measured: readonly Measured[]): string {
  const [width, height, gap, top] = [112, 44, 42, 30];
  const stations = stationsOf(measured);
  const total = stations.length * (width + gap) - gap + 20;
  const parts = stations.map(([name, next], i) => {
    const x = 10 + i * (width + gap);
    const box = `<rect x="${x}" y="${top}" width="${width}" height="${height}" rx="6" fill="#f6f8fa" stroke="#57606a"/>
<text x="${x + width / 2}" y="${top + 27}" text-anchor="middle">${name}</text>`;
    if (i === stations.length - 1) return box;
    const [from, to] = [x + width, x + width + gap];
    return `${box}
<path d="M${from + 2} ${top + height / 2} H${to - 8}" stroke="#57606a" marker-end="url(#end)"/>
<text x="${(from + to) / 2}" y="${i % 2 === 0 ? top - 10 : top + height + 20}" text-anchor="middle" font-size="11">${next}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${total} 110" font-family="sans-serif" font-size="12" fill="#24292f" role="img" aria-label="From a published package to a host, with measured times">
<rect width="${total}" height="110" fill="#ffffff"/>
<defs><marker id="end" markerWidth="8" markerHeight="8" refX="2" refY="4" orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="#57606a"/></marker></defs>
${parts.join('\n')}
</svg>
`;
}
