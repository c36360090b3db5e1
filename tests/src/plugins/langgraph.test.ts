import { approvalNodeSubject } from "./subjects/approval-node.ts";
import { agentSubjects } from "./subjects/langgraph.ts";
import { suite } from "./suite.ts";

suite([...agentSubjects, approvalNodeSubject]);
