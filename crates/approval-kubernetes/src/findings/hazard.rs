//! All hazards that are known, in one table.

use approval_core::record::Severity;

/// A kind of hazard.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hazard {
    /// The stable id, by which a policy names it.
    pub id: &'static str,
    /// How bad it is unless a policy or the finding itself says otherwise.
    pub severity: Severity,
    /// Why it matters.
    pub about: &'static str,
}

impl Hazard {
    /// The hazard of an id.
    #[must_use]
    pub fn of(id: &str) -> Option<&'static Self> {
        Self::ALL.iter().copied().find(|hazard| hazard.id == id)
    }
}

macro_rules! hazards {
    ($($name:ident, $id:literal, $severity:ident, $about:literal;)*) => {
        $(pub(super) const $name: &Hazard =
            &Hazard { id: $id, severity: Severity::$severity, about: $about };)*

        impl Hazard {
            /// All hazards, in the order of their ids.
            pub const ALL: &[&Self] = &[$($name),*];
        }
    };
}

hazards! {
    AUTOSCALER, "availability-autoscaler", Warn, "an autoscaler sets the replicas too, and will set them again";
    DISRUPTION_BUDGET, "availability-disruption-budget", Warn, "more pods may be missing than their owner allows";
    LIMIT_REMOVED, "availability-limit-removed", Warn, "a container without limits or requests can starve the node, or be starved";
    NODE, "availability-node", Warn, "pods of many owners run on a node";
    PROBE_REMOVED, "availability-probe-removed", Warn, "without a probe a broken pod isn't noticed, or gets traffic";
    SCALED_TO_ZERO, "availability-scaled-to-zero", High, "nothing runs afterwards";
    SELECTOR_CHANGED, "availability-selector-changed", High, "pods that were selected are left alone, and run on or get no traffic";
    SINGLE_REPLICA, "availability-single-replica", Warn, "nothing serves while the new one starts, or if it doesn't";
    SUSPENDED, "availability-suspended", Warn, "nothing is started until somebody resumes it";
    WORKLOAD_DELETED, "availability-workload-deleted", Warn, "what it serves ends with it";
    ADMISSION, "control-plane-admission", High, "it decides about, or changes, the requests of everybody in the cluster";
    CRD, "control-plane-crd", Info, "it defines a kind for the whole cluster";
    CRD_DELETED, "control-plane-crd-deleted", High, "all objects of the kind are deleted with it";
    CRD_VERSION_REMOVED, "control-plane-crd-version-removed", High, "clients of that version fail, and what is stored in it may be lost";
    NAMESPACE_DELETED, "control-plane-namespace-deleted", High, "everything in it is deleted with it";
    POD_SECURITY_WEAKENED, "control-plane-pod-security-weakened", High, "the namespace admits pods that it refused";
    PROTECTED_NAMESPACE, "control-plane-protected-namespace", High, "the cluster itself lives there";
    QUOTA_REMOVED, "control-plane-quota-removed", Warn, "a namespace without a quota can take all that the cluster has";
    CONFIGURATION_DELETED, "data-configuration-deleted", Warn, "what reads it fails, at the latest when it starts again";
    FINALIZER_REMOVED, "data-finalizer-removed", High, "the clean-up that it stands for doesn't happen";
    GRACE_ZERO, "data-grace-zero", Warn, "processes are killed without a chance to finish";
    KEYS_REMOVED, "data-keys-removed", High, "the values are gone, and what reads them fails";
    ORPHANED, "data-orphaned", Warn, "what it owns runs on without an owner";
    STATEFUL_SET_DELETED, "data-stateful-set-deleted", High, "its pods hold data, and may have made changes that only they know";
    VOLUME_DELETED, "data-volume-deleted", High, "the data on it may be gone for good";
    VOLUMES_FOLLOW, "data-volumes-follow", Warn, "the claims of its pods are deleted when it is scaled down or deleted";
    ADMISSION_WARNING, "display-admission-warning", Warn, "the server itself warns";
    FILE_MODE, "display-file-mode", Info, "modes are written in octal and stored in decimal";
    INVISIBLE, "display-invisible", High, "what is read isn't what is there";
    MANY_OBJECTS, "display-many-objects", Warn, "one decision is about more than can be read with care";
    NO_CHANGE, "display-no-change", Info, "nothing changes";
    SECRET, "display-secret", Info, "its values aren't shown";
    SECRET_IN_CLEAR, "display-secret-in-clear", Warn, "whoever may read the object reads it, and so does whoever decides";
    EXTERNAL_IPS, "exposure-external-ips", High, "traffic of others to these addresses can be taken";
    INGRESS_WITHOUT_TLS, "exposure-ingress-without-tls", Info, "traffic to it isn't encrypted";
    LOAD_BALANCER, "exposure-load-balancer", Warn, "it can be reached from outside the cluster";
    NETWORK_POLICY_OPENED, "exposure-network-policy-opened", Warn, "traffic is let through that was stopped";
    NETWORK_POLICY_REMOVED, "exposure-network-policy-removed", High, "all traffic is let through that it stopped";
    NODE_PORT, "exposure-node-port", Warn, "it can be reached at every node's address";
    TLS_REMOVED, "exposure-tls-removed", High, "traffic that was encrypted no longer is";
    IMAGE_INVALID, "image-invalid", High, "nobody knows what it would pull";
    IMAGE_LATEST, "image-latest", Warn, "what runs changes whenever somebody pushes";
    IMAGE_WITHOUT_DIGEST, "image-without-digest", Info, "a tag can be moved to another image after the approval";
    REGISTRY_UNLISTED, "image-registry-unlisted", Warn, "it comes from elsewhere than images are to come from";
    CONFLICT, "ownership-conflict", Warn, "two set the field, and each undoes what the other did";
    CONTROLLED, "ownership-controlled", Info, "its controller makes it anew, or undoes the change";
    FORCED, "ownership-forced", High, "fields are taken away from whoever sets them";
    GITOPS, "ownership-gitops", Warn, "it is reconciled from a repository, which undoes the change or is undone by it";
    HELM, "ownership-helm", Warn, "the next upgrade of the release undoes the change, or fails";
    TERMINATING, "ownership-terminating", Warn, "it is being deleted already";
    POD_APP_ARMOR, "pod-app-armor", Warn, "the kernel no longer confines the container as it does by default";
    POD_CAPABILITIES, "pod-capabilities", High, "some of these lead to root on the node";
    POD_CAPABILITIES_KEPT, "pod-capabilities-kept", Info, "hardened pods drop what they don't need";
    POD_HOST_NAMESPACES, "pod-host-namespaces", High, "the walls between the pod and the node are down";
    POD_HOST_PATH, "pod-host-path", Warn, "files of the node can be read, and perhaps written";
    POD_HOST_PATH_CRITICAL, "pod-host-path-critical", High, "whoever holds these files holds the node, and perhaps the cluster";
    POD_HOST_PORT, "pod-host-port", Warn, "it is reached at the node's address, past network policies";
    POD_HOST_PROBE, "pod-host-probe", Warn, "the node sends requests where the pod says";
    POD_PRIVILEGE_ESCALATION, "pod-privilege-escalation", Info, "a process can gain more privileges than it was started with";
    POD_PRIVILEGED, "pod-privileged", High, "a privileged container is root on the node";
    POD_PROC_MOUNT, "pod-proc-mount", Warn, "the container sees and sets what the kernel shows in `/proc`";
    POD_PROC_MOUNT_KEPT, "pod-proc-mount-kept", Info, "hardened pods have the masked `/proc`, in a user namespace too";
    POD_ROOT_POSSIBLE, "pod-root-possible", Info, "a process as root has an easier way out of the container";
    POD_RUNS_AS_ROOT, "pod-runs-as-root", Warn, "a process as root has an easier way out of the container";
    POD_SE_LINUX, "pod-se-linux", Warn, "the kernel no longer confines the container as it does by default";
    POD_SECCOMP_MISSING, "pod-seccomp-missing", Info, "all system calls are open to the container";
    POD_SECCOMP_OFF, "pod-seccomp-off", Warn, "all system calls are open to the container";
    POD_SERVICE_ACCOUNT_PRIVILEGED, "pod-service-account-privileged", High, "whoever is in the pod can do what its service account can";
    POD_SERVICE_ACCOUNT_TOKEN, "pod-service-account-token", Info, "whoever is in the pod can talk to the API as its service account";
    POD_SYSCTLS, "pod-sysctls", Warn, "the parameter may be the whole node's";
    POD_VOLUME_KIND, "pod-volume-kind", Info, "hardened pods use no volumes that need rights on the node";
    POD_WINDOWS_HOST_PROCESS, "pod-windows-host-process", High, "it has the rights of the Windows node";
    RBAC_AGGREGATED, "rbac-aggregated", Warn, "the rules become part of a role that many already have";
    RBAC_CLUSTER_ADMIN, "rbac-cluster-admin", High, "they can do everything, everywhere";
    RBAC_ESCALATION, "rbac-escalation", High, "these verbs give rights that their holder doesn't have";
    RBAC_EVERYONE, "rbac-everyone", Warn, "whoever has any account, or any pod, is meant";
    RBAC_EXEC, "rbac-exec", High, "commands can be run in the containers of others";
    RBAC_SECRETS, "rbac-secrets", High, "secrets can be read, tokens and certificates among them";
    RBAC_TOKENS, "rbac-tokens", High, "tokens of other accounts can be made";
    RBAC_UNAUTHENTICATED, "rbac-unauthenticated", High, "whoever can reach the server is meant, without any account";
    RBAC_WILDCARD, "rbac-wildcard", High, "it includes what nobody thought of, and what comes later";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_found() {
        for (index, hazard) in Hazard::ALL.iter().enumerate() {
            assert_eq!(Hazard::ALL.iter().position(|other| other.id == hazard.id), Some(index), "{}", hazard.id);
            assert_eq!(Hazard::of(hazard.id), Some(*hazard));
        }
        assert_eq!(Hazard::of("no-such-hazard"), None);
    }
}
