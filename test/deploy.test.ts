/** What is deployed speaks of metrics that exist, everywhere the same. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { startService } from './support/service.ts';

const rules = readFileSync('deploy/prometheus/apk-beacon.rules.yaml', 'utf8');
const operatorRule = readFileSync('deploy/kubernetes/monitoring/prometheusrule.yaml', 'utf8');
const dashboard = readFileSync('deploy/grafana/apk-beacon.json', 'utf8');

test('the PrometheusRule has the groups of the rules file', () => {
  const { spec } = parse(operatorRule) as { spec: { groups: unknown } };
  expect(spec.groups).toEqual((parse(rules) as { groups: unknown }).groups);
});

test('alerts and dashboard use metrics that the service has', async () => {
  await using service = await startService({
    config: { datasources: { one: { repositories: ['/nowhere'] } } },
  });
  const { body } = await service.get('/metrics');
  const known = [...body.matchAll(/^# TYPE (\S+) (\S+)/gm)].flatMap(([, name = '', type]) =>
    type === 'histogram' ? ['_bucket', '_count', '_sum'].map((suffix) => name + suffix) : [name],
  );
  for (const text of [rules, dashboard]) {
    const used = new Set(
      text.match(
        /\b(apk_(index|datasource|lookup|versions|names|asked)|http_server|process|nodejs)_[a-z_]+/g,
      ),
    );
    expect(used.size).toBeGreaterThan(5);
    expect([...used].filter((name) => !known.includes(name))).toEqual([]);
  }
});

test('the image’s last stage runs nothing, so that it needs no shell and no emulation', () => {
  const [, build = '', last = ''] = readFileSync('Dockerfile', 'utf8').split(/^FROM /m);
  expect(build).toMatch(/^--platform=\$BUILDPLATFORM /);
  expect(last).not.toMatch(/^RUN /m);
  expect(last).toMatch(/^USER 65532:65532$/m);
});
