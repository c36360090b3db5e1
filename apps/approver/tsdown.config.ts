import { defineConfig } from "tsdown";

export default defineConfig({
  entry: ["src/files/index.ts"],
  format: ["esm"],
  dts: true,
  platform: "node",
  target: "es2023",
  fixedExtension: false,
  clean: false,
});
