"""The pod in which a release is proved, as the cluster is told to make it."""

from moorings.services.kube_candidate import of_deployment


def test_a_candidate_is_a_pod_that_no_service_selects() -> None:
    labels = {"app.kubernetes.io/name": "app", "moorings.mark": "m"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app"}]}}
    app = {"metadata": {"name": "app", "namespace": "n"}, "spec": {"template": template}}
    made = of_deployment(app)
    assert made["metadata"]["labels"] == {
        "app.kubernetes.io/name": "candidate",
        "moorings.mark": "m",
    }
    assert made["spec"] == {"containers": [{"name": "app"}], "restartPolicy": "Never"}
