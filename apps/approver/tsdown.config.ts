import { defineConfig } from "tsdown";

export default defineConfig({
  entry: ["src/files/index.ts"],
  // Declarations of these alone: what the tests import lies outside of this package.
  tsconfig: "tsconfig.build.json",
  format: ["esm"],
  dts: true,
  platform: "node",
  target: "es2023",
  fixedExtension: false,
  clean: false,
});
