/** A host of a URL as other programs write it: `[::1]` → `::1`, `example.com.` → `example.com`. */
export function bareHost(host: string): string {
  if (host.startsWith('[') && host.endsWith(']')) return host.slice(1, -1);
  return host.endsWith('.') ? host.slice(0, -1) : host;
}
