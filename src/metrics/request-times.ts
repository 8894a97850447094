/**
 * A Prometheus histogram of request times with plain counters. prom-client's own looks up labels at each observation,
 * which takes longer than sending a cached reply.
 */
import type { Histogram, MetricValueWithName, Registry } from 'prom-client';

const NAME = 'http_server_request_duration_seconds';
/** Seconds. */
const BOUNDS = [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 45];

/** Requests of one route with one status. */
export class Times {
  /** Counts by the first bound that holds the time, and one for longer times. */
  readonly counts = new Float64Array(BOUNDS.length + 1);
  sum = 0;

  observe(seconds: number): void {
    let bucket = 0;
    while (bucket < BOUNDS.length && seconds > (BOUNDS[bucket] as number)) bucket += 1;
    this.counts[bucket] = (this.counts[bucket] as number) + 1;
    this.sum += seconds;
  }
}

interface Series {
  readonly labels: { readonly http_route: string; readonly http_response_status_code: number };
  readonly times: Times;
}

export class RequestTimes {
  readonly #series = new Map<string, Series>();

  constructor(registry: Registry) {
    const metric = { name: NAME, get: () => this.#collect(), reset: () => this.#series.clear() };
    // The part of a metric that a registry uses; its types only know prom-client's own classes.
    registry.registerMetric(metric as unknown as Histogram);
  }

  /** The counters for this kind of request. */
  of(route: string, status: number): Times {
    const key = `${status} ${route}`;
    const known = this.#series.get(key);
    if (known) return known.times;
    const labels = { http_route: route, http_response_status_code: status };
    const series = { labels, times: new Times() };
    this.#series.set(key, series);
    return series.times;
  }

  #collect(): Promise<object> {
    const values = [...this.#series.values()].flatMap(samples);
    return Promise.resolve({
      name: NAME,
      help: 'Time to answer a request',
      type: 'histogram',
      aggregator: 'sum',
      values,
    });
  }
}

function samples({ labels, times }: Series): MetricValueWithName<string>[] {
  const total = times.counts.reduce((sum, count) => sum + count, 0);
  let below = 0;
  const buckets = BOUNDS.map((le, i) => {
    below += times.counts[i] as number;
    return { metricName: `${NAME}_bucket`, labels: { le, ...labels }, value: below };
  });
  return [
    ...buckets,
    { metricName: `${NAME}_bucket`, labels: { le: '+Inf', ...labels }, value: total },
    { metricName: `${NAME}_sum`, labels, value: times.sum },
    { metricName: `${NAME}_count`, labels, value: total },
  ];
}
