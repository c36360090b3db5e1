// The page: a document, a style, a script, and one that is loaded after it, with the same bytes on every machine. Nothing
// is named after its content, since nothing of it is cached; the document names the digests of style and script instead
// (SRI), and the script that of the later one, so that the document's digest stands for all that runs.
import { createHash } from "node:crypto";
import { defineConfig, type Plugin } from "vite";
import { contentPolicy } from "./src/files/headers.ts";

const integrityOf = (text: string | Uint8Array) =>
  `sha384-${createHash("sha384").update(text).digest("base64")}`;

/** Puts the policy into the document, and the digests of what it loads: of the bytes that are written, after all others. */
const sealed: Plugin = {
  name: "sealed",
  apply: "build",
  enforce: "post",
  generateBundle: {
    order: "post",
    handler(_, bundle) {
      const page = bundle["index.html"];
      const script = bundle["page.js"];
      const later = bundle["later.js"];
      if (page?.type !== "asset" || script?.type !== "chunk" || later?.type !== "chunk") {
        throw new Error("There have to be index.html, page.js and later.js among what was built.");
      }
      script.code = script.code.replace("LATER_INTEGRITY", integrityOf(later.code));
      if (!script.code.includes(integrityOf(later.code)))
        throw new Error("page.js does not name later.js by its digest.");
      const withPolicy = String(page.source).replace(
        "<!-- content-security-policy -->",
        `<meta http-equiv="content-security-policy" content="${contentPolicy()}" />`,
      );
      page.source = withPolicy.replaceAll(/ crossorigin (src|href)="\.\/([^"]+)"/g, (_, attribute, name) => {
        const made = bundle[name];
        if (!made) throw new Error(`The document loads ${name}, which was not built.`);
        const integrity = integrityOf(made.type === "chunk" ? made.code : made.source);
        return ` ${attribute}="./${name}" integrity="${integrity}"`;
      });
    },
  },
};

/** What core fetches only where it is needed comes with the page, which always needs it or cannot know. */
const together: Plugin = {
  name: "together",
  transform(code, id) {
    if (!id.includes("/packages/core/")) return null;
    const modules: string[] = [];
    const plain = code.replaceAll(
      /\bimport\(("[^"]+")\)/g,
      (_, module) => `Promise.resolve(with${modules.push(module)})`,
    );
    return modules.map((module, n) => `import * as with${n + 1} from ${module};\n`).join("") + plain;
  },
};

/** Vite's own loader looks for styles and neighbours of what is loaded later. There are none. */
const plainImports: Plugin = {
  name: "plain-imports",
  enforce: "pre",
  load: (id) => (id === "\0vite/preload-helper.js" ? "export const __vitePreload = (load) => load();" : null),
};

export default defineConfig({
  base: "./",
  resolve: { conditions: ["@guard/source", "module", "browser", "production"] },
  define: { LATER_INTEGRITY: JSON.stringify("LATER_INTEGRITY") },
  plugins: [plainImports, together, sealed],
  build: {
    outDir: "dist/page",
    emptyOutDir: true,
    target: "es2023",
    // The first browsers that have light-dark().
    cssTarget: ["chrome123", "firefox120", "safari17.5", "ios17.5"],
    modulePreload: false,
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    // The one stylesheet that the document names by digest is all there is.
    cssCodeSplit: false,
    rolldownOptions: {
      output: { entryFileNames: "page.js", chunkFileNames: "[name].js", assetFileNames: "page[extname]" },
    },
  },
});
