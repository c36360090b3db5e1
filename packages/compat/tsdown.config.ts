import { defineConfig } from "tsdown";

export default defineConfig({
  entry: { noxy: "src/noxy/index.ts" },
  format: ["esm"],
  dts: true,
  platform: "node",
  target: "es2023",
  fixedExtension: false,
});
