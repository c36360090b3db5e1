/** `@guard/core` as a browser's bundle loads it, minified and gzipped, without and with the fallback KEM. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";
import { print } from "../figure.ts";

const program = `import { createGuard } from "@guard/core";\nglobalThis.guard = createGuard;\n`;

/** Bytes of all chunks, gzipped one by one as a server sends them; `external` is left out. */
async function size(external: readonly RegExp[]): Promise<{ total: number; entry: number }> {
  // Beside the sources, so that the package is found.
  const directory = mkdtempSync(join(import.meta.dirname, "bundle-"));
  try {
    const input = join(directory, "entry.ts");
    writeFileSync(input, program);
    const bundle = await rolldown({
      input,
      platform: "browser",
      external: [...external],
      resolve: { conditionNames: ["@guard/source", "browser", "import", "default"] },
    });
    const { output } = await bundle.generate({ format: "esm", minify: true });
    await bundle.close();
    const sizes = output.flatMap((chunk) =>
      chunk.type === "chunk"
        ? [{ entry: chunk.isEntry, bytes: gzipSync(chunk.code, { level: 9 }).length }]
        : [],
    );
    const sum = (all: typeof sizes) => all.reduce((bytes, each) => bytes + each.bytes, 0);
    return { total: sum(sizes), entry: sum(sizes.filter((each) => each.entry)) };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const fallback = /^@noble\/post-quantum/;
const libraries = /^(zod|ky|hpke|eventsource-parser|p-limit|@noble\/)/;
const without = await size([fallback]);
const withFallback = await size([]);
const own = await size([fallback, libraries]);
const kB = (bytes: number) => bytes / 1000;
print({
  name: "createGuard in a browser bundle, gzipped, without the fallback KEM",
  value: kB(without.total),
  unit: "kB",
  goal: 25,
  better: "lower",
  detail: { "first chunk, kB": kB(without.entry), "our own code, kB": kB(own.total) },
});
print({
  name: "createGuard in a browser bundle, gzipped, with the fallback KEM",
  value: kB(withFallback.total),
  unit: "kB",
  goal: 45,
  better: "lower",
});
