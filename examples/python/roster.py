"""Who may do what, and what statements add up to: the roster, counting and receipts.
Numbers in comments are sections of docs/protocol.md."""
from math import inf
from wire import Refused, canonical, digest, need, read, verifies

class Roster:
    """3 An app's roster, judged entry by entry. `seq` says as of which entry something is asked."""

    def __init__(self, entries):
        self.app, self.founder, self.root, self.time, self.ids, self.records = None, None, None, 0, [], {}
        need(isinstance(entries, list) and entries, "a roster is a list of entries")
        for index, signed in enumerate(entries):
            try:
                self.add(signed)
            except Refused as error:
                raise Refused(f"roster entry {index}: {error}", index) from error

    def add(self, signed):
        """3.2 One more entry, judged by those before it."""
        entry, seq = read(signed, "roster"), len(self.ids)
        change = entry["change"]
        if seq == 0:
            need(change["kind"] == "root" and entry["prev"] is None, "it does not start with its root")
            self.app = app_of(change["key"])
            self.founder = self.root = change["key"]
        else:
            need(entry["prev"] == self.ids[-1] and entry["time"] >= self.time, "it does not follow")
        need(entry["app"] == self.app, "another app's")
        need(entry["seq"] == seq, "another sequence number")
        signer = self.root
        if seq and entry["by"] != "root":
            target = change["target"]["kind"] if change["kind"] == "revoke" else None
            need(change["kind"] not in ("root", "admin") and target != "admin", "only the root may sign this")
            need(self.active("admin", entry["by"]), "no admin signed it")
            signer = self.records["admin", entry["by"]]["key"]
        need(verifies(signer, signed["body"], signed["signature"]), "wrong signature")
        self.apply(change, seq)
        self.ids.append(digest(signed["body"]))
        self.time = entry["time"]

    def apply(self, change, seq):
        """3.2, steps 4 and 5. The normal form of identities and look-alikes (3.4) are left to the signers."""
        kind = change["kind"]
        if kind == "root":
            proof = {"type": "guard/v1/possession", "app": self.app, "seq": seq, "key": change["key"]}
            need(verifies(change["key"], canonical(proof), change["possession"]), "no possession of the key")
            self.root = change["key"]
        elif kind == "revoke":
            target = change["target"]["kind"], change["target"]["id"]
            need(self.active(*target, unless_suspended=False), "nobody to revoke")
            self.records[target]["revoked"] = seq
        elif kind in ("suspend", "lift"):
            record = self.records.get(("agent", change["agent"]))
            need(record and record["revoked"] == inf, "no such agent")
            need(len(record["switches"]) % 2 == (kind == "lift"), "it is suspended already, or it is not")
            record["switches"].append(seq)
        elif kind != "renew":
            name = change[kind]
            need((kind, name) not in self.records, "it is there already")
            need(kind != "admin" or name.lower() != "root", "an admin cannot be called root")
            if kind == "device":
                self.judge_device(change)
            self.records[kind, name] = {**change, "since": seq, "revoked": inf, "switches": []}

    def judge_device(self, change):
        need(self.active("identity", change["identity"]), "a device of nobody")
        members = {name: change[name] for name in ("encryptionKey", "identity", "key")}
        own = digest(canonical({"app": self.app, "type": "guard/v1/device", **members}))
        need(change["device"] == own, "a device's id is the digest of what it is")
        used = [record["key"]["publicKey"] for (kind, _), record in self.records.items() if kind == "device"]
        need(change["key"]["publicKey"] not in used, "a device has this key already")

    def record(self, kind, name, seq=inf):
        """What is there by that name after entry `seq`, revoked or not."""
        record = self.records.get((kind, name))
        return record if record and record["since"] <= seq else None

    def active(self, kind, name, seq=inf, unless_suspended=True):
        """Whether it is there after entry `seq`, not revoked and not suspended."""
        record = self.record(kind, name, seq)
        if record is None or record["revoked"] < inf and record["revoked"] <= seq:
            return False
        return not unless_suspended or sum(switch <= seq for switch in record["switches"]) % 2 == 0

def app_of(key):
    """3.1 The app that a first root key makes."""
    return digest(canonical({"key": key, "type": "guard/v1/app"}))

# ---- 8 Counting

def signed_statements(roster, seq, statements):
    """What the statements say that can be read and that their devices signed."""
    said = []
    for signed in statements:
        try:
            statement = read(signed, "statement")
        except Refused:
            continue  # it is left out
        device = roster.record("device", statement["device"], seq)
        if device and verifies(device["key"], signed["body"], signed["signature"]):
            said.append(statement)
    return said

def counts(question, roster, seq, said):
    """Whether a statement counts, apart from its signature."""
    terms, identity = question["terms"], said["identity"]
    device = roster.record("device", said["device"], seq)
    same = all(said[key] == question[key] for key in ("app", "request", "requestDigest", "actionDigest"))
    edits = said["effective"] != said["actionDigest"]
    may_edit = said["decision"] == "approve" and terms["editable"] and said["response"] is not None
    return (same and (may_edit or not edits)
            and device is not None and device["identity"] == identity
            and roster.active("device", said["device"], seq) and roster.active("identity", identity, seq)
            and identity in terms["approvers"] and identity != terms["requester"]
            and said["time"] <= question["expiresAt"] + 60_000)

def outcome(question, roster, seq, statements, now):
    """What statements whose signatures are good add up to: status, effective, by."""
    def result(status, effective=None, by=()):
        return {"status": status, "effective": effective,
                "by": sorted(by, key=lambda name: name.encode("utf-16-be"))}
    counted = [said for said in statements if counts(question, roster, seq, said)]
    against = {said["identity"] for said in counted if said["decision"] == "reject"}
    if len(against) >= question["terms"]["rejections"]:
        return result("rejected", by=against)
    approving = [said for said in counted if said["identity"] not in against]
    def who(effective):
        return {said["identity"] for said in approving if said["effective"] == effective}
    asked, quorum = question["actionDigest"], question["terms"]["quorum"]
    if len(who(asked)) >= quorum:
        return result("approved", asked, who(asked))
    edits = [(said["time"], said["effective"]) for said in approving if said["effective"] != asked]
    if edits:
        return result("approved" if quorum == 1 else "superseded", min(edits)[1], who(min(edits)[1]))
    return result("expired" if now >= question["expiresAt"] else "pending")

def prove(roster, receipt, signed, consume):
    """9.1 That a receipt of the relay proves this consume. Its time is judged apart."""
    relay = "relay", receipt["relay"]
    need(roster.active(*relay, receipt["roster"]["seq"]), "the receipt's relay is not on the roster")
    key = roster.record(*relay)["key"]
    need(verifies(key, signed["body"], signed["signature"]), "the relay did not sign the receipt")
    for member in ("app", "request", "requestDigest", "effective", "attempt"):
        need(receipt[member] == consume[member], f"the receipt's {member} is not the consume's")
