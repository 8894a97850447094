/** Addresses as people write them. */

/** `https://host/os//` → `https://host/os`. A regular expression for this would take quadratic time. */
export function withoutTrailingSlashes(address: string): string {
  let end = address.length;
  while (address[end - 1] === '/') end -= 1;
  return address.slice(0, end);
}
