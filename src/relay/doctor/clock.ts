/** Judges the machine's clock by what others say. */
import { execFile } from 'node:child_process';
import { about, type Finding } from './findings.js';

const clock = about('clock');

/** The oldest time that can be, in ms: a machine without a battery begins in 1970. */
const EARLIEST = Date.parse('2025-01-01T00:00:00Z');
/** From here on live views are wrong, in ms. */
const TOLERATED_MS = 5_000;

/** What is known of the clock. */
export interface ClockFacts {
  /** ms since 1970. */
  now: number;
  /** Whether the system says that it is synchronised; null where it does not say. */
  synchronised: boolean | null;
  /** By how much the clock is ahead of each destination's, in ms. */
  ahead: readonly { of: string; ms: number }[];
  /** How much further than a clock that only counts it went during the check, in ms. */
  jumpedMs: number;
}

/** What the facts amount to. */
export function judgeClock(facts: ClockFacts): Finding[] {
  const { now, synchronised, ahead, jumpedMs } = facts;
  const todo = 'Switch time synchronisation on: timedatectl set-ntp true';
  const time = new Date(now).toISOString();
  if (now < EARLIEST) {
    return [clock.problem(`it shows ${time}`, todo)];
  }
  const findings = ahead
    .filter(({ ms }) => Math.abs(ms) > TOLERATED_MS)
    .map(({ of, ms }) =>
      clock.warn(
        `it is ${Math.abs(ms / 1000).toFixed(0)} s ${ms > 0 ? 'ahead of' : 'behind'} that of ${of}`,
        todo
      )
    );
  if (Math.abs(jumpedMs) > 500) {
    findings.push(
      clock.warn(
        `it was set by ${(jumpedMs / 1000).toFixed(1)} s meanwhile`,
        todo
      )
    );
  }
  if (synchronised === false) {
    findings.push(clock.warn('the system does not synchronise it', todo));
  }
  return findings.length > 0
    ? findings
    : [
        clock.ok(
          ahead.length > 0
            ? `${time}, as ${ahead.map(({ of }) => of).join(', ')} has it`
            : synchronised
              ? `${time}, synchronised`
              : `${time}; there was nobody to compare it with`
        )
      ];
}

/** Whether systemd says that the clock is synchronised; null where it cannot be asked. */
export function askSystem(): Promise<boolean | null> {
  return new Promise(resolve => {
    execFile(
      'timedatectl',
      ['show', '--property=NTPSynchronized', '--value'],
      { timeout: 2_000 },
      (error, stdout) => {
        const said = stdout?.trim();
        resolve(
          error || (said !== 'yes' && said !== 'no') ? null : said === 'yes'
        );
      }
    );
  });
}
