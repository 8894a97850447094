import { open } from 'node:fs/promises';
import { IndexError } from '../errors.ts';

/** Far above any key, certificate bundle or secret, and still harmless. */
const defaultMaxBytes = 1024 * 1024;

/** The text of a small file. Errors are `config-invalid` and name `what` and the path. */
export async function readTextFile(what: string, path: string, maxBytes = defaultMaxBytes): Promise<string> {
  const bytes = await readAtMost(path, maxBytes + 1).catch((cause: unknown) => {
    throw new IndexError('config-invalid', `cannot read ${what} ${path}`, { cause });
  });
  if (bytes.length <= maxBytes) return bytes.toString('utf8');
  throw new IndexError('config-invalid', `${what} ${path} is larger than ${maxBytes} bytes`);
}

/** The first `maxBytes` of a file, whatever size it reports: devices and pipes report none. */
async function readAtMost(path: string, maxBytes: number): Promise<Buffer> {
  const file = await open(path);
  try {
    const buffer = Buffer.alloc(maxBytes);
    let length = 0;
    while (length < maxBytes) {
      const { bytesRead } = await file.read(buffer, length, maxBytes - length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return buffer.subarray(0, length);
  } finally {
    await file.close();
  }
}
