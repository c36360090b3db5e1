"""Verifies Guard's evidence files offline. Written from docs/protocol.md alone.

    python verify.py FILE [FILE…] --root APP_OR_ROOT_KEY --roster ROSTER_FILE [--checkpoint FILE]
    python verify.py --vectors DIR

Prints a JSON report. Exit code 0: valid; 1: not valid; 2: no verdict, what it would judge by cannot be used.
"""
import argparse, json, sys
from pathlib import Path
from evidence import Chain, lines_of
from roster import Roster
from wire import Refused, need, plain_json, read_canonical

def used_twice(chains):
    """10.7 Requests for which the relay gave receipts to several attempts, in whatever chains."""
    attempts = {}
    for request, attempt in (pair for chain in chains for pair in chain.receipts):
        attempts.setdefault(request, set()).add(attempt)
    return [request for request, several in attempts.items() if len(several) > 1]

def read_roster(path, root):
    """A roster file, or a page of a relay's; `root` is the app id or the first root's public key."""
    value = plain_json(path.read_text("utf-8"))
    roster = Roster(value["entries"] if isinstance(value, dict) and "entries" in value else value)
    need(root in (roster.app, roster.founder["publicKey"]), "the roster is another app's than --root says")
    return roster

def read_checkpoint(path):
    """10.1 A kept checkpoint: the canonical text of a Signed, and LF."""
    return read_canonical(path.read_bytes().decode().removesuffix("\n"))

def main():
    parser = argparse.ArgumentParser(description="Verifies Guard's evidence files offline.")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="evidence, a chain each")
    parser.add_argument("--root", help="the app's id or first root key, as its owner told you")
    parser.add_argument("--roster", type=Path, help="the app's roster: a JSON array of its entries")
    parser.add_argument("--checkpoint", type=Path, help="of the one FILE: a checkpoint known from elsewhere")
    parser.add_argument("--vectors", type=Path, metavar="DIR", help="run the protocol's test vectors instead")
    given = parser.parse_args()
    if given.vectors:
        from vectors import run
        return run(given.vectors)
    if not (given.files and given.root and given.roster):
        parser.error("FILE, --root and --roster are needed")
    if given.checkpoint and len(given.files) > 1:
        parser.error("--checkpoint goes with one FILE")
    try:
        roster = read_roster(given.roster, given.root)
        checkpoint = read_checkpoint(given.checkpoint) if given.checkpoint else None
        chains = [Chain(lines_of(path.read_bytes()), roster, checkpoint, roster.app) for path in given.files]
    except (Refused, OSError, UnicodeDecodeError) as error:
        print(json.dumps({"error": str(error)}))
        return 2
    twice = used_twice(chains)
    reports = [{"file": str(path), **chain.report()} for path, chain in zip(given.files, chains)]
    valid = not twice and all(report["valid"] for report in reports)
    print(json.dumps({"valid": valid, "usedTwice": twice, "chains": reports}, indent=2, ensure_ascii=False))
    return 0 if valid else 1

if __name__ == "__main__":
    sys.exit(main())
