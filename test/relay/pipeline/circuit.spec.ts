/** The circuit breaker: when a destination is left alone, with how much it is tried, and how it gets all again. */
import { describe, expect, it } from '@jest/globals';
import {
  Circuit,
  OPEN_AFTER,
  TRIAL_EVENTS
} from '../../../src/relay/pipeline/circuit.js';

function opened(): Circuit {
  const circuit = new Circuit();
  for (let count = 0; count < OPEN_AFTER; count += 1) {
    circuit.trying();
    circuit.failed();
  }
  return circuit;
}

describe('the circuit breaker', () => {
  it('stays closed while failures are few or come with successes between them', () => {
    const circuit = new Circuit();
    for (let round = 0; round < 10; round += 1) {
      for (let count = 1; count < OPEN_AFTER; count += 1) {
        circuit.failed();
      }
      expect([circuit.state, circuit.limit]).toEqual(['closed', Infinity]);
      circuit.confirmed(500, 500);
    }
  });

  it('opens after several failures in a row, tries with a few events, and opens again', () => {
    const circuit = opened();
    expect(circuit.state).toBe('open');
    circuit.trying();
    expect([circuit.state, circuit.limit]).toEqual(['half-open', TRIAL_EVENTS]);
    circuit.failed();
    expect([circuit.state, circuit.limit]).toEqual(['open', TRIAL_EVENTS]);
  });

  it('closes with the first success, and gives more and more until all', () => {
    const circuit = opened();
    const given: number[] = [];
    while (circuit.limit !== Infinity) {
      circuit.trying();
      given.push(circuit.limit);
      circuit.confirmed(circuit.limit, 500);
      expect(circuit.state).toBe('closed');
    }
    expect(given).toEqual([10, 20, 40, 80, 160, 320]);
  });

  it('gives less again where more was too much, and does not grow by small deliveries', () => {
    const circuit = opened();
    circuit.confirmed(10, 500);
    circuit.confirmed(20, 500);
    circuit.confirmed(40, 500);
    circuit.confirmed(3, 500);
    expect(circuit.limit).toBe(80);
    circuit.failed();
    expect(circuit.limit).toBe(40);
  });

  it('takes a refusal for an answer', () => {
    const circuit = opened();
    circuit.trying();
    circuit.answered();
    expect([circuit.state, circuit.failures]).toEqual(['closed', 0]);
  });
});
