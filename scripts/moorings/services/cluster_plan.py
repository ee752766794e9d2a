"""The programs of a one-node cluster: with which arguments, and when the next one may start.

All paths are those that the node sees: `cluster_node` makes them.
"""

from dataclasses import dataclass

HOME = "/run/moorings"
BIN, CONFIG, PKI = f"{HOME}/bin", f"{HOME}/config", f"{HOME}/pki"
SOCKET = "/run/containerd/containerd.sock"
CTR = ("ctr", "--address", SOCKET, "--namespace", "k8s.io")

#: The node's name, in the cluster and as its host name.
NODE = "node"

#: Networks inside of the node's own, so that no other cluster meets them.
PODS, SERVICES, FIRST_SERVICE = "10.244.0.0/16", "10.96.0.0/16", "10.96.0.1"

#: What the kubelet wants of the kernel; it would set it for the whole machine.
KERNEL = {
    "kernel/keys/root_maxbytes": "25000000",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
}


@dataclass(frozen=True)
class Program:
    """A program that runs as long as the node does."""

    name: str
    argv: tuple[str, ...]
    ready: tuple[str, ...] = ()
    """A command that succeeds once it can be used; empty: nothing waits for it."""


def programs(address: str, cgroup: str) -> tuple[Program, ...]:
    """Return them in the order in which they start.

    :param address: the node's.
    :param cgroup: below which the pods' are made.
    """
    return (
        Program(
            "containerd",
            ("containerd", "--config", f"{CONFIG}/containerd.toml"),
            (*CTR, "version"),
        ),
        _etcd(),
        _apiserver(address),
        _controllers(),
        _scheduler(),
        _kubelet(address, cgroup),
        Program("kube-proxy", ("kube-proxy", f"--config={CONFIG}/kube-proxy.yaml")),
    )


def _etcd() -> Program:
    clients = "http://127.0.0.1:2379"
    # What it holds is thrown away with the cluster: no write needs to reach the disk.
    return Program(
        "etcd",
        ("etcd", "--data-dir=/var/lib/etcd", f"--listen-client-urls={clients}",
         f"--advertise-client-urls={clients}", "--listen-peer-urls=http://127.0.0.1:2380",
         "--unsafe-no-fsync"),
    )  # fmt: skip


def _apiserver(address: str) -> Program:
    return Program(
        "kube-apiserver",
        ("kube-apiserver",
         f"--advertise-address={address}",
         "--secure-port=6443",
         "--etcd-servers=http://127.0.0.1:2379",
         f"--tls-cert-file={PKI}/apiserver.crt",
         f"--tls-private-key-file={PKI}/apiserver.key",
         f"--client-ca-file={PKI}/ca.crt",
         "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
         f"--service-account-key-file={PKI}/accounts.pub",
         f"--service-account-signing-key-file={PKI}/accounts.key",
         f"--service-cluster-ip-range={SERVICES}",
         "--authorization-mode=Node,RBAC",
         "--enable-admission-plugins=NodeRestriction",
         "--allow-privileged=true",
         f"--kubelet-client-certificate={PKI}/apiserver-client.crt",
         f"--kubelet-client-key={PKI}/apiserver-client.key",
         f"--kubelet-certificate-authority={PKI}/ca.crt",
         "--kubelet-preferred-address-types=InternalIP",
         f"--requestheader-client-ca-file={PKI}/front-ca.crt",
         "--requestheader-allowed-names=front-client",
         "--requestheader-username-headers=X-Remote-User",
         "--requestheader-group-headers=X-Remote-Group",
         "--requestheader-extra-headers-prefix=X-Remote-Extra-",
         f"--proxy-client-cert-file={PKI}/front-client.crt",
         f"--proxy-client-key-file={PKI}/front-client.key"),
        ("kubectl", f"--kubeconfig={PKI}/admin.conf", "get", "--raw", "/readyz"),
    )  # fmt: skip


def _controllers() -> Program:
    return Program(
        "kube-controller-manager",
        ("kube-controller-manager",
         *_as_client("controllers"),
         "--use-service-account-credentials=true",
         f"--service-account-private-key-file={PKI}/accounts.key",
         f"--root-ca-file={PKI}/ca.crt",
         f"--client-ca-file={PKI}/ca.crt",
         f"--requestheader-client-ca-file={PKI}/front-ca.crt",
         f"--cluster-signing-cert-file={PKI}/ca.crt",
         f"--cluster-signing-key-file={PKI}/ca.key",
         "--allocate-node-cidrs=true",
         f"--cluster-cidr={PODS}",
         f"--service-cluster-ip-range={SERVICES}",
         # The default is a folder in /usr, outside of the folder of the cluster.
         "--flex-volume-plugin-dir=/var/lib/kubelet/volumeplugins"),
    )  # fmt: skip


def _scheduler() -> Program:
    return Program("kube-scheduler", ("kube-scheduler", *_as_client("scheduler")))


def _as_client(name: str) -> tuple[str, ...]:
    """Return what both programs are told that only ask the API: there is one of each."""
    file = f"{PKI}/{name}.conf"
    return (
        f"--kubeconfig={file}",
        f"--authentication-kubeconfig={file}",
        f"--authorization-kubeconfig={file}",
        "--bind-address=127.0.0.1",
        "--leader-elect=false",
    )


def _kubelet(address: str, cgroup: str) -> Program:
    return Program(
        "kubelet",
        ("kubelet", f"--config={CONFIG}/kubelet.yaml", f"--kubeconfig={PKI}/kubelet.conf",
         f"--hostname-override={NODE}", f"--node-ip={address}", f"--cgroup-root={cgroup}"),
    )  # fmt: skip
