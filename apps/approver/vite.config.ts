// The page: a document, a style and a script, and a style and a script that are loaded after it, with the same bytes on
// every machine. Nothing is named after its content, since nothing of it is cached; the document names the digests of the
// first two instead (SRI), and the script those of the later ones, so that the document's digest stands for all that runs.
import { createHash } from "node:crypto";
import { defineConfig, type Plugin } from "vite";
import { contentPolicy } from "./src/files/headers.ts";

const integrityOf = (text: string | Uint8Array) =>
  `sha384-${createHash("sha384").update(text).digest("base64")}`;

/** What is loaded after the page, by the name under which the page knows its digest. */
const later = { LATER_SCRIPT: "later.js", LATER_STYLE: "later.css" };

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
      if (page?.type !== "asset" || script?.type !== "chunk") {
        throw new Error("There have to be index.html and page.js among what was built.");
      }
      for (const [name, file] of Object.entries(later)) {
        const made = bundle[file];
        const integrity = made && integrityOf(made.type === "chunk" ? made.code : made.source);
        if (!integrity || !script.code.includes(name))
          throw new Error(`page.js has to name ${file} by digest.`);
        script.code = script.code.replace(name, integrity);
      }
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
  define: Object.fromEntries(Object.keys(later).map((name) => [name, JSON.stringify(name)])),
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
    rolldownOptions: {
      output: {
        entryFileNames: "page.js",
        chunkFileNames: "[name].js",
        assetFileNames: ({ names: [name = ""] }) => name.replace("index.css", "page.css"),
      },
    },
  },
});
