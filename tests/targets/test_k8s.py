"""The contract on Kubernetes."""

import pytest

from moorings.contract.run import Run
from moorings.contract.suite import pytest_generate_tests, records, test_check  # noqa: F401

#: What a rollout and the cluster's own rules may break. A deploy takes a minute here, and
#: trace.ledger has one under load: the others are asked by `./moor check k8s`.
ASKED = (
    "serve", "drain.running", "trace.ledger", "pods.load", "pods.evict",
    "secure.policy", "secure.user", "secure.readonly", "secure.caps",
)  # fmt: skip

RUNS = (Run("k8s", {"k8s.replicas": 2, "k8s.most": 2}, ASKED),)

pytestmark = pytest.mark.usefixtures("kubernetes")
