/** What is written from the contract is current. */
import { call } from './support.mjs';

it.each(['scripts/schemas.mjs', 'scripts/events-doc.mjs'])(
  '%s finds nothing to write',
  async script => {
    const { code, stderr } = await call(process.execPath, [script, '--check']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  }
);
