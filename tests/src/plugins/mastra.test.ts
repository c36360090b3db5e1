import { agentSubjects } from "./subjects/mastra.ts";
import { workflowSubjects } from "./subjects/mastra-workflows.ts";
import { suite } from "./suite.ts";

suite([...agentSubjects, ...workflowSubjects]);
