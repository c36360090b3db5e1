import { waitSubjects } from "./subjects/vercel-ai.ts";
import { suspendSubjects } from "./subjects/vercel-ai-suspend.ts";
import { suite } from "./suite.ts";

suite([...waitSubjects, ...suspendSubjects]);
