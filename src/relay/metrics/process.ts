/** Memory, processor, event loop and garbage collection of the process, under the names that dashboards for Node know. */
import { collectDefaultMetrics, Registry } from 'prom-client';

/** Gauges whose names end as counters' do; `promtool check metrics` objects to them. */
const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total'
];

let shared: Registry | undefined;

/** The metrics of this process: one registry, for they begin to watch the process when it is made. */
export function processMetrics(): Registry {
  if (!shared) {
    shared = new Registry();
    collectDefaultMetrics({ register: shared });
    MISNAMED.forEach(name => shared!.removeSingleMetric(name));
  }
  return shared;
}
