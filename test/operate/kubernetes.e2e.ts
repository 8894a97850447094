/** The manifests: built by kustomize, checked by kubeconform against Kubernetes' own schemas. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { loadConfig } from '../../src/config/config.ts';
import { temporaryFolder } from '../support/service.ts';
import { haveTools, run } from './tools.ts';

/** As `.ci/operate` pins them. */
const modules = {
  kubernetes: 'k8s.io/kubernetes@v1.34.2',
  operator: 'github.com/prometheus-operator/prometheus-operator@v0.85.0',
};

interface Resource {
  readonly kind: string;
  readonly data?: Record<string, string>;
  readonly spec?: {
    readonly selector?: unknown;
    readonly podSelector?: unknown;
    readonly template?: { readonly metadata: { readonly labels: object } };
  };
}

describe.skipIf(!haveTools('kustomize', 'kubeconform', 'go'))('the Kubernetes manifests', () => {
  let folder: string;
  let built: string;

  beforeAll(async () => {
    folder = await temporaryFolder();
    await mkdir(join(folder, 'schemas'));
    const [kubernetes, operator] = await Promise.all([modules.kubernetes, modules.operator].map(download));
    await run(process.execPath, [
      'scripts/kubernetes-schemas.ts',
      join(kubernetes as string, 'api/openapi-spec/swagger.json'),
      join(operator as string, 'example/prometheus-operator-crd'),
      join(folder, 'schemas'),
    ]);
    built = await run('kustomize', ['build', 'deploy/kubernetes']);
  });

  /** The folder of a Go module. */
  async function download(module: string): Promise<string> {
    const printed = await run('go', ['mod', 'download', '-json', module], { cwd: folder });
    return (JSON.parse(printed) as { Dir: string }).Dir;
  }

  async function kubeconform(manifests: string): Promise<string> {
    const file = join(folder, 'manifests.yaml');
    await writeFile(file, manifests);
    const location = join(folder, 'schemas/{{.ResourceKind}}{{.KindSuffix}}.json');
    return run('kubeconform', ['-strict', '-summary', '-schema-location', location, file]);
  }

  test('are valid', async () => {
    expect(await kubeconform(built)).toContain('7 resources found in 1 file - Valid: 7');
    const base = await run('kustomize', ['build', 'deploy/kubernetes/base']);
    expect(await kubeconform(base)).toContain('5 resources found in 1 file - Valid: 5');
  });

  test.each([
    ['readOnlyRootFilesystem', 'readOnlyRootFileSystem'],
    ['periodSeconds: 2', 'periodSeconds: soon'],
    ['interval: 30s', 'intervall: 30s'],
    ['kind: NetworkPolicy', 'kind: NetworkPolice'],
  ])('would not be with %s as %s', async (right, wrong) => {
    expect(built).toContain(right);
    await expect(kubeconform(built.replace(right, wrong))).rejects.toThrow();
  });

  test('select the pods of the deployment and nothing else', () => {
    const resources = parseAllDocuments(built).map((document) => document.toJS() as Resource);
    const labels = { 'app.kubernetes.io/name': 'apk-beacon' };
    const spec = (kind: string): Resource['spec'] => resources.find((each) => each.kind === kind)?.spec;
    expect(spec('Deployment')?.template?.metadata.labels).toEqual(labels);
    expect(spec('Service')?.selector).toEqual(labels);
    for (const kind of ['Deployment', 'PodDisruptionBudget', 'ServiceMonitor'])
      expect(spec(kind)?.selector, kind).toEqual({ matchLabels: labels });
    expect(spec('NetworkPolicy')?.podSelector).toEqual({ matchLabels: labels });
  });

  test('carry a configuration that the service takes', () => {
    const resources = parseAllDocuments(built).map((document) => document.toJS() as Resource);
    const text = resources.find(({ kind }) => kind === 'ConfigMap')?.data?.['apk-beacon.yaml'] ?? '';
    expect(loadConfig({ words: [], settings: { config: [text] }, own: {} }, {}).datasources).toHaveProperty(
      'wolfi',
    );
    // What is commented out as an example is right, too.
    const examples = text.replaceAll(/^( *)# (?=(extraCa|private| ))/gm, '$1');
    const { datasources, extraCa } = loadConfig({ words: [], settings: { config: [examples] }, own: {} }, {});
    expect(Object.keys(datasources)).toEqual(['wolfi', 'private']);
    expect(extraCa).toEqual(['/etc/apk-beacon/ca/ca.crt']);
  });
});
