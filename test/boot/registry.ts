/**
 * A read-only registry of OCI layouts over plain HTTP. It records which blobs were fetched, which is the cost of an
 * update for a host.
 */
import { once } from 'node:events';
import { createReadStream, existsSync, readFileSync, statSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
}

export interface Fetched {
  readonly digest: string;
  readonly size: number;
}

export class LayoutRegistry implements AsyncDisposable {
  /** Since it was last emptied. */
  readonly fetched: Fetched[] = [];
  readonly #layouts = new Map<string, string>();
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    server.on('request', ({ method, url = '' }, response: ServerResponse) => {
      const [, repository = '', kind, reference = ''] =
        /^\/v2\/(.+)\/(manifests|blobs)\/(.+)$/.exec(url) ?? [];
      const layout = this.#layouts.get(repository);
      if (/^\/v2\/?$/.test(url)) response.end('{}');
      else if (layout === undefined) response.writeHead(404).end();
      else if (kind === 'blobs') this.#blob(response, layout, reference, method);
      else this.#manifest(response, layout, reference, method);
    });
  }

  static async open(): Promise<LayoutRegistry> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new LayoutRegistry(server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** From now on the repository serves this layout for every tag. */
  serve(repository: string, layout: string): void {
    this.#layouts.set(repository, layout);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  #manifest(response: ServerResponse, layout: string, reference: string, method?: string): void {
    const index = readFileSync(join(layout, 'index.json'), 'utf8');
    const { manifests } = JSON.parse(index) as { manifests: readonly Descriptor[] };
    // The layout has one image, or one index over its arches.
    const [top] = manifests;
    const digest = reference.startsWith('sha256:') ? reference : (top?.digest ?? '');
    const file = blobFile(layout, digest);
    if (!existsSync(file)) return void response.writeHead(404).end();
    const body = readFileSync(file);
    const { mediaType } = JSON.parse(body.toString()) as { mediaType?: string };
    response.writeHead(200, {
      'content-type': mediaType ?? top?.mediaType ?? 'application/vnd.oci.image.manifest.v1+json',
      'content-length': body.length,
      'docker-content-digest': digest,
    });
    response.end(method === 'HEAD' ? undefined : body);
  }

  #blob(response: ServerResponse, layout: string, digest: string, method?: string): void {
    const file = blobFile(layout, digest);
    if (!existsSync(file)) return void response.writeHead(404).end();
    const { size } = statSync(file);
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': size });
    if (method === 'HEAD') return void response.end();
    this.fetched.push({ digest, size });
    createReadStream(file).pipe(response);
  }
}

const blobFile = (layout: string, digest: string) => join(layout, 'blobs', digest.replace(':', '/'));
