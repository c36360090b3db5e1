/** The arguments, which are what runs: as a tree in full, and as the JSON that was signed. */
import type { Json } from "@guard/core";
import { visibleJson } from "@guard/device";
import { ArgumentsTree } from "./arguments-tree.tsx";

const tabs = [
  ["tree", "Readable"],
  ["json", "JSON"],
] as const;

export type WhatTab = (typeof tabs)[number][0];

export function What(props: { args: Json; warnings: number; tab: WhatTab; onTab: (tab: WhatTab) => void }) {
  const { args, warnings, tab, onTab } = props;
  return (
    <section class="what" aria-labelledby="detail-what">
      <div class="what-head">
        <h2 id="detail-what">The arguments, in full</h2>
        <div class="tabs" role="tablist" aria-label="How the arguments are shown">
          {tabs.map(([name, label]) => (
            <button
              key={name}
              id={`detail-tab-${name}`}
              type="button"
              role="tab"
              aria-selected={tab === name}
              aria-controls="detail-args"
              tabIndex={tab === name ? 0 : -1}
              onClick={() => onTab(name)}
              onKeyDown={(event) => {
                if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
                event.stopPropagation();
                const other = name === "tree" ? "json" : "tree";
                onTab(other);
                document.getElementById(`detail-tab-${other}`)?.focus();
              }}
            >
              {label}
            </button>
          ))}
        </div>
      </div>
      {warnings > 0 && (
        <p class="warning">
          {warnings === 1 ? "One thing" : `${warnings} things`} here may mislead you. Each is marked where it
          stands.
        </p>
      )}
      <div id="detail-args" role="tabpanel" aria-labelledby={`detail-tab-${tab}`}>
        {tab === "tree" ? (
          <ArgumentsTree value={args} />
        ) : (
          <pre class="json">{visibleJson(args).join("\n")}</pre>
        )}
      </div>
    </section>
  );
}
