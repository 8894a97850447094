/**
 * All cases of `test/fixtures/routing/` in the real Renovate, with both engines of regular expressions: which pins are
 * found, which datasource is asked, and what is changed. Each datasource answers with its own versions, so a proposal
 * shows where it comes from.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { notAskedOf, readCases, services, type RoutingCase } from '../support/routing-cases.ts';
import { published, startBeacon, until, type Beacon } from './support/beacon.ts';
import { allowInternal, extending } from './support/preset.ts';
import { lookUp, routeOf, type Dependency, type Report } from './support/run.ts';

const cases = readCases();
const namesOf = (all: readonly RoutingCase[]): readonly string[] => [
  ...new Set(all.flatMap(({ expected }) => Object.values(expected).flat()).map((pin) => nameOf(pin))),
];
const nameOf = (pin: string): string => /^[^=~]+/.exec(pin)?.[0] ?? '';
/** The version that a datasource has of every package, by its position. */
const answer = (datasource: number): string => `9${datasource}.0-r0`;

/** Looked up at registries that a test cannot reach. */
const noImages = { matchDatasources: ['docker', 'gitlab-tags', 'github-tags'], enabled: false };

/** Renovate's own managers find base images, and pins of `apk add` that they cannot look up. */
const ours = (dependencies: readonly Dependency[] = []): readonly Dependency[] =>
  dependencies.filter(({ datasource }) => datasource?.startsWith('custom.'));

describe.each(Object.entries(services))(
  'with the configuration of %s',
  (service, { datasources, routing }) => {
    const its = cases.filter((each) => each.service === service);
    let beacon: Beacon;
    beforeAll(async () => {
      const packages = (i: number) => namesOf(its).map((name) => published(`${name}=${answer(i)}`));
      beacon = await startBeacon({
        datasources: Object.fromEntries(datasources.map((name, i) => [name, packages(i)])),
        routing,
      });
      await until(async () => (await fetch(`${beacon.url}/readyz`)).ok);
    });
    afterAll(() => beacon[Symbol.asyncDispose]());

    describe.each(['RE2', 'JavaScript'])('and the regular expressions of %s', (engine) => {
      let report: Report;
      const routes = new Map<string, readonly string[]>();
      beforeAll(async () => {
        const files = its.flatMap(({ name, files }) =>
          Object.entries(files).map(([path, text]) => [`${name}/${path}`, text]),
        );
        report = await lookUp({
          files: {
            ...(Object.fromEntries(files) as Record<string, string>),
            'renovate.json': extending(beacon.url, { packageRules: [noImages] }),
          },
          environment: {
            ...allowInternal(beacon.url),
            ...(engine === 'JavaScript' && { RENOVATE_X_IGNORE_RE2: 'true' }),
          },
        });
        for (const [file, dependencies] of report.dependencies) {
          const shown = ours(dependencies).map(async (each) => {
            return `${each.depName}${/^[=~<>]/.test(each.currentValue) ? '' : '='}${each.currentValue} ${await routeOf(each)}`;
          });
          routes.set(file, await Promise.all(shown));
        }
      });

      test('that engine is used', () => {
        const said = report.log.map(({ msg }) => msg).filter((msg) => /RE2/.test(msg));
        expect(said).toEqual([
          engine === 'RE2'
            ? 'Using RE2 regex engine'
            : 'RE2 regex engine is ignored via RENOVATE_X_IGNORE_RE2',
        ]);
      });

      describe.each(its)('$name', ({ name, expected, files }) => {
        test.each(Object.keys(files))('%s: every pin is found and goes where it belongs', (file) => {
          expect([...(routes.get(`${name}/${file}`) ?? [])].sort()).toEqual(
            [...(expected[file] ?? [])].sort(),
          );
        });

        test.each(Object.keys(files))(
          '%s: what is asked is updated from there, the rest is silent',
          (file) => {
            for (const dependency of ours(report.dependencies.get(`${name}/${file}`))) {
              if (dependency.depType === 'melange-runtime') continue;
              const { depName, currentValue, updates, warnings } = dependency;
              const pins = expected[file]?.filter((pin) =>
                pin.startsWith(`${depName}${/^[=~]/.test(currentValue) ? '' : '='}${currentValue} `),
              );
              const [pin = ''] = pins ?? [];
              expect(warnings ?? [], pin).toEqual([]);
              const i = datasources.indexOf(pin.slice(pin.indexOf(' ') + 1));
              const proposed = updates.map(({ newVersion, newValue }) => newVersion ?? newValue);
              if (notAskedOf(pin) !== undefined) expect(proposed, pin).toEqual([]);
              else expect(proposed[0]?.startsWith(`9${i}.0`), `${pin}: ${proposed.join()}`).toBe(true);
            }
          },
        );
      });

      test('Renovate logs no warning', () => {
        expect(report.log.filter(({ level }) => level >= 40).map(({ msg }) => msg)).toEqual([]);
      });
    });

    test('pins that were not asked are listed with the reason', async () => {
      const { notAsked } = (await (await fetch(`${beacon.url}/${datasources[0]}/-/asked`)).json()) as {
        notAsked: readonly { reason: string; names: readonly string[] }[];
      };
      const told = notAsked.flatMap(({ reason, names }) => names.map((name) => `${name} ${reason}`));
      const wanted = its
        .flatMap(({ expected }) => Object.values(expected).flat())
        .flatMap((pin) => {
          const reason = notAskedOf(pin);
          return reason === undefined ? [] : [`${nameOf(pin)} ${reason}`];
        });
      expect([...new Set(told)].sort()).toEqual([...new Set(wanted)].sort());
    });
  },
);
