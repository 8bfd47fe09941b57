"""Whether a monitor on this machine is well: `python -m fer_edge.engine.monitor.healthcheck 8080`.

Exits with 0 if it is and 1 if not; the token is taken from FER_EDGE_TOKEN.
"""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request

TIMEOUT_S = 4.0


def is_well(port: int) -> bool:
    """Ask `/healthz`. A monitor that refuses for want of a token is up, and no more is known."""
    token = os.environ.get("FER_EDGE_TOKEN", "")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/healthz", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as refusal:
        return refusal.code == 401
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(0 if is_well(int(sys.argv[1])) else 1)
