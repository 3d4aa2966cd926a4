/** A network that can be cut: hands connections on to a server until it is told not to. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface Wire {
  /** Port of this end, on 127.0.0.1. */
  readonly port: number;
  /** Breaks what is open and refuses what comes. */
  cut(): void;
  /** Lets connections through again. */
  mend(): void;
  close(): Promise<void>;
}

/** A wire to `port` on 127.0.0.1. */
export async function layWire(port: number): Promise<Wire> {
  const open = new Set<Socket>();
  let whole = true;
  const server = createServer(socket => {
    if (!whole) {
      socket.destroy();
      return;
    }
    const far = connect(port, '127.0.0.1');
    for (const [one, other] of [
      [socket, far],
      [far, socket]
    ] as const) {
      open.add(one);
      one.on('error', () => undefined);
      one.on('close', () => {
        open.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const breakAll = (): void => open.forEach(socket => socket.destroy());
  return {
    port: (server.address() as AddressInfo).port,
    cut: () => {
      whole = false;
      breakAll();
    },
    mend: () => {
      whole = true;
    },
    close: async () => {
      breakAll();
      server.close();
      await once(server, 'close');
    }
  };
}
