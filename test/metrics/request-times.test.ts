import fc from 'fast-check';
import { Histogram, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { RequestTimes } from '../../src/metrics/request-times.ts';

const labelNames = ['http_route', 'http_response_status_code'];

/** The result of prom-client's own histogram for the same requests. */
async function plainly(
  requests: readonly { route: string; status: number; seconds: number }[],
): Promise<string> {
  const registry = new Registry();
  const histogram = new Histogram({
    name: 'http_server_request_duration_seconds',
    help: 'Time to answer a request',
    labelNames,
    buckets: [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 45],
    registers: [registry],
  });
  for (const { route, status, seconds } of requests)
    histogram.observe({ http_route: route, http_response_status_code: status }, seconds);
  return registry.metrics();
}

test('it agrees with prom-client’s own histogram', async () => {
  const request = fc.record({
    route: fc.constantFrom('releases', 'latest', 'failed'),
    status: fc.constantFrom(200, 404),
    // Bounds among them, which belong to the bucket below.
    seconds: fc.oneof(fc.constantFrom(0.0005, 1, 45), fc.double({ min: 0, max: 100, noNaN: true })),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(request, { maxLength: 50 }), async (requests) => {
      const registry = new Registry();
      const times = new RequestTimes(registry);
      for (const { route, status, seconds } of requests) times.of(route, status).observe(seconds);
      expect(await registry.metrics()).toBe(await plainly(requests));
    }),
    { numRuns: 100 },
  );
});
