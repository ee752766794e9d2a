"""The contract on Kubernetes."""

import pytest

from moorings.contract.run import Run
from moorings.contract.suite import pytest_generate_tests, records, test_check  # noqa: F401

#: What a rollout and the cluster's own rules may break, and what is asked of the deployment that is
#: there anyway. Each other check has a deploy of its own, a minute here: `./moor check k8s`.
ASKED = (
    "serve", "drain.running", "deploy.broken", "trace.ledger", "trace.arrives", "trace.edges",
    "trace.errors", "trace.stream", "logs.json", "pods.load", "pods.evict",
    "secure.policy", "secure.user", "secure.readonly", "secure.caps", "secure.headers",
    "data.roles",
)  # fmt: skip

RUNS = (Run("k8s", {"k8s.replicas": 2, "k8s.most": 2}, ASKED),)

pytestmark = pytest.mark.usefixtures("kubernetes")
