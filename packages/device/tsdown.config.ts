import { defineConfig } from "tsdown";

export default defineConfig({
  entry: { index: "src/index.ts", browser: "src/browser/index.ts", node: "src/node.ts" },
  format: ["esm"],
  dts: true,
  platform: "neutral",
  target: "es2023",
  fixedExtension: false,
});
