/** A schema as the model and approvers see it, and its own validation, for edited arguments. */
import { ConfigurationError, type Json, type ToolSchema } from "@guard/core";
import { notJson } from "@guard/core/plugin";
import { standardSchemaToJSONSchema, toStandardSchema } from "@mastra/core/schema";

export interface ReadSchema {
  readonly schema: ToolSchema;
  readonly validate: (args: Json) => Promise<unknown>;
}

/** `given` is any schema that Mastra takes; undefined where there is none. @throws ConfigurationError */
export function readSchema(
  who: string,
  name: string,
  given: unknown,
  description: string | null,
): ReadSchema {
  const found = notJson(given);
  if (found !== null) {
    throw new ConfigurationError(
      `${who}: ${name} takes ${found}, which JSON cannot hold, so nobody could be shown what runs. ` +
        "Take a string or number and convert it when it runs.",
    );
  }
  try {
    const standard = toStandardSchema((typeof given === "function" ? given() : (given ?? {})) as never);
    const inputSchema = standardSchemaToJSONSchema(standard, { io: "input" }) as Json;
    return {
      schema: { name, description, inputSchema },
      async validate(args) {
        const result = await standard["~standard"].validate(args);
        if (result.issues) throw new TypeError(result.issues.map(({ message }) => message).join("; "));
        return result.value;
      },
    };
  } catch (cause) {
    throw new ConfigurationError(
      `${who}: the input schema of ${name} has no JSON Schema, so neither the model nor an approver could be shown it. ` +
        "Use types that JSON can hold.",
      { cause },
    );
  }
}
