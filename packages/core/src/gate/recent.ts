/**
 * What a long-lived process remembers about many things, without growing for ever: what was set longest ago is forgotten
 * first. In the gate forgetting opens nothing; it costs a repeated hook or a refusal that says "already executed".
 */
export class Recent<V> {
  readonly #most: number;
  readonly #entries = new Map<string, V>();

  constructor(most: number) {
    this.#most = most;
  }

  get(key: string): V | undefined {
    return this.#entries.get(key);
  }

  set(key: string, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size > this.#most) this.#entries.delete(this.#entries.keys().next().value as string);
  }
}
