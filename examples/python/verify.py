"""Verifies Guard's evidence files. Written from docs/protocol.md alone; numbers and letters are its sections.

    python verify.py FILE [FILE…] --root APP_OR_ROOT_KEY --roster ROSTER_FILE [--checkpoint FILE]

Prints a JSON report. Exit code 0: valid; 1: not valid; 2: no verdict, as what it judges by is no good."""
import argparse, base64, hashlib, json, re, sys
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
from cryptography.hazmat.primitives.hashes import SHA256

REFUSED = (ValueError, KeyError, RecursionError, InvalidSignature)  # what is not as it must be, or not there

def need(condition, message):
    if not condition: raise ValueError(message)

def reason(error): return str(error) if isinstance(error, ValueError) else repr(error)
def same(one, other, members): return all(one[name] == other[name] for name in members.split())
def utf16(text): return text.encode("utf-16-be", "surrogatepass")
def sha256(octets): return hashlib.sha256(octets).digest()
def digest(text): return encode(sha256(text.encode()))
def encode(octets): return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()

def decode(text):
    octets = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    need(encode(octets) == text, "not base64url")
    return octets

def plain_json(text): return json.loads(text, parse_int=float, parse_constant=int)  # `int` refuses NaN

def read_canonical(text):
    value = plain_json(text)
    need(canonical(value) == text, "not canonical JSON")
    return value

def canonical(value, depth=1):
    """2.1 The one text of a value. A float's repr has the digits that ECMAScript writes."""
    if isinstance(value, float):
        need(abs(value) < float("inf"), "a number that no double holds")
        if value == 0 or 1e-6 <= abs(value) < 1e21: return format(Decimal(repr(value + 0.0)).normalize(), "f")
        return re.sub("e(.)0", r"e\1", repr(value))
    if not isinstance(value, (list, dict)):
        return json.dumps(value, ensure_ascii=False).encode().decode()  # UTF-8 has no lone surrogates
    need(depth <= 64, "more than 64 levels")
    if isinstance(value, list): return "[" + ",".join(canonical(item, depth + 1) for item in value) + "]"
    members = (canonical(key) + ":" + canonical(value[key], depth + 1) for key in sorted(value, key=utf16))
    return "{" + ",".join(members) + "}"

# 2.2 and the tables of members. A type is a name; or members, digests where no type is given. T?: or null.
# T*: may be absent. T|U: either. T[1..9]: list of 1 to 9. /…/: a string that matches. Base64url of n bytes is
# such a one, as the unused bits of its last character are zero; that of a point begins with the byte 4.
SHAPES = dict(shape.split(" = ") for shape in " ".join("""
digest = /[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]/; point = /B[A-P][A-Za-z0-9_-]{84}[AEIMQUYcgkosw048]/;
bytes16 = /[A-Za-z0-9_-]{21}[AQgw]/; bytes64 = /[A-Za-z0-9_-]{85}[AQgw]/; hpke = /[A-Za-z0-9_-]{1621}[AQgw]/;
name = /[A-Za-z0-9][A-Za-z0-9._-]{0,62}/; hex = /[0-9a-f]{64}/; person = /.{1,320}/; text = /.*/; some = /.+/;
count = 0..9007199254740991; time = 0..8640000000000000; url = /.{0,300}/; head = seq:count hash;
assertion = authenticatorData:/.{0,4096}/ clientDataJSON:/.{0,8192}/ signature:/.{0,200}/;
signed = body:text signature:/.{0,100}/|assertion; id = /.{1,1400}/; reason = /.{1,500}/?;
ed25519 = kind:/ed25519/ publicKey; p256 = kind:/p256/ publicKey:point; key = ed25519|p256;
es256 = kind:/webauthn/ alg:/ES256/ publicKey:point credentialId:id rpId:/.{1,253}/ origins:url[1..20];
eddsa = kind:/webauthn/ alg:/EdDSA/ publicKey credentialId:id rpId:/.{1,253}/ origins:url[1..20];
change = root|admin|identity|agent|relay|device|foreign|revoke|suspend|lift|renew; renew = kind:/renew/;
root = kind:/root/ key:key possession:bytes64; admin = kind:/admin/ admin:name key:key;
identity = kind:/identity/ identity:person; agent = kind:/agent/ agent:name key:key encryptionKey:hpke;
relay = kind:/relay/ relay:name key:key; device = kind:/device/ device identity:person encryptionKey:hpke
    key:ed25519|p256|es256|eddsa name:/.{1,100}/ origin:/.{1,300}/; lift = kind:/lift/ agent:name;
foreign = kind:/foreign/ device identity:person wire:/noxy/ publicKey kemKey:kem name:/.{1,100}/;
kem = /[A-Za-z0-9_-]{1578}[AEIMQUYcgkosw048]/;
target = kind:/admin|identity|agent|relay|device|foreign/ id:person; recipient = device wrapHash:digest;
revoke = kind:/revoke/ target:target reason:reason; suspend = kind:/suspend/ agent:name reason:reason;
roster = app seq:count prev:digest? time:time by:name change:change;
terms = approvers:person[1..100] quorum:1..100 rejections:1..100 editable:bool requester:person?
    unsigned:/noxy/*;
request = app agent:/.{1,100}/ keyId request round:count nonce requestDigest actionDigest ciphertextHash
    terms:terms createdAt:time expiresAt:time useBy:time recipients:recipient[0..200];
statement = app request requestDigest actionDigest effective decision:/approve|reject/ response:digest?
    identity:text device roster:head time:time;
unsigned = app request requestDigest actionDigest effective decision:/approve|reject/ response:/(?!)/?
    identity:text wire:/noxy/ reference:/.{1,200}/ roster:head time:time;
consume = app request requestDigest effective attempt:bytes16 executionTimeout:1000..604800000 roster:head;
receipt = app relay:text request requestDigest effective attempt:bytes16 roster:head time:time;
checkpoint = app agent:some chain:bytes16 seq:count? hash:hex? roster:head time:time;
event = tenant_id:some user_id:some session_id:some seq:count ts_unix_ms:time event_type:/[A-Z_]+/
    payload:object prev_hash:hex*; MODEL_CALL_STARTED = object; MODEL_CALL_FINISHED = object;
MEMORY_READ = object; MEMORY_WRITE = object; HANDOFF_REQUESTED = object; HANDOFF_COMPLETED = object;
TERMINATION = object; CHECKPOINT_CREATED = checkpoint:signed; ERROR_RAISED = call:some code:text message:text;
TOOL_CALL_PROPOSED = call:some tool_name:text call_id:text? action_digest args:json*;
POLICY_DECISION = call:some outcome:/allow|deny|require_approval/ rule:text version:text reasons:text[count];
APPROVAL_REQUESTED = call:some request header:signed;
APPROVAL_DECIDED = call:some request outcome:decided effective:digest? statements:signed[count];
decided = /approved|rejected|expired|cancelled|superseded|verification_failed/;
TOOL_CALL_ALLOWED = call:some request:digest? action_digest effective consume:signed? receipt:signed?
    roster:head; TOOL_CALL_DENIED = call:some request:digest? code:text reasons:text[count];
TOOL_CALL_EXECUTED = call:some request:digest? execution_id:text effective;
TOOL_RESULT = call:some request:digest? execution_id:text status:/ok|error/ result_digest:digest? error:text?
""".split()).split("; "))

ASTRAL = re.compile("[\U00010000-\U0010ffff]")  # two UTF-16 code units each, in which lengths are counted

def fits(value, kind):
    """Whether a value is of a type. Objects have no other members."""
    kind = SHAPES.get(kind, kind)
    if ":" in kind:
        types = dict((member if ":" in member else member + ":digest").split(":") for member in kind.split())
        return isinstance(value, dict) and value.keys() <= types.keys() and all(
            fits(value[name], each.rstrip("*")) if name in value else each[-1] == "*"
            for name, each in types.items())
    if kind[-1] == "?": return value is None or fits(value, kind[:-1])
    if kind[0] == kind[-1] == "/":
        return isinstance(value, str) and bool(re.fullmatch(kind[1:-1], ASTRAL.sub("??", value), re.S))
    if "|" in kind: return any(fits(value, each) for each in kind.split("|"))
    if kind[-1] == "]":
        item, size = kind[:-1].split("[")
        return isinstance(value, list) and fits(float(len(value)), size) and all(fits(v, item) for v in value)
    if ".." not in kind: return isinstance(value, {"bool": bool, "object": dict, "json": object}[kind])
    low, high = kind.split("..")
    return isinstance(value, float) and value.is_integer() and int(low) <= value <= int(high)

def read(signed, kind):
    """2.3 What a signed object says (steps 1 to 4). Who signed it is another question."""
    need(fits(signed, "signed"), "not a signed object")
    said = read_canonical(signed["body"])
    need(isinstance(said, dict) and said.pop("type", None) == f"guard/v1/{kind}", f"not a guard/v1/{kind}")
    need(fits(said, kind), f"a malformed {kind}")
    need(kind != "checkpoint" or (said["seq"] is None) == (said["hash"] is None), "half a checkpoint")
    if kind == "request":  # 5.3, 5.4
        terms, devices = said["terms"], [each["device"] for each in said["recipients"]]
        people = set(terms["approvers"])
        need(terms["approvers"] == sorted(people, key=utf16), "approvers do not ascend")
        need(len(people - {terms["requester"]}) >= terms["quorum"], "too few approvers")
        need(len(set(devices)) == len(devices), "a device twice")
        need(terms["quorum"] == 1 or "unsigned" not in terms, "unsigned answers make no quorum")
        need(devices or "unsigned" in terms, "sealed to nobody")
        need(said["createdAt"] < said["expiresAt"] <= said["useBy"], "times in another order")
    return said

def verify(key, signed):
    """2.4 Refuses what this key did not sign."""
    kind, data, signature = key["kind"], signed["body"].encode(), signed["signature"]
    need(isinstance(signature, dict) == (kind == "webauthn"), "a signature of another kind")
    if kind == "webauthn": data, signature = assertion(key, data, signature)
    else: signature = decode(signature)
    if kind == "p256":
        need(len(signature) == 64, "not a signature")
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        signature = utils.encode_dss_signature(r, s)
    public = decode(key["publicKey"])
    if len(public) == 32: return ed25519.Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)
    point.verify(signature, data, ec.ECDSA(SHA256()))

def assertion(key, data, parts):
    """2.4 What a passkey signed if it was asked to sign `data`, and its signature."""
    client, authenticator = decode(parts["clientDataJSON"]), decode(parts["authenticatorData"])
    said, signature = plain_json(client.decode()), decode(parts["signature"])
    need(isinstance(said, dict) and said["type"] == "webauthn.get" and "topOrigin" not in said
         and said["challenge"] == encode(sha256(data)) and said["origin"] in key["origins"]
         and said.get("crossOrigin") is not True, "an assertion of something else")
    need(authenticator[:32] == sha256(key["rpId"].encode()) and len(authenticator) >= 37
         and authenticator[32] & 5 == 5, "another relying party, or nobody was there")
    if key["alg"] == "ES256":
        r, s = utils.decode_dss_signature(signature)
        need(utils.encode_dss_signature(r, s) == signature, "not strict DER")
    return authenticator + sha256(client), signature

# 3.2 What a change needs somebody to be, and makes of them. The others add who was never there.
MOVES = {"suspend": ("active", "suspended"), "lift": ("suspended", "active"),
         "revoke": ("active suspended", "revoked")}

class Roster:
    """3 An app's roster, each entry judged by those before it. `at`: as of which entry something is asked."""
    def __init__(self, entries):
        self.time, self.ids, self.said, self.history = 0, [], {}, {}
        need(isinstance(entries, list) and entries, "a roster is a list of entries")
        for signed in entries: self.add(signed)
    def add(self, signed):
        """3.2"""
        entry, seq = read(signed, "roster"), len(self.ids)
        change = entry["change"]
        what = change["kind"]
        kind = change["target"]["kind"] if what == "revoke" else "agent" if what in MOVES else what
        name = change["target"]["id"] if what == "revoke" else change.get("device" if what == "foreign" else kind)
        if seq == 0:
            need(what == "root" and entry["prev"] is None, "a roster begins with its root")
            self.app, self.founder, self.root = app_of(change["key"]), change["key"], change["key"]
        else: need(entry["prev"] == self.ids[-1] and entry["time"] >= self.time, "it does not follow")
        need(entry["app"] == self.app and entry["seq"] == seq, "it belongs elsewhere")
        by_root = seq == 0 or entry["by"] == "root"
        need(by_root or kind not in ("root", "admin"), "only the root may sign this")
        verify(self.root if by_root else self.active("admin", entry["by"])["key"], signed)
        if kind == "root":
            proof = {"app": self.app, "key": change["key"], "seq": seq, "type": "guard/v1/possession"}
            verify(change["key"], {"body": canonical(proof), "signature": change["possession"]})
            self.root = change["key"]
        elif kind != "renew":
            before, after = MOVES.get(what, ("absent", "active"))
            need(self.status(kind, name) in before.split(), f"{kind} {name} is not {before}")
            need((kind, name.lower()) != ("admin", "root"), "an admin called root")
            if what in ("device", "foreign"): self.judge_device(change)
            self.said.setdefault((kind, name), change)
            self.history.setdefault((kind, name), [(-1, "absent")]).append((seq, after))
        self.ids.append(digest(signed["body"]))
        self.time = entry["time"]
    def judge_device(self, change):
        """3.2, 4.2. The normal form of identities and look-alikes (3.4) are left to the signers."""
        self.active("identity", change["identity"])
        what, least = change["kind"], ("kind", "device", "name", "origin")
        own = {name: value for name, value in change.items() if name not in least}
        own.update(app=self.app, type="guard/v1/" + ("device" if what == "device" else "foreign-device"))
        need(change["device"] == digest(canonical(own)), "a device's id is the digest of what it is")
        def key(of): return of["kemKey"] if what == "foreign" else of["key"]["publicKey"]
        keys = [key(said) for (kind, _), said in self.said.items() if kind == what]
        need(key(change) not in keys, "another device has this key")
    def status(self, kind, name, at=float("inf")):
        return [state for seq, state in self.history.get((kind, name), [(-1, "absent")]) if seq <= at][-1]
    def active(self, kind, name, at=float("inf")):
        need(self.status(kind, name, at) == "active", f"{kind} {name} is {self.status(kind, name, at)}")
        return self.said[kind, name]

def app_of(key): return digest(canonical({"key": key, "type": "guard/v1/app"}))

def read_answer(signed):
    """7.1 and 7.4; only the latter has a wire."""
    return read(signed, "unsigned" if '"type":"guard/v1/unsigned"' in signed["body"] else "statement")

def signed_statements(roster, at, statements, agent=None):
    """8 What those say that can be read and are signed by their devices, or (7.4) written down by the agent."""
    for signed in statements:
        with suppress(*REFUSED):
            said = read_answer(signed)
            who = ("agent", agent) if "wire" in said else ("device", said["device"])
            need(roster.status(*who, at) not in ("absent", "revoked"), "its signer is not on the roster")
            verify(roster.said[who]["key"], signed)
            yield said

def outcome(question, roster, at, statements, now):
    """8 What signed statements add up to."""
    asked, terms, quorum = question["actionDigest"], question["terms"], question["terms"]["quorum"]
    said = [one for one in statements if same(one, question, "app request requestDigest actionDigest")
            and (one["effective"] == asked
                 or one["decision"] == "approve" and terms["editable"] and one["response"] is not None)
            and (one["wire"] == terms.get("unsigned") if "wire" in one
                 else roster.status("device", one["device"], at) == "active"
                 and roster.said["device", one["device"]]["identity"] == one["identity"])
            and roster.status("identity", one["identity"], at) == "active"
            and one["identity"] != terms["requester"] and one["identity"] in terms["approvers"]
            and one["time"] <= question["expiresAt"] + 60_000]
    unsigned = any("wire" in one for one in said)
    against = {one["identity"] for one in said if one["decision"] == "reject"}
    said = [one for one in said if one["identity"] not in against]
    edits = [(one["time"], one["effective"]) for one in said if one["effective"] != asked]
    def result(status, effective=None):
        by = against if status == "rejected" else {v["identity"] for v in said if v["effective"] == effective}
        return {"status": status, "effective": effective, "by": sorted(by, key=utf16)} | (
            {"unsigned": True} if unsigned else {})
    if len(against) >= terms["rejections"]: return result("rejected")
    if len(result("approved", asked)["by"]) >= quorum: return result("approved", asked)
    if edits: return result("approved" if quorum == 1 else "superseded", min(edits)[1])
    return result("expired" if now >= question["expiresAt"] else "pending")

def prove(roster, signed, consume):
    """9.1 What a receipt says that proves this consume. Its time is judged apart."""
    receipt = read(signed, "receipt")
    verify(roster.active("relay", receipt["relay"], receipt["roster"]["seq"])["key"], signed)
    need(same(receipt, consume, "app request requestDigest effective attempt"), "another consume's receipt")
    return receipt

def read_event(line):
    """10.2 What a line says; None: it is no event."""
    with suppress(*REFUSED):
        event = read_canonical(line.decode())
        need(fits(event, "event") and event["event_type"] in SHAPES, "not an event")
        return event if ("prev_hash" in event) == (event["seq"] > 0) else None

def lines_of(octets):
    """10.1 Bytes after the last LF are a line too, an empty rest is not."""
    return octets.removesuffix(b"\n").split(b"\n") if octets else []

COUNTED = "proposed", "allowed", "approved", "edited", "rejected", "denied", "executed", "unknown"

class Chain:
    """10.6 One chain's verdict. `lines` are bytes. Without a roster only hashes and order are judged."""
    def __init__(self, lines, roster, elsewhere=None):
        self.roster, self.key, self.about, self.genesis = roster, None, None, None
        self.hashes, self.marks, self.covered, self.newest, self.problems = [], [], -1, -1, []
        self.calls, self.requests, self.receipts = {}, {}, []
        self.counts = dict.fromkeys(COUNTED, 0)
        known = read(elsewhere, "checkpoint") if elsewhere is not None else {"seq": None}
        self.walk(lines, known)
        if not lines: self.problem(0, "there are no events")
        if elsewhere is None: return
        if not same(known, {**known, **(self.genesis or {}), **(self.about or {})}, "chain app agent"):
            self.problem(0, "the checkpoint from elsewhere is another chain's")
        if self.key: verify(self.key, elsewhere)
        if known["seq"] is not None and known["seq"] >= len(self.hashes) == len(lines):
            self.problem(len(lines), f"cut off: a checkpoint from elsewhere covers event {known['seq']:.0f}")
    def problem(self, seq, message): self.problems.append({"seq": seq, "message": message})
    def walk(self, lines, known):
        """A The lines, as far as each is linked to the one before."""
        last = None
        for i, line in enumerate(lines):
            event, own = read_event(line), hashlib.sha256(line).hexdigest()
            if not event: return self.problem(i, "not an event")
            if event["seq"] != i:
                fork = last and event["seq"] == i - 1 and event.get("prev_hash") == last.get("prev_hash")
                return self.problem(i - 1 if fork else i, f"event {event['seq']:.0f} in place of {i}")
            if last and event["prev_hash"] != self.hashes[-1]:
                after = read_event(lines[i + 1]) if i + 1 < len(lines) else None
                changed = after and after["seq"] == i + 1 and after["prev_hash"] != own
                return self.problem(i if changed else i - 1, f"event {i} is linked to another one")
            if last and not same(event, last, "tenant_id user_id"): return self.problem(i, "another agent's")
            last = event
            self.hashes.append(own)
            if known["seq"] == i and known["hash"] != own: self.problem(i, "not what is known from elsewhere")
            if i == 0: self.begin(event)
            if event["event_type"] == "CHECKPOINT_CREATED": self.marks.append(i)
            elif i == 0: continue
            try:
                need(fits(event["payload"], event["event_type"]), "a malformed payload")
                getattr(self, event["event_type"].lower(), self.nothing)(event["payload"], event)
            except REFUSED as error: self.problem(i, reason(error))
    def begin(self, event):
        """B"""
        self.about = {"app": event["tenant_id"], "agent": event["user_id"]}
        agent = self.roster and self.roster.said.get(("agent", event["user_id"]))
        if self.roster and (not agent or self.roster.app != event["tenant_id"]):
            self.problem(0, "the roster is another app's, or the agent is not on it")
            self.roster = agent = None
        self.key = agent and agent["key"]
        if event["event_type"] != "CHECKPOINT_CREATED": self.problem(0, "a chain begins with a checkpoint")
    def at(self, head):
        """The number of the roster entry that a head names."""
        seq = int(head["seq"])
        need(self.roster.ids[seq:seq + 1] == [head["hash"]], "another roster's head")
        self.newest = max(self.newest, seq)
        return seq
    def nothing(self, said, event): """Events that prove nothing by themselves."""
    def checkpoint_created(self, payload, event):
        """C"""
        signed, i = payload["checkpoint"], int(event["seq"])
        said = read(signed, "checkpoint")
        if i == 0: self.genesis = said
        need(same(said, self.about, "app agent"), "another agent's checkpoint")
        need(self.genesis and same(said, self.genesis, "chain"), "another chain's checkpoint")
        if self.roster:
            self.at(said["roster"])
            verify(self.key, signed)
        need((said["seq"] is None) == (i == 0), "the first checkpoint, and no other, covers nothing")
        if i == 0: return
        need(self.covered <= said["seq"] < i, "it covers less than the one before, or what comes later")
        seq = int(said["seq"])
        if said["hash"] != self.hashes[seq]: return self.problem(seq, f"checkpoint {i} covers another event")
        self.covered = seq
    # D The steps of calls. Where a call has no header, or was never proposed, the KeyError is the problem.
    def tool_call_proposed(self, said, event):
        self.counts["proposed"] += 1
        need(said["call"] not in self.calls, "the call was proposed already")
        self.calls[said["call"]] = {"tool": said["tool_name"], "digest": said["action_digest"]}
    def policy_decision(self, said, event): self.calls[said["call"]]["policy"] = said["outcome"]
    def approval_requested(self, said, event):
        call = self.calls[said["call"]]
        header = read(said["header"], "request") if self.roster else None
        asked = {"request": said["request"], "tool": call["tool"], "outcome": "pending", "by": []}
        self.requests.setdefault(said["request"], {**asked, "executed": False})
        if not self.roster: return
        need(same(header, said, "request") and same(header, self.about, "app agent")
             and header["actionDigest"] == call["digest"], "the header asks for something else")
        verify(self.key, said["header"])
        call["header"] = header
    def approval_decided(self, said, event):
        request = self.requests[said["request"]]
        request["outcome"] = said["outcome"]
        if said["outcome"] in ("approved", "rejected"): self.counts[said["outcome"]] += 1
        call = self.calls[said["call"]]
        if self.roster:  # D1
            need(same(call["header"], said, "request"), "another request's header")
            for signed in said["statements"]:
                with suppress(*REFUSED): self.at(read_answer(signed)["roster"])
            at = self.newest if self.newest >= 0 else len(self.roster.ids)
            count = self.count(call["header"], at, said["statements"], event)
            said_so = count["status"] == said["outcome"]
            need(said_so or said["outcome"] != "rejected", "the statements do not reject it")
            request["by"] = count["by"] if said_so else []
            if "unsigned" in count: request["unsigned"] = True
        self.counts["edited"] += said["outcome"] == "approved" and said["effective"] != call["digest"]
        call["decided"] = said
    def tool_call_allowed(self, said, event):
        self.counts["allowed"] += 1
        call = self.calls[said["call"]]
        need("denied" not in call and "allowed" not in call, "the call was denied or allowed before")
        need(said["action_digest"] == call["digest"], "another action was proposed")
        if said["request"] is None:
            need(call["policy"] == "allow" and said["effective"] == call["digest"], "policy did not allow it")
        else:
            request, decided = self.requests[said["request"]], call["decided"]
            need("used" not in request, "the request was used before")
            need(same(decided, {**said, "outcome": "approved"}, "request outcome effective"), "not approved")
            request["used"] = True
        if self.roster: self.judge_grant(call, said, event)
        call["allowed"] = said
    def count(self, header, at, statements, event):
        statements = signed_statements(self.roster, at, statements, header["agent"])
        return outcome(header, self.roster, at, statements, event["ts_unix_ms"])
    def judge_grant(self, call, said, event):
        """D2"""
        self.roster.active("agent", event["user_id"], self.at(said["roster"]))
        if said["request"] is None: return
        header = call["header"]
        need(same(header, said, "request"), "another request's header")
        need(said["consume"] and said["receipt"], "a consume and a receipt are missing")
        consume = read(said["consume"], "consume")
        need(same(consume, {**header, **said}, "app request requestDigest effective"), "another consume")
        verify(self.key, said["consume"])
        at = self.at(consume["roster"])
        self.roster.active("agent", event["user_id"], at)
        count = self.count(header, at, call["decided"]["statements"], event)
        need(count["status"] == "approved" and same(count, said, "effective"), "statements do not approve it")
        self.at(read(said["receipt"], "receipt")["roster"])
        receipt = prove(self.roster, said["receipt"], consume)
        self.receipts.append((said["request"], consume["attempt"]))
        need(receipt["time"] <= header["useBy"], "the approval was used after its time")
        self.requests[said["request"]]["by"] = count["by"]
    def tool_call_denied(self, said, event):
        self.counts["denied"] += 1
        self.calls[said["call"]]["denied"] = True
        self.calls[said["call"]].pop("header", None)
    def tool_call_executed(self, said, event):
        call, request = self.calls[said["call"]], self.requests.get(said["request"], {})
        for name in ("executed", "unknown"): self.counts[name] += 1
        again = "execution" in call or request.get("executed")
        call["execution"], request["executed"] = said["execution_id"], True
        need("denied" not in call and not again, "it was denied, or ran before")
        need(same(call["allowed"], said, "request effective"), "another request or action was allowed")
        for name in ("header", "decided"): call.pop(name, None)
    def tool_result(self, said, event):
        call = self.calls[said["call"]]
        need(call["execution"] == said["execution_id"] and "finished" not in call, "not this run's result")
        call["finished"] = True
        self.counts["unknown"] -= 1
    def report(self):
        """10.7"""
        bad, events = [problem["seq"] for problem in self.problems], len(self.hashes)
        beyond, members = sum(i > self.covered for i in self.marks), "request tool outcome by unsigned executed"
        return {
            "valid": not bad, "firstBad": min(bad, default=None), "problems": self.problems, "events": events,
            "checkpoints": len(self.marks), "uncovered": events - 1 - self.covered - beyond,
            "chain": self.genesis and self.genesis["chain"], "agent": self.about and self.about["agent"],
            "calls": self.counts, "requests": [
                {name: request[name] for name in members.split() if name in request}
                for request in self.requests.values()]}

def main():
    parser = argparse.ArgumentParser(description="Verifies Guard's evidence files offline.")
    parser.add_argument("files", nargs="+", metavar="FILE", help="evidence, a chain each")
    parser.add_argument("--root", required=True, help="the app's id or first root key, as its owner told you")
    parser.add_argument("--roster", required=True, help="the app's roster: a JSON array of its entries")
    parser.add_argument("--checkpoint", help="of the one FILE: a checkpoint known from elsewhere")
    given, known = parser.parse_args(), None
    if given.checkpoint and len(given.files) > 1: parser.error("--checkpoint goes with one FILE")
    try:
        roster = Roster(plain_json(Path(given.roster).read_bytes().decode()))
        need(given.root in (roster.app, roster.founder["publicKey"]), "the roster is another app's")
        if given.checkpoint:
            known = read_canonical(Path(given.checkpoint).read_bytes().decode().removesuffix("\n"))
            read(known, "checkpoint")
        chains = [Chain(lines_of(Path(file).read_bytes()), roster, known) for file in given.files]
    except (*REFUSED, OSError) as error:
        print(json.dumps({"error": reason(error)}))
        return 2
    uses = {use for chain in chains for use in chain.receipts}
    twice = sorted({request for request, _ in uses if sum(request == other for other, _ in uses) > 1})
    reports = [{"file": file, **chain.report()} for file, chain in zip(given.files, chains)]
    valid = not twice and all(report["valid"] for report in reports)
    print(json.dumps({"valid": valid, "usedTwice": twice, "chains": reports}, indent=2, ensure_ascii=False))
    return 0 if valid else 1

if __name__ == "__main__":
    sys.exit(main())
