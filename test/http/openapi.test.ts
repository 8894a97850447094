/** The description of the routes is what they answer, and no route is missing in it. */
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { openApi } from '../../src/http/openapi.ts';
import { startService } from '../support/service.ts';
import { pkg, signedIndex } from '../support/signed-index.ts';
import { startUpstream } from '../support/repository-server.ts';

interface Described {
  readonly get?: {
    readonly operationId: string;
    readonly parameters: readonly { readonly name: string; readonly in: string }[];
    readonly responses: Readonly<
      Record<string, { readonly headers: object; readonly content?: Readonly<Record<string, object>> }>
    >;
    readonly security?: readonly object[];
  };
  readonly post?: { readonly operationId: string };
}

const secdb = 'test/fixtures/advisories/odd/zero-only.json';
const values: Readonly<Record<string, string>> = { datasource: 'wolfi', package: 'curl', arch: 'x86_64' };

test('every path answers with every type that is described, and every measured route is described', async () => {
  await using upstream = await startUpstream();
  for (const arch of ['x86_64', 'aarch64'])
    upstream.serve(arch, await signedIndex([pkg('curl', '8.20.0-r0', { A: arch })]));
  await using service = await startService({
    config: { datasources: { wolfi: { repositories: [upstream.url], advisories: [{ secdb }] } } },
  });
  await service.beacon.refreshOnce(new AbortController().signal);
  const { paths } = (await service.get('/openapi.json')).json<{ paths: Record<string, Described> }>();
  for (const [template, { get }] of Object.entries(paths)) {
    // A question with a body, and a redirect; test/http/check.test.ts and mirror.test.ts ask them.
    if (!get || get.operationId === 'file') continue;
    const path = template.replaceAll(/\{(\w+)\}/g, (_, name: string) => values[name] ?? '');
    const named = get.parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => name);
    expect([...template.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)).toEqual(named);
    const types = Object.keys(get.responses['200']?.content ?? {});
    expect(types, path).not.toEqual([]);
    expect((await service.get(path)).headers['content-type'], path).toMatch(
      new RegExp(`^${types[0]}`.replace('+', '\\+')),
    );
    // The datasource of a pin is only there if the request tells the pin's file.
    const headers = Object.keys(get.responses['200']?.headers ?? {}).map((name) => name.toLowerCase());
    if (get.operationId !== 'routed')
      expect(Object.keys((await service.get(path)).headers), path).toEqual(expect.arrayContaining(headers));
    for (const type of types) {
      const answer = await service.get(path, { accept: type });
      expect([answer.statusCode, answer.headers['content-type']?.split(';')[0]], path).toEqual([200, type]);
    }
  }
  const operations = Object.values(paths).map(({ get, post }) => (get ?? post)?.operationId);
  const measured = (await service.get('/metrics')).body.matchAll(/_count\{http_route="([^"]+)"/g);
  const routes = [...measured].map(([, route = '']) => route).filter((route) => route !== 'page');
  expect(routes.length).toBeGreaterThan(8);
  expect(operations).toEqual(expect.arrayContaining(routes));
});

test('every refusal is described', async () => {
  await using upstream = await startUpstream();
  upstream.serve('x86_64', await signedIndex([pkg('curl', '8.20.0-r0')]));
  await using service = await startService({
    config: {
      clientToken: { env: 'TOKEN' },
      datasources: { wolfi: { repositories: [upstream.url], archs: ['x86_64'] } },
    },
    environment: { TOKEN: 'secret' },
  });
  const authorization = 'Bearer secret';
  const { paths } = (await service.get('/openapi.json', { authorization })).json<{
    paths: Record<string, Described>;
  }>();
  const expectDescribed = async (status: number, template: string, path: string, token = authorization) => {
    expect((await service.get(path, { authorization: token })).statusCode, path).toBe(status);
    expect(Object.keys(paths[template]?.get?.responses ?? {}), template).toContain(String(status));
  };
  await expectDescribed(429, '/{datasource}/{package}', '/wolfi/curl');
  await expectDescribed(429, '/{datasource}/{package}/badge.svg', '/wolfi/curl/badge.svg');
  await expectDescribed(503, '/readyz', '/readyz');
  await service.beacon.refreshOnce(new AbortController().signal);
  for (const template of Object.keys(paths).filter((each) => each.startsWith('/{datasource}'))) {
    const path = template
      .replace(/@\{age\}|\{datasource\}/g, '')
      .replaceAll(/\{(\w+)\}/g, (_, name: string) => values[name] ?? 'curl.apk');
    await expectDescribed(400, template, `/wolfi@x${path}`);
    const isOfPast = paths[template]?.get?.responses['410'] !== undefined;
    if (isOfPast) await expectDescribed(410, template, `/wolfi@2020-01-01${path}`);
    await expectDescribed(401, template, `/wolfi${path}`, 'Bearer other');
  }
  await expectDescribed(404, '/{datasource}/{package}', '/wolfi/crul');
  for (const extra of ['-/asked', '-/changes', '-/search', 'renovate.json'])
    await expectDescribed(404, `/{datasource}/${extra}`, `/volfi/${extra}`);
  await expectDescribed(400, '/{datasource}/{package}', '/wolfi/curl?arch=pdp11');
  await expectDescribed(400, '/{datasource}/{package}/badge.svg', '/wolfi/curl/badge.svg?arch=pdp11');
});

test('parameters are described wherever they count', () => {
  const { paths } = openApi() as { paths: Record<string, Described> };
  for (const template of ['/{datasource}/{package}', '/{datasource}/{package}/explain', '/-/for/{package}'])
    expect(
      paths[template]?.get?.parameters.map(({ name }) => name),
      template,
    ).toEqual(expect.arrayContaining(['arch', 'current', 'line', 'strip', 'revision']));
});

test('the parameters described are those of docs/http.md', async () => {
  const page = await readFile('docs/http.md', 'utf8');
  const [, table = ''] = /\n## Parameters\n([^]*?)\n## /.exec(page) ?? [];
  const documented = [...table.matchAll(/^\| `(\w+)/gm)].map(([, name]) => name);
  const { paths } = openApi() as { paths: Record<string, Described> };
  const described = Object.values(paths).flatMap(({ get }) => get?.parameters ?? []);
  const names = new Set(described.filter((each) => each.in === 'query').map(({ name }) => name));
  // Of the address that only the preset writes.
  const elsewhere = ['kind', 'at', 'only'];
  expect([...documented, ...elsewhere].toSorted()).toEqual([...names].toSorted());
});

test('the address of the service and the ways to show its token are described, if it has them', () => {
  interface Secured {
    readonly servers?: readonly object[];
    readonly security?: readonly object[];
    readonly paths: Record<string, Described>;
  }
  expect(openApi()).not.toHaveProperty('servers');
  expect(openApi()).not.toHaveProperty('security');
  const document = openApi({ publicUrl: 'https://beacon.example.com/apk', hasToken: true }) as Secured;
  expect(document.servers).toEqual([{ url: 'https://beacon.example.com/apk' }]);
  expect(document.security).toEqual([{ bearer: [] }, { password: [] }]);
  const open = Object.entries(document.paths).flatMap(([path, { get }]) => (get?.security ? path : []));
  expect(open).toEqual(['/livez', '/readyz', '/metrics']);
});

test('every reference leads to a schema or a header', () => {
  const text = JSON.stringify(openApi());
  const { components } = openApi() as { components: Record<'schemas' | 'headers', object> };
  const references = [...text.matchAll(/"\$ref":"([^"]*)"/g)].map(([, reference = '']) => reference);
  expect(new Set(references)).toEqual(
    new Set(
      (['schemas', 'headers'] as const).flatMap((kind) =>
        Object.keys(components[kind]).map((name) => `#/components/${kind}/${name}`),
      ),
    ),
  );
});
