import { agentSubjects } from "./subjects/mastra.ts";
import { suite } from "./suite.ts";

suite([...agentSubjects]);
