import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The path of a file in `test/fixtures/tls`. */
export const tlsPath = (name: string): string =>
  fileURLToPath(new URL(`../fixtures/tls/${name}`, import.meta.url));

const read = (name: string): string => readFileSync(tlsPath(name), 'utf8');

/** What a server needs to be `localhost`, trusted by those who trust `ca.crt`. */
export const serverTls = { cert: read('server.crt'), key: read('server.key') };

/** The same for a server that takes no client without a certificate. */
export const mutualTls = { ...serverTls, ca: read('ca.crt'), requestCert: true, rejectUnauthorized: true };
