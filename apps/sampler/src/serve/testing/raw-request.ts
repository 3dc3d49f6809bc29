/** @file Requests as no well-behaved client sends them, over a plain socket. */
import { connect, type Socket } from 'node:net';

export interface RawConnection {
  socket: Socket;
  /** What has come so far. */
  text(): string;
  closed: Promise<void>;
}

/** Sends bytes as they are; what comes back is not read while `reads` is false. */
export function rawConnection(address: string, bytes: string | Uint8Array, { reads = true } = {}): RawConnection {
  const { hostname, port } = new URL(address);
  const socket = connect(Number(port), hostname);
  let text = '';
  socket.on('error', () => {});
  if (reads) socket.on('data', (part) => (text += part.toString('latin1')));
  else socket.pause();
  socket.write(bytes);
  const closed = new Promise<void>((done) => {
    socket.on('close', () => done());
  });
  return { socket, text: () => text, closed };
}

/** The first answer to these bytes, or what there is of it after a second. Its body is JSON. */
export async function rawAnswer(
  address: string,
  bytes: string | Uint8Array,
): Promise<{ status: number; head: string; body: unknown }> {
  const { socket, text, closed } = rawConnection(address, bytes);
  const length = () => Number(/\r\ncontent-length: (\d+)/i.exec(text())?.[1]);
  const isWhole = () => text().length >= text().indexOf('\r\n\r\n') + 4 + length();
  const whole = (async () => {
    for (let i = 0; i < 100 && !isWhole(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  })();
  await Promise.race([closed, whole]);
  socket.destroy();
  const [head, rest] = text().split('\r\n\r\n');
  const body = rest && (length() >= 0 ? rest.slice(0, length()) : rest);
  return { status: Number(head.split(' ')[1]), head, body: body ? parsed(body) : undefined };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
