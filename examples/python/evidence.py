"""What a chain of evidence proves: its lines, checkpoints and calls, judged in order.
Numbers in comments are sections of docs/protocol.md, letters the steps of its section 10.6."""
import hashlib
from roster import outcome, prove, signed_statements
from wire import CHECKPOINT, EVENT, PAYLOADS, Refused, need, read, read_canonical, verifies

COUNTED = ("proposed", "allowed", "approved", "edited", "rejected", "denied", "executed", "unknown")

class Chain:
    """One chain's verdict. `lines` are bytes; `roster` None: only hashes and order are judged."""

    def __init__(self, lines, roster, checkpoint=None, app=None):
        self.lines, self.roster, self.app = lines, roster, app
        self.elsewhere, self.known = checkpoint, read(checkpoint, "checkpoint") if checkpoint else None
        self.key, self.first, self.last, self.covered, self.newest = None, None, None, -1, -1
        self.hashes, self.checkpoints, self.problems, self.receipts = [], [], [], []
        self.calls, self.requests, self.numbers = {}, {}, dict.fromkeys(COUNTED, 0)
        stopped = self.walk()
        self.end(stopped)

    def problem(self, seq, message):
        self.problems.append({"seq": seq, "message": str(message)})

    def walk(self):
        """A The lines in order; whether it stopped early."""
        for i, line in enumerate(self.lines):
            try:
                event = read_event(line)
            except Refused as error:
                self.problem(i, error)
                return True
            last = self.last
            if event["seq"] != i:
                fork = last and event["seq"] == i - 1 and event.get("prev_hash") == last.get("prev_hash")
                self.problem(i - 1 if fork else i, f"event {i} is expected here, not {event['seq']:.0f}")
                return True
            if last and event["prev_hash"] != self.hashes[-1]:
                self.problem(i if self.is_changed(i) else i - 1, f"event {i} is linked to another event")
                return True
            if last and (event["tenant_id"], event["user_id"]) != (last["tenant_id"], last["user_id"]):
                self.problem(i, "another app's or another agent's event")
                return True
            self.last = event
            self.hashes.append(hash_of(line))
            if self.known and self.known["seq"] == i and self.known["hash"] != self.hashes[i]:
                self.problem(i, "not the event that the checkpoint from elsewhere covers")
            if i == 0:
                self.begin(event)
            if i > 0 or event["event_type"] == "CHECKPOINT_CREATED":
                self.judge(i, event)
        return False

    def is_changed(self, i):
        """A3 Where lines i-1 and i do not fit, line i is to blame if the next one does not fit it either."""
        try:
            after = read_event(self.lines[i + 1]) if i + 1 < len(self.lines) else None
        except Refused:
            return False
        return after is not None and after["seq"] == i + 1 and after["prev_hash"] != hash_of(self.lines[i])

    def begin(self, event):
        """B Event 0 names the app, the agent and so the key."""
        if self.app and self.app != event["tenant_id"]:
            self.problem(0, "it is another app's chain")
        agent = self.roster and self.roster.record("agent", event["user_id"])
        if self.roster and self.roster.app != event["tenant_id"]:
            self.problem(0, "the roster is another app's")
        elif self.roster and not agent:
            self.problem(0, "the agent is not on the roster")
        elif event["event_type"] != "CHECKPOINT_CREATED":
            self.problem(0, "a chain begins with a checkpoint")
        if agent and self.roster.app == event["tenant_id"]:
            self.key = agent["key"]
        else:
            self.roster = None

    def judge(self, i, event):
        """A6 What a linked event says."""
        kind, payload = event["event_type"], event["payload"]
        try:
            if kind == "CHECKPOINT_CREATED":
                self.checkpoints.append(i)
                self.judge_checkpoint(i, event)
            elif kind in PAYLOADS:
                need(PAYLOADS[kind](payload), "the payload is malformed")
                if kind != "ERROR_RAISED":
                    getattr(self, kind.lower())(payload, event)
        except Refused as error:
            self.problem(i if error.seq is None else error.seq, error)

    def at(self, head):
        """The number of the roster entry that a head names."""
        seq = int(head["seq"])
        need(seq < len(self.roster.ids), "it names a roster entry that the roster does not have")
        need(self.roster.ids[seq] == head["hash"], "it names another roster entry: a fork")
        self.newest = max(self.newest, seq)
        return seq

    def signed_by_agent(self, signed):
        need(verifies(self.key, signed["body"], signed["signature"]), "the agent did not sign it")

    def judge_checkpoint(self, i, event):
        """C"""
        need(CHECKPOINT(event["payload"]), "the payload is malformed")
        signed = event["payload"]["checkpoint"]
        said = read(signed, "checkpoint")
        if i == 0:
            self.first = said
        need((said["app"], said["agent"]) == (event["tenant_id"], event["user_id"]), "of another agent")
        need(self.first and said["chain"] == self.first["chain"], "another chain's checkpoint")
        if self.roster:
            self.at(said["roster"])
            self.signed_by_agent(signed)
        need((said["seq"] is None) == (i == 0), "the first checkpoint, and no other, covers nothing")
        if said["seq"] is not None:
            seq = int(said["seq"])
            need(self.covered <= seq < i, "it covers less than the one before, or what comes later")
            need(said["hash"] == self.hashes[seq], f"the checkpoint at {i} covers another event", seq)
            self.covered = seq

    # D Calls. Each takes the payload and the event.

    def call(self, payload):
        need(payload["call"] in self.calls, "a call that was never proposed")
        return self.calls[payload["call"]]

    def request(self, payload):
        need(payload["request"] in self.requests, "a request that was never asked")
        return self.requests[payload["request"]]

    def header(self, call, payload):
        header = call["header"]
        need(header and header["request"] == payload["request"], "not the request that the call asked for")
        return header

    def tool_call_proposed(self, said, _):
        self.numbers["proposed"] += 1
        need(said["call"] not in self.calls, "the call was proposed already")
        self.calls[said["call"]] = {
            "tool": said["tool_name"], "digest": said["action_digest"], "policy": None, "header": None,
            "decided": None, "allowed": None, "denied": False, "execution": None, "finished": False}

    def policy_decision(self, said, _):
        self.call(said)["policy"] = said["outcome"]

    def approval_requested(self, said, event):
        call = self.call(said)
        header = read(said["header"], "request") if self.roster else None
        self.requests.setdefault(said["request"], {
            "request": said["request"], "tool": call["tool"], "outcome": "pending", "by": [],
            "executed": False, "used": False})
        if header:
            need(header["request"] == said["request"], "the header is another request's")
            need((header["app"], header["agent"]) == (self.roster.app, event["user_id"]), "another agent's")
            need(header["actionDigest"] == call["digest"], "the header asks for another action")
            self.signed_by_agent(said["header"])
            call["header"] = header

    def approval_decided(self, said, event):
        request = self.request(said)
        request["outcome"] = said["outcome"]
        if said["outcome"] in ("approved", "rejected"):
            self.numbers[said["outcome"]] += 1
        call = self.call(said)
        if self.roster:
            self.judge_decision(call, request, said, event)
        asked = call["header"]["actionDigest"] if self.roster else call["digest"]
        self.numbers["edited"] += said["outcome"] == "approved" and said["effective"] != asked
        call["decided"] = said

    def judge_decision(self, call, request, said, event):
        """D1"""
        header = self.header(call, said)
        for signed in said["statements"]:
            try:
                self.at(read(signed, "statement")["roster"])
            except Refused:
                continue  # it moves nothing
        seq = self.newest if self.newest >= 0 else len(self.roster.ids) - 1
        count = self.count(header, seq, said["statements"], event)
        rejected = said["outcome"] == "rejected"
        need(not rejected or count["status"] == "rejected", "the statements do not reject it")
        request["by"] = count["by"] if count["status"] == said["outcome"] else []

    def count(self, header, seq, statements, event):
        statements = signed_statements(self.roster, seq, statements)
        return outcome(header, self.roster, seq, statements, event["ts_unix_ms"])

    def tool_call_allowed(self, said, event):
        self.numbers["allowed"] += 1
        call = self.call(said)
        need(not call["denied"] and not call["allowed"], "the call was denied or allowed before")
        need(said["action_digest"] == call["digest"], "another action was proposed")
        if said["request"] is None:
            need(call["policy"] == "allow" and said["effective"] == call["digest"], "policy did not allow it")
        else:
            request, decided = self.request(said), call["decided"]
            need(not request["used"], "the request was used already")
            need(decided and decided["request"] == said["request"] and decided["outcome"] == "approved"
                 and decided["effective"] == said["effective"], "it was not approved, or another action was")
            request["used"] = True
        if self.roster:
            self.judge_grant(call, said, event)
        call["allowed"] = {"request": said["request"], "effective": said["effective"]}

    def judge_grant(self, call, said, event):
        """D2"""
        need(self.roster.active("agent", event["user_id"], self.at(said["roster"])), "suspended or revoked")
        if said["request"] is None:
            return
        header = self.header(call, said)
        need(said["consume"] and said["receipt"], "a consume and a receipt are missing")
        consume = read(said["consume"], "consume")
        self.signed_by_agent(said["consume"])
        need((consume["app"], consume["request"], consume["requestDigest"], consume["effective"]) == (
            header["app"], said["request"], header["requestDigest"], said["effective"]), "another consume")
        seq = self.at(consume["roster"])
        need(self.roster.active("agent", event["user_id"], seq), "suspended or revoked at the consume")
        count = self.count(header, seq, call["decided"]["statements"], event)
        need(count["status"] == "approved", f"the statements do not approve it: {count['status']}")
        need(count["effective"] == said["effective"], "the statements approve another action")
        receipt = read(said["receipt"], "receipt")
        self.at(receipt["roster"])
        prove(self.roster, receipt, said["receipt"], consume)
        self.receipts.append((said["request"], consume["attempt"]))
        need(receipt["time"] <= header["useBy"], "the approval was used after its time")
        self.request(said)["by"] = count["by"]

    def tool_call_denied(self, said, _):
        self.numbers["denied"] += 1
        self.call(said).update(denied=True, header=None)

    def tool_call_executed(self, said, _):
        call, request = self.call(said), self.requests.get(said["request"])
        self.numbers["executed"] += 1
        self.numbers["unknown"] += 1
        again = call["execution"] is not None or request is not None and request["executed"]
        call["execution"] = said["execution_id"]
        if request:
            request["executed"] = True
        need(not call["denied"], "the call was denied, and ran")
        need(call["allowed"], "the call was never properly allowed, and ran")
        need(not again, "it ran twice")
        allowed = {"request": said["request"], "effective": said["effective"]}
        need(call["allowed"] == allowed, "another request or action was allowed")
        call.update(header=None, decided=None)

    def tool_result(self, said, _):
        call = self.call(said)
        need(said["execution_id"] == call["execution"], "the result of a run that is not in the chain")
        need(not call["finished"], "the call has a result already")
        call["finished"] = True
        self.numbers["unknown"] -= 1

    def end(self, stopped):
        """E"""
        events, known = len(self.hashes), self.known
        if not events and not self.problems:
            self.problem(0, "there are no events")
        if known is None:
            return
        if self.first and self.first["chain"] != known["chain"]:
            self.problem(0, "the checkpoint from elsewhere is another chain's")
        if self.last and (known["app"], known["agent"]) != (self.last["tenant_id"], self.last["user_id"]):
            self.problem(0, "the checkpoint from elsewhere is another agent's")
        if self.roster and self.key:
            self.signed_by_agent(self.elsewhere)
        if known["seq"] is not None and known["seq"] >= events and not stopped:
            self.problem(events, f"cut off: a checkpoint from elsewhere covers event {known['seq']:.0f}")

    def report(self):
        """10.7"""
        seqs = [problem["seq"] for problem in self.problems]
        events, beyond = len(self.hashes), sum(seq > self.covered for seq in self.checkpoints)
        return {
            "valid": not seqs, "firstBad": min(seqs, default=None), "problems": self.problems,
            "events": events, "checkpoints": len(self.checkpoints),
            "uncovered": events - 1 - self.covered - beyond,
            "chain": self.first and self.first["chain"], "agent": self.last and self.last["user_id"],
            "calls": self.numbers, "requests": [
                {key: request[key] for key in ("request", "tool", "outcome", "by", "executed")}
                for request in self.requests.values()]}

def hash_of(line):
    return hashlib.sha256(line).hexdigest()

def read_event(line):
    """10.2 What a line says."""
    try:
        event = read_canonical(line.decode())
    except UnicodeDecodeError as error:
        raise Refused("not UTF-8") from error
    need(EVENT(event), "not an event")
    need(("prev_hash" in event) == (event["seq"] > 0), "prev_hash is absent at seq 0 and nowhere else")
    return event

def lines_of(octets):
    """10.1 The lines of a file: bytes after the last LF are one too, an empty rest is not."""
    lines = octets.split(b"\n")
    return lines[:-1] if lines[-1] == b"" else lines
