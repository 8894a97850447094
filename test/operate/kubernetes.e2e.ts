/** The manifests: built by kustomize, checked by kubeconform against Kubernetes' own schemas. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { loadConfig } from '../../src/config/config.ts';
import { addressOf, start } from '../support/process.ts';
import { startUpstream } from '../support/upstream.ts';
import { temporaryFolder } from '../support/service.ts';
import { pkg, signedIndex, testKey } from '../support/signed-index.ts';
import { haveTools, run } from './tools.ts';

/** As `.ci/operate` pins them. */
const modules = {
  kubernetes: 'k8s.io/kubernetes@v1.34.2',
  operator: 'github.com/prometheus-operator/prometheus-operator@v0.85.0',
};

interface Container {
  readonly image: string;
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly volumeMounts: readonly {
    readonly name: string;
    readonly mountPath: string;
    readonly subPath?: string;
  }[];
}

interface Volume {
  readonly name: string;
  readonly configMap?: { readonly name: string };
  readonly secret?: { readonly secretName: string };
}

interface Resource {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Record<string, string> };
  readonly data?: Record<string, string>;
  readonly spec?: {
    readonly selector?: unknown;
    readonly podSelector?: unknown;
    readonly template?: {
      readonly metadata: { readonly labels: object };
      readonly spec: { readonly containers: readonly Container[]; readonly volumes: readonly Volume[] };
    };
  };
}

const resourcesOf = (manifests: string): readonly Resource[] =>
  parseAllDocuments(manifests).map((document) => document.toJS() as Resource);

/** Writes what the containers of the Deployment find at their mount paths, below `root`. */
async function mountVolumes(resources: readonly Resource[], root: string): Promise<Container> {
  const { containers: [container] = [], volumes = [] } =
    resources.find(({ kind }) => kind === 'Deployment')?.spec?.template?.spec ?? {};
  for (const { name, mountPath, subPath } of container?.volumeMounts ?? []) {
    const volume = volumes.find((each) => each.name === name);
    const source = volume?.configMap?.name ?? volume?.secret?.secretName;
    const kind = volume?.secret ? 'Secret' : 'ConfigMap';
    const data = resources.find((each) => each.kind === kind && each.metadata.name === source)?.data ?? {};
    for (const [file, text] of Object.entries(data)) {
      if (subPath !== undefined && subPath !== file) continue;
      const path = join(root, mountPath, subPath === undefined ? file : '');
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, kind === 'Secret' ? Buffer.from(text, 'base64') : text);
    }
  }
  return container as Container;
}

/** The first code block of that language for a private repository in docs/operate.md. */
async function documented(language: string): Promise<string> {
  const text = await readFile('docs/operate.md', 'utf8');
  const at = text.indexOf('For a private repository');
  const [, block] = new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, 'm').exec(text.slice(at)) ?? [];
  if (at < 0 || block === undefined)
    throw new Error(`docs/operate.md: no ${language} for a private repository`);
  return block;
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
    const resources = resourcesOf(built);
    const labels = { 'app.kubernetes.io/name': 'apk-beacon' };
    const spec = (kind: string): Resource['spec'] => resources.find((each) => each.kind === kind)?.spec;
    expect(spec('Deployment')?.template?.metadata.labels).toEqual(labels);
    expect(spec('Service')?.selector).toEqual(labels);
    for (const kind of ['Deployment', 'PodDisruptionBudget', 'ServiceMonitor'])
      expect(spec(kind)?.selector, kind).toEqual({ matchLabels: labels });
    expect(spec('NetworkPolicy')?.podSelector).toEqual({ matchLabels: labels });
  });

  test('carry a configuration that the service takes', () => {
    const resources = resourcesOf(built);
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

  test('the monitoring carries the label that a Prometheus of kube-prometheus-stack selects by', () => {
    for (const kind of ['ServiceMonitor', 'PrometheusRule']) {
      const resource = resourcesOf(built).find((each) => each.kind === kind);
      expect(resource?.metadata.labels, kind).toMatchObject({ release: 'kube-prometheus-stack' });
    }
  });

  /** docs/operate.md, with the repository of this checkout and `kubectl apply` without a cluster. */
  describe.skipIf(!haveTools('kubectl'))('a private repository, as documented', () => {
    let overlay: string;
    let manifests: string;

    beforeAll(async () => {
      overlay = await temporaryFolder();
      await writeFile(join(overlay, 'apk-beacon.yaml'), await documented('yaml'));
      await writeFile(join(overlay, 'private.rsa.pub'), testKey('private.rsa.pub').pem);
      await writeFile(join(overlay, 'password'), 'let-me-in\n');
      const base = relative(overlay, resolve('deploy/kubernetes'));
      const script = (await documented('sh'))
        .replace(/https:\S+\/deploy\/kubernetes\/(\w+)\?ref=\S+/g, `${base}/$1`)
        .replace(/^(kubectl create .*)$/m, '$1 --dry-run=client --output yaml > secret.yaml')
        .replace('kubectl apply -k .', 'kustomize build . > manifests.yaml');
      await run('bash', ['-euo', 'pipefail', '-c', script], { cwd: overlay });
      const files = ['secret.yaml', 'manifests.yaml'].map((name) => readFile(join(overlay, name), 'utf8'));
      manifests = (await Promise.all(files)).join('---\n');
    });

    test('gives valid manifests with the image that was set', async () => {
      // An empty time is kubectl's own, and no value that a server would take.
      expect(await kubeconform(manifests.replace(/^ *creationTimestamp: null\n/m, ''))).toContain(
        'Invalid: 0',
      );
      const { image } = await mountVolumes(resourcesOf(manifests), join(overlay, 'root'));
      expect(image).toBe('registry.example.com/acme/apk-beacon:0.1.0');
    });

    test('is read and verified by the service with the files that a pod would have', async () => {
      const root = join(overlay, 'pod');
      const { env } = await mountVolumes(resourcesOf(manifests), root);
      const key = testKey('private.rsa.pub');
      const index = await signedIndex([pkg('acme-tool', '1.2.3-r0')], [{ key }]);
      const upstream = await startUpstream((request, response) => {
        const expected = `Basic ${Buffer.from('reader:let-me-in').toString('base64')}`;
        response.statusCode = request.headers.authorization === expected ? 200 : 401;
        response.end(response.statusCode === 200 ? index : '');
      });
      // The pod's folders are below `root` here, and the repository is this test's.
      const config = join(root, 'etc/apk-beacon/apk-beacon.yaml');
      const text = (await readFile(config, 'utf8'))
        .replaceAll('/etc/apk-beacon/', `${root}/etc/apk-beacon/`)
        .replace('/var/cache/apk-beacon', join(root, 'cache'))
        .replace('https://apk.example.com/', upstream.url.href);
      await writeFile(config, text);
      const environment = Object.fromEntries(env.map(({ name, value }) => [name, join(root, value)]));
      await using service = start(['--listen', '127.0.0.1:0', '--arch', 'x86_64'], environment);
      const address = await addressOf(service);
      expect(await (await fetch(`${address}/private/acme-tool/latest`)).text()).toBe('1.2.3-r0\n');
      expect(await service.line(/loaded 1 package /)).toContain('verified by private.rsa.pub');
    });

    test('adds the monitoring by one line more, with the label of another Prometheus', async () => {
      const lines = [
        `kustomize edit add component ${relative(overlay, resolve('deploy/kubernetes/monitoring'))}`,
        'kustomize edit add label release:mine --without-selector --force',
        'kustomize build .',
      ];
      const text = await run('bash', ['-euo', 'pipefail', '-c', lines.join('\n')], { cwd: overlay });
      const monitor = resourcesOf(text).find(({ kind }) => kind === 'ServiceMonitor');
      expect(monitor?.metadata.labels).toMatchObject({ release: 'mine' });
      expect(await kubeconform(text)).toContain('Invalid: 0');
    });
  });
});
