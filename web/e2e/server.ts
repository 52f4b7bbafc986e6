/** A real server with its own data folder, which can be killed and restarted on the same port. */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PYTHON = fileURLToPath(new URL('../../.venv/bin/python', import.meta.url));
const BUILT = fileURLToPath(new URL('../../hubbub/gateway/static', import.meta.url));
const READY_WITHIN_MS = 60_000;

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

export class Server {
  #process: ChildProcess | null = null;
  #output = '';
  #hasOwner = false;

  /** The build of the client to serve from the next start on. */
  client = process.env['HUBBUB_E2E_STATIC'] ?? BUILT;

  private constructor(
    readonly port: number,
    readonly data: string,
    readonly options: readonly string[],
  ) {}

  static async start(options = ['--registration', 'open', '--guests']): Promise<Server> {
    const data = await mkdtemp(join(tmpdir(), 'hubbub-e2e-'));
    const server = new Server(await freePort(), data, options);
    await server.up();
    return server;
  }

  get url(): string {
    return `http://localhost:${this.port}`;
  }

  /** The server's output so far: its address, invites, log lines. */
  get output(): string {
    return this.#output;
  }

  /** The code of the link that makes somebody the owner of this server; null once it was used. */
  takeOwnerInvite(): string | null {
    if (this.#hasOwner) return null;
    this.#hasOwner = true;
    // The last link, because a start without an owner invalidates the one before.
    const code = [...this.#output.matchAll(/\/join\/(\S+)/g)].at(-1)?.[1];
    if (!code) throw new Error(`The server printed no link for its owner:\n${this.#output}`);
    return code;
  }

  async up(): Promise<void> {
    const child = spawn(
      PYTHON,
      [
        ...this.#program(), 'serve', '--port', String(this.port), '--data', this.data, '--public-url', this.url,
        '--no-limits', ...this.options,
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    this.#process = child;
    const note = (chunk: Buffer) => {
      this.#output += chunk.toString();
    };
    child.stdout.on('data', note);
    child.stderr.on('data', note);
    await this.#ready(child);
  }

  #program(): string[] {
    if (this.client === BUILT) return ['-m', 'hubbub'];
    const code = [
      'import pathlib',
      'from hubbub.gateway.http import static_files',
      `static_files.BUILT_CLIENT = pathlib.Path(${JSON.stringify(this.client)})`,
      'from hubbub.cli import main',
      'main()',
    ];
    return ['-c', code.join('\n')];
  }

  async #ready(child: ChildProcess): Promise<void> {
    const deadline = Date.now() + READY_WITHIN_MS;
    while (Date.now() < deadline && child.exitCode === null) {
      const answer = await fetch(`${this.url}/readyz`).catch(() => null);
      if (answer?.ok) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`The server did not come up:\n${this.#output}`);
  }

  /** As when the machine loses power. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (!child || child.exitCode !== null) return;
    child.kill(signal);
    await once(child, 'exit');
  }

  async stop(): Promise<void> {
    await this.kill('SIGTERM');
    await rm(this.data, { recursive: true, force: true });
  }
}
