import { defineConfig, type UserConfig } from "tsdown";

const common = {
  entry: { index: "src/index.ts", plugin: "src/plugin/index.ts" },
  format: ["esm"],
  platform: "neutral",
  target: "es2023",
  fixedExtension: false,
} satisfies UserConfig;

export default defineConfig([
  // What is used of zod goes into the file: its entry loads ninety files, most of them translations, and takes
  // longer than everything else that starting a process with a guard does.
  { ...common, dts: false, deps: { alwaysBundle: [/^zod\//], onlyBundle: ["zod"] } },
  { ...common, dts: { emitDtsOnly: true }, clean: false },
]);
