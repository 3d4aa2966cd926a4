/**
 * The part of a page's main thread that goes to some of its scripts, by a sampling profile: exact
 * where the difference of two noisy sums is not, but blind to what the browser does for them later.
 */

const SAMPLING_US = 100;

/**
 * Time within the functions of `scripts` and within everything they call, in ms of CPU time.
 * @param {{send: (method: string, params?: object) => Promise<object>}} target
 * @param {string} scripts part of the addresses
 * @param {() => Promise<number>} work gives the CPU time of the main thread meanwhile, in ms
 * @returns {Promise<{ms: number, mostly: [string, number][]}>} with the functions that took most
 */
export async function ownTime(target, scripts, work) {
  await target.send('Profiler.enable');
  await target.send('Profiler.setSamplingInterval', { interval: SAMPLING_US });
  await target.send('Profiler.start');
  const cpuMs = await work();
  const { profile } = await target.send('Profiler.stop');
  await target.send('Profiler.disable');

  const names = functionsUnder(profile.nodes, scripts);
  const idle = profile.nodes.find(
    ({ callFrame }) => callFrame.functionName === '(idle)'
  )?.id;
  // Samples are counted, not the time between them, in which the thread may have waited for a core.
  const samples = profile.samples.filter(id => id !== idle);
  const each = cpuMs / samples.length;
  const spent = new Map();
  let own = 0;
  for (const id of samples) {
    const name = names.get(id);
    if (name !== undefined) {
      own += each;
      spent.set(name, (spent.get(name) ?? 0) + each);
    }
  }
  const mostly = [...spent].sort(([, a], [, b]) => b - a).slice(0, 3);
  return { ms: own, mostly };
}

/** Names of the functions at work, by node, where a function of `scripts` is on the stack. */
function functionsUnder(nodes, scripts) {
  const byId = new Map(nodes.map(node => [node.id, node]));
  const names = new Map();
  const walk = (node, inside) => {
    const { url, functionName } = node.callFrame;
    const isOurs = inside || url.includes(scripts);
    if (isOurs) {
      names.set(node.id, functionName || '(anonymous)');
    }
    node.children?.forEach(id => walk(byId.get(id), isOurs));
  };
  walk(nodes[0], false);
  return names;
}
