// The page: one script, one style and one document, with the same bytes on every machine. Nothing is named after its
// content, since nothing of it is cached; the document names the digests of both instead (SRI), so that the document's
// digest stands for all that runs.
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
      if (page?.type !== "asset") throw new Error("There is no index.html among what was built.");
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

export default defineConfig({
  base: "./",
  resolve: { conditions: ["@guard/source", "module", "browser", "production"] },
  plugins: [sealed],
  build: {
    outDir: "dist/page",
    emptyOutDir: true,
    target: "es2023",
    modulePreload: false,
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    // The stylesheet and code that the document names by digest are all there is.
    cssCodeSplit: false,
    rolldownOptions: {
      output: { codeSplitting: false, entryFileNames: "page.js", assetFileNames: "page[extname]" },
    },
  },
});
