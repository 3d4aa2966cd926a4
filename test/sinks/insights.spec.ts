/** The sink behind the instructors' page keeps a sink's promises; what it answers is tested in test/insights. */
import {
  createInsightsSink,
  type InsightsSink
} from '../../src/sinks/index.js';
import { describeSink } from './conformance.js';

describeSink('insights', () => {
  const open = (): InsightsSink => {
    const sink = createInsightsSink({ titleOf: course => course });
    // With a listener there are changes to tell, and a timer that tells them.
    sink.subscribe('demo', () => {});
    return sink;
  };
  const first = open();
  let present = first;
  return {
    sink: first,
    count: () => present.snapshot('demo')?.coverage.events ?? 0,
    provoke: {},
    forgets: true,
    reopen: () => {
      present = open();
      return present;
    }
  };
});
